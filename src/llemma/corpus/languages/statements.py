"""Theorems in the text of Lean (3 and 4), Isabelle and Rocq files: where they stand, and what they say.

What a statement says is a digest of its tokens without comments, white space and its own name, with variables numbered
in the order in which they are bound. Two statements that differ in nothing else have the same digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import xxhash

from llemma.tools.coq_text import sentences


class Statement(NamedTuple):
    """A theorem in a text: its own name (empty for an example), and where it begins, its statement ends, it all ends.

    `full` is the name with the namespaces around it, where the language has them.
    """

    name: str
    start: int
    said: int
    end: int
    full: str = ""


_NAME = r"[^\s:({\[\"⦃,=]+"
_LEAN_HEAD = re.compile(
    r"^(?P<indent>[ \t]*)(?:@\[[^\]\n]*\]\s*){0,8}"
    r"(?:(?:private|protected|noncomputable|nonrec|local|scoped|unsafe)\s+){0,5}"
    rf"(?P<kind>theorem|lemma|example)\b(?:\s+(?P<name>{_NAME}))?",
    re.MULTILINE,
)
_LEAN_COMMAND = re.compile(
    r"^(?P<indent>[ \t]*)(?:@\[|#\w|end\b|begin\s*$|"
    r"(?:theorem|lemma|example|def|definition|instance|namespace|section|open|variables?|import|structure|inductive|class|abbrev|private|protected|noncomputable|"
    r"attribute|local|scoped|notation|universes?|macro|macro_rules|syntax|elab|alias|set_option|constants?|axioms?|"
    r"mutual|meta|run_cmd|export|infixl?|infixr|prefix|postfix|reserve|theory|include|omit|parameters?|"
    r"open_locale|initialize|declare_syntax_cat|deriving|irreducible_def|nonrec|unsafe|partial)\b)",
    re.MULTILINE,
)
_ISABELLE_HEAD = re.compile(
    r"^(?P<indent>[ \t]*)(?P<kind>lemma|theorem|corollary|proposition|schematic_goal)\b", re.MULTILINE
)
_ISABELLE_NAME = re.compile(
    r"\s*(?:\(\s*in\s+[\w.']+\s*\)\s*)?(?P<name>(?:[\w.'-]|\\<\^?\w+>)+)\s*(?:\[[^\]\n]*\])?\s*:"
)
_ISABELLE_COMMAND = re.compile(
    r"^(?P<indent>[ \t]*)(?:lemmas?|theorems?|corollary|proposition|schematic_goal|definition|fun|function|primrec|"
    r"primcorec|datatype|codatatype|type_synonym|typedef|abbreviation|locale|context|section|subsection|subsubsection|"
    r"chapter|paragraph|text|text_raw|end|instantiation|instance|inductive|inductive_set|coinductive|declare|notation|"
    r"no_notation|syntax|translations|hide_const|record|class|subclass|interpretation|global_interpretation|sublocale|"
    r"termination|ML|method_setup|setup|named_theorems|bundle|export_code|code_printing|consts|axiomatization|lift_"
    r"definition|nominal_datatype|experiment|notepad|value|find_theorems|termination|partial_function|specification)\b",
    re.MULTILINE,
)
_ISABELLE_PROOF = re.compile(
    r'"|\\<open>|‹|\b(?:by|proof|apply|using|unfolding|sorry|oops|including|supply|subgoal|nitpick|'
    r"sledgehammer|defer|done)\b|(?<=[\s\">])\.\.?(?=\s)"
)
_ROCQ_HEAD = re.compile(
    r"(?:(?:Local|Global|Program|Polymorphic|#\[[^\]\n]{0,200}\])\s+){0,4}"
    r"(?:Theorem|Lemma|Remark|Fact|Corollary|Proposition|Property|Example)\s+(?P<name>[^\W\d][\w']*)"
)
_ROCQ_WORD = re.compile(r"\b(?:Theorem|Lemma|Remark|Fact|Corollary|Proposition|Property|Example)\s")
_ROCQ_LINE = re.compile(r"^[ \t]*(?:Theorem|Lemma|Remark|Fact|Corollary|Proposition|Property|Example)\s", re.MULTILINE)
_LONGEST = 10_000  # characters of a statement in a text of another kind
_ROCQ_CLOSED = re.compile(r"(?:Qed|Defined|Admitted|Abort|Save)\b|Proof\s+(?!using\b|with\b)[^\s.]")
_ROCQ_NEXT = re.compile(r"(?:End|Section|Module|Require|From|Definition|Fixpoint|Inductive|Notation|Import)\b")
_OPEN, _CLOSE = "([{⟨⦃", ")]}⟩⦄"


def statements(text: str, language: str) -> Iterator[Statement]:
    """The theorems of a text in `lean`, `isabelle` or `coq`, in order and apart; none in other languages."""
    find = _FINDERS.get(language)
    return find(text) if find else iter(())


def quoted(text: str, language: str) -> Iterator[str]:
    """What theorems of `language` say in a text of another kind: a page, a program, rows of JSON."""
    if language != "coq":
        yield from (text[item.start : item.said] for item in statements(text, language))
        return
    # The lexer of Rocq would lose its way among foreign quotes: it begins anew at each head.
    places = [*(found.start() for found in _ROCQ_LINE.finditer(text)), len(text)]
    for place, after in pairwise(places):
        piece = text[place : min(after, place + _LONGEST)]
        yield from (piece[item.start : item.said] for item in statements(piece, language))


def _lean(text: str) -> Iterator[Statement]:
    plain, spaces, position = _uncommented(text, "lean"), list[str](), 0
    last = 0
    for found in _LEAN_HEAD.finditer(plain):
        if found.start() < last:
            continue
        _enter(plain, position, found.start(), spaces)
        position = found.start()
        last = _trimmed(plain, found.start(), _lean_end(plain, found.end(), len(found["indent"])))
        name = (found["name"] or "") if found["kind"] != "example" else ""
        said = _lean_said(plain, found.end(), last)
        full = ".".join([*spaces, name.removeprefix("_root_.")]) if name else ""
        start = _documented(text, plain, found.start())
        yield Statement(name, start, said, last, name[7:] if name.startswith("_root_.") else full)


def _trimmed(plain: str, start: int, end: int) -> int:
    """The end without the comments and blank lines before what comes next: they belong to that."""
    return start + len(plain[start:end].rstrip())


def _documented(text: str, plain: str, start: int) -> int:
    """Where the theorem begins together with its documentation, which often says it in words."""
    before = len(plain[:start].rstrip())
    comment = text.rfind("/--", before, start)
    return start if comment < 0 else comment


_LEAN_SPACE = re.compile(r"^[ \t]*(?:(namespace)\s+(\S+)|(section)\b[ \t]*(\S*)|end\b[ \t]*(\S*))", re.MULTILINE)


def _enter(text: str, start: int, end: int, spaces: list[str]) -> None:
    """Follow the namespaces that open and close between two places."""
    for found in _LEAN_SPACE.finditer(text, start, end):
        if found[1]:
            spaces.append(found[2])
        elif not found[3] and spaces and spaces[-1] == found[5]:
            spaces.pop()


def _lean_end(text: str, start: int, indent: int) -> int:
    """Where the next command begins that is not moved in further than this one; `begin ... end` is passed over."""
    depth = 0
    for found in _LEAN_COMMAND.finditer(text, start):
        word = found[0].strip()
        if len(found["indent"]) > indent:
            continue
        if word == "begin":
            depth += 1
        elif word == "end" and depth:
            depth -= 1
            if not depth:
                line = text.find("\n", found.end())
                return len(text) if line < 0 else line + 1
        elif not depth:
            return found.start()
    return len(text)


_LEAN_MARK = re.compile(r":=|[(\[{⟨⦃)\]}⟩⦄]|^[ \t]*\||^\s*begin\b", re.MULTILINE)


def _lean_said(text: str, start: int, end: int) -> int:
    """Where the statement ends: at `:=` outside of brackets, at the first case, or with the whole."""
    depth = 0
    for found in _LEAN_MARK.finditer(text, start, end):
        mark = found[0].strip()
        if mark in _OPEN:
            depth += 1
        elif mark in _CLOSE:
            depth -= 1
        elif depth <= 0:
            return found.start()
    return end


def _isabelle(text: str) -> Iterator[Statement]:
    plain, last = _uncommented(text, "isabelle"), 0
    for found in _ISABELLE_HEAD.finditer(plain):
        if found.start() < last:
            continue
        indent = len(found["indent"])
        ends = (c.start() for c in _ISABELLE_COMMAND.finditer(plain, found.end()) if len(c["indent"]) <= indent)
        last = _trimmed(plain, found.start(), next(ends, len(plain)))
        named = _ISABELLE_NAME.match(plain, found.end(), last)
        yield Statement(named["name"] if named else "", found.start(), _isabelle_said(plain, found.end(), last), last)


def _isabelle_said(text: str, start: int, end: int) -> int:
    """Where the statement ends: at the first command of a proof outside of strings and cartouches."""
    at, strings = start, True
    while found := _ISABELLE_PROOF.search(text, at, end):
        mark, at = found[0], found.end()
        if mark == '"':
            closed = _ESCAPED.match(text, found.start(), end) if strings else None
            strings = closed is not None
            at = closed.end() if closed else at
        elif mark in ("\\<open>", "‹"):
            at = _closed(text, at, _CARTOUCHE, end)
        else:
            return found.start()
    return end


def _rocq(text: str) -> Iterator[Statement]:
    if not _ROCQ_WORD.search(text):
        return
    open_: Statement | None = None
    position = 0
    for piece in sentences(text):
        begin = position + len(piece.before)
        position = begin + len(piece.text)
        found = _ROCQ_HEAD.match(piece.text)
        if open_ and (found or _ROCQ_NEXT.match(piece.text)):
            yield open_._replace(end=begin - len(piece.before))
            open_ = None
        if found:
            open_ = Statement(found["name"], begin, position, position)
        elif open_:
            open_ = open_._replace(end=position)
            if _ROCQ_CLOSED.match(piece.text):
                yield open_
                open_ = None
    if open_:
        yield open_._replace(end=len(text))


_FINDERS: dict[str, Callable[[str], Iterator[Statement]]] = {"lean": _lean, "isabelle": _isabelle, "coq": _rocq}
LANGUAGES = tuple(_FINDERS)
"""The languages whose theorems are found."""


class _Lexis(NamedTuple):
    """How a language writes comments and strings. `marks` finds what opens any of them, or is a quote alone."""

    begin: str
    nested: re.Pattern[str]
    marks: re.Pattern[str]
    string: re.Pattern[str]


_ESCAPED = re.compile(r'"(?:[^"\\]|\\[\s\S])*"')
_LEXES = {
    "lean": _Lexis("/-", re.compile("/-|-/"), re.compile(r"""'\\?"'|"|/-|--"""), _ESCAPED),
    "isabelle": _Lexis("(*", re.compile(r"\(\*|\*\)"), re.compile(r'"|\\<open>|‹|\(\*'), _ESCAPED),
    "coq": _Lexis("(*", re.compile(r"\(\*|\*\)"), re.compile(r'"|\(\*'), re.compile(r'"[^"]*"')),
}
_CARTOUCHE = re.compile(r"\\<open>|\\<close>|‹|›")
_OPENS = ("/-", "(*", "\\<open>", "‹")


