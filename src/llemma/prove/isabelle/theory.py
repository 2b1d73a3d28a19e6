"""Theory texts made of a theorem, as its data set states it, and a proof; and what Isabelle said about them."""

from __future__ import annotations

import msgspec

from llemma.core.errors import DataError
from llemma.prove.isabelle.server import Node
from llemma.prove.isabelle.tokens import LexicalError, Token, is_proper, tokenize
from llemma.prove.theorem import Theorem

LLEMMA_IMPORTS = (
    "HOL.HOL",
    "Complex_Main",
    "HOL-Library.Code_Target_Numeral",
    "HOL-Library.Sum_of_Squares",
    "Symmetric_Polynomials.Vieta",
    "HOL-Computational_Algebra.Computational_Algebra",
    "HOL-Number_Theory.Number_Theory",
)
"""What the checker of Llemma's informal-to-formal task imported for every theorem."""

_STATING = frozenset({"theorem", "lemma", "corollary", "proposition"})
# what may follow at once where the theorem has no name
_ELEMENTS = frozenset({"fixes", "assumes", "shows", "obtains", "includes", "constrains", "notes", "defines"})
_UNNAMED = "the_theorem"
_VERDICT = "_verdict"


class Stated(msgspec.Struct, frozen=True):
    """A theorem whose texts have been looked at: `before` and `after` the theory's name, and the theorem's own name."""

    before: str
    after: str
    name: str

    def theory(self, name: str, proof: str) -> str:
        """A theory called `name` with `proof`."""
        return f"{self.before}{name}{self.after}\n{proof}\n\nend\n"

    def with_verdict(self, name: str, proof: str) -> dict[str, str]:
        """That theory, and one beside it that prints the finished theorem and the oracles that it rests on.

        The second stands for itself: whatever the proof may hold, it cannot reach there.
        """
        shows = f"declare [[show_types, show_sorts]]\nthm {name}.{self.name}\nthm_oracles {name}.{self.name}"
        verdict = f'theory {name}{_VERDICT}\nimports "{name}"\nbegin\n\n{shows}\n\nend\n'
        return {name: self.theory(name, proof), f"{name}{_VERDICT}": verdict}


class Evidence(msgspec.Struct, frozen=True):
    """What the theory beside a theorem printed: the theorem with its types, and the oracles that it rests on."""

    statement: tuple[str, ...]
    oracles: tuple[str, ...]


def stated(theorem: Theorem, header: str) -> Stated:
    """The theorem's texts. `header` is `data` or `llemma`. Raises `DataError` where they are not a statement."""
    where = f"theorem '{theorem.id}'"
    try:
        said = [token for token in tokenize(theorem.statement) if is_proper(token)]
        head = [token for token in tokenize(theorem.header) if is_proper(token)]
    except LexicalError as error:
        raise DataError(f"not Isabelle: {error}", where=where) from None
    name, statement = _named(theorem.statement, said, where)
    if header == "llemma":
        imports = " ".join(f'"{item}"' for item in LLEMMA_IMPORTS)
        return Stated("theory ", f"\nimports {imports}\nbegin\n\n{statement}", name)
    before, after = _around_name(theorem.header, head, where)
    return Stated(before, f"{after}\n\n{statement}", name)


def _named(statement: str, tokens: list[Token], where: str) -> tuple[str, str]:
    """The theorem's name and its statement, which is given one where it has none."""
    if len(tokens) < 2 or tokens[0].text not in _STATING:
        raise DataError("a statement begins with 'theorem'", where=where)
    word, following = tokens[:2]
    if following.kind == "word" and following.text not in _ELEMENTS:
        return following.text, statement
    if following.kind in ("word", "string", "cartouche") or following.text == "[":
        end = word.start + len(word.text)
        colon = "" if following.text == "[" else ":"
        return _UNNAMED, f"{statement[:end]} {_UNNAMED}{colon} {statement[end:]}"
    raise DataError(f"a statement with '{following.text}' behind '{word.text}'", where=where)


def _around_name(header: str, tokens: list[Token], where: str) -> tuple[str, str]:
    if len(tokens) < 2 or tokens[0].text != "theory" or not any(token.text == "begin" for token in tokens):
        raise DataError("a header is 'theory NAME imports ... begin'", where=where)
    name = tokens[1]
    return header[: name.start], header[name.start + len(name.text) :]


def trouble(node: Node | None) -> str:
    """Why a theory is not accepted as it stands, in a few words; nothing where it is clean."""
    if node is None:
        return "the theory was not checked"
    if node.errors:
        return shown(node.errors[0])
    if not node.finished:
        return "not finished in time"
    return "" if node.clean else "a command failed"


def shown(text: str) -> str:
    """An error of Isabelle as one short line."""
    return " ".join(text.replace("\\<^here>", "").split())[:500]


def evidence(nodes: dict[str, Node], name: str) -> Evidence | None:
    """What was printed of the theorem of theory `name`; None where that is not clear."""
    node = nodes.get(f"{name}{_VERDICT}")
    if node is None or not node.clean:
        return None
    printed = [note.message for note in node.messages if note.kind == "writeln"]
    lists = [text for text in printed if text.startswith("oracles:")]
    statement = tuple(text.replace(f"{name}.", "") for text in printed if text not in lists)
    if len(lists) != 1 or not statement:
        return None
    return Evidence(statement, tuple(_items(lists[0])))


def _items(text: str) -> list[str]:
    """The names in a list of oracles: `Thm_Deps.pretty_thm_oracles` prints `oracles:` and one item a line, with the
    proposition behind a colon."""
    first, *rest = text.splitlines()
    lines = [first.removeprefix("oracles:"), *rest]
    items = [line.strip(" \t\u2022").removeprefix("\\<bullet>").strip() for line in lines]
    return [item.split(":")[0].strip() for item in items if item]