def _uncommented(text: str, language: str) -> str:
    """The text with blanks in place of the letters of comments: places stay what they were. Comments nest."""
    lexis = _LEXES[language]
    if lexis.begin not in text and (language != "lean" or "--" not in text):
        return text
    pieces, kept, at, strings = [], 0, 0, True
    while found := lexis.marks.search(text, at):
        mark, at = found[0], found.end()
        if mark == '"':
            closed = lexis.string.match(text, found.start()) if strings else None
            strings = closed is not None  # one that never closes is no string, and none comes after it
            at = closed.end() if closed else at
        elif mark in ("\\<open>", "‹"):
            at = _closed(text, at, _CARTOUCHE)
        elif mark in (lexis.begin, "--"):
            at = _closed(text, at, lexis.nested) if mark == lexis.begin else _line_end(text, at)
            pieces += [text[kept : found.start()], _blanked(text[found.start() : at])]
            kept = at
    return "".join([*pieces, text[kept:]])


def _closed(text: str, at: int, marks: re.Pattern[str], end: int | None = None) -> int:
    """Where what opened before `at` closes; `end`, or that of the text, where it does not."""
    depth, end = 1, len(text) if end is None else end
    for found in marks.finditer(text, at, end):
        depth += 1 if found[0] in _OPENS else -1
        if not depth:
            return found.end()
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _blanked(text: str) -> str:
    return "\n".join(" " * len(line) for line in text.split("\n"))


_WORD = r"[^\W\d][\w'!?₀-₉]*(?:\.[^\W\d][\w'₀-₉]*)*"
_TOKEN = re.compile(rf"\\<\^?\w+>|{_WORD}|\d+|\S")
_IS_WORD = re.compile(_WORD)
_SHORT = re.compile(r"[a-zα-ω][0-9₀-₉']*")
_BINDERS = frozenset(
    ["∀", "∃", "λ", "fun", "forall", "exists", "∑", "∏", "⋃", "⋂", "Σ", "Π", "fixes", "%", "let"]
    + ["LEAST", "GREATEST", "THE", "SOME", "SUM", "PROD", "UN", "INT"]
    + [
        f"\\<{name}>"
        for name in ("forall", "exists", "lambda", "Sum", "Prod", "And", "Union", "Inter", "nexists", "some")
    ]
)
_COMPREHENDS = frozenset([".", "|", "∈", "\\<in>"])
"""What follows the variables of a set: `{x. P}`, `{x | P}`, `{x ∈ A | P}`; a colon follows those of any bracket."""
_SECTIONS = frozenset(["fixes", "assumes", "shows", "obtains", "defines", "notes", "constrains"])
_LABELS = frozenset(["assumes", "and", "shows", "obtains", "if"])
_SAME = {
    "→": "->", "\\<rightarrow>": "->", "λ": "fun", "\\<lambda>": "%", "↦": "=>", "≤": "<=", "≥": ">=", "≠": "<>",
    "in": "∈", "ALL": "\\<forall>", "EX": "\\<exists>", "×": "*",
}  # fmt: skip
_WORDS = frozenset(
    ["in", "by", "fun", "if", "then", "else", "let", "with", "of", "at", "and", "forall", "exists", "Type", "Prop"]
)


def said(text: str, language: str) -> str:
    """A digest of what a statement says; `text` may have its keyword, name, and `:= by sorry` or a final full stop."""
    first = next(statements(text, language), None)
    body = _uncommented(text, language)
    if first is not None:
        body = _without_head(body[first.start : first.said].strip(), language)
    return xxhash.xxh3_128_hexdigest(
        "\0".join(_renamed(_tokens(body, language), language)).encode("utf-8", "surrogatepass")
    )


def _without_head(body: str, language: str) -> str:
    """The statement without keyword, name and attributes."""
    if language == "lean":
        found = _LEAN_HEAD.match(body)
        return (
            body[found.end("name") if found and found["kind"] != "example" else found.end("kind") :] if found else body
        )
    if language == "isabelle":
        head = _ISABELLE_HEAD.match(body)
        start = head.end() if head else 0
        named = _ISABELLE_NAME.match(body, start)
        return body[named.end() if named else start :]
    found = _ROCQ_HEAD.match(body)
    return body[found.end() :].rstrip().removesuffix(".") if found else body


def _tokens(body: str, language: str) -> list[str]:
    found = [_SAME.get(token, token) for token in _TOKEN.findall(body)]
    if language != "isabelle":
        return found
    # quotes only group, and labels of assumptions are names that nothing else says
    plain = [token for token in found if token not in ('"', "\\<open>", "\\<close>", "‹", "›")]
    kept: list[str] = []
    for at, token in enumerate(plain):
        label = at and plain[at - 1] in _LABELS and plain[at + 1 : at + 2] == [":"] and plain[at + 2 : at + 3] != [":"]
        colon = token == ":" and at > 1 and plain[at - 2] in _LABELS and plain[at + 1 : at + 2] != [":"]
        if not label and not colon:
            kept.append(token)
    return kept


def _renamed(tokens: list[str], language: str) -> list[str]:
    """The tokens with variables as numbers: a fresh one wherever a name is bound, and for free single letters."""
    numbers: dict[str, str] = {}
    bound = _bound(tokens)
    if language != "isabelle":  # `Lemma a x y : P` binds without brackets
        bound.update(range(_past_words(tokens, 0)))
    count = 0
    result = []
    for at, token in enumerate(tokens):
        stem, dot, rest = token.partition(".")
        if at in bound or (stem not in numbers and _SHORT.fullmatch(stem)):
            numbers[stem] = f"#{count}"
            count += 1
        result.append(numbers[stem] + dot + rest if stem in numbers else token)
    return result


def _bound(tokens: list[str]) -> set[int]:
    """Places where a variable is bound: after a binder, before the colon of a bracket, and at the start of a set."""
    places: set[int] = set()
    section = ""
    for at, token in enumerate(tokens):
        section = token if token in _SECTIONS else section
        # `fixes x y :: nat and f :: "nat => nat"`
        binder = token in _BINDERS or (token == "and" and section == "fixes")
        if not binder and token not in _OPEN and token != "|":
            continue
        first = at + 1
        while binder and first < len(tokens) and tokens[first] in "!'({[⦃⟨":
            first += 1
        end = _past_words(tokens, first, commas=binder and first > at + 1)
        after = tokens[end : end + 1]
        in_set = (token == "{" and not _COMPREHENDS.isdisjoint(after)) or (token == "|" and after == ["."])
        if binder or in_set or (token in _OPEN and after == [":"]):
            places.update(place for place in range(first, end) if tokens[place] != ",")
    return places


def _past_words(tokens: list[str], at: int, commas: bool = False) -> int:
    """Where the run of names that begins at `at` ends; `commas` stand between the names of a pair."""
    while at < len(tokens) and (
        (tokens[at] not in _WORDS and _IS_WORD.fullmatch(tokens[at])) or (commas and tokens[at] == ",")
    ):
        at += 1
    return at
