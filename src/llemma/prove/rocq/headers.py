"""A theorem's header and statement as sentences, fitted to the installed version.

Data sets are written for one version of Rocq. What differs is mended here by rules on the header alone, each of which
says for which versions it is; the statement is never touched.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec

from llemma.prove.prover import Refused
from llemma.prove.theorem import Theorem
from llemma.tools.coq import MEND, Coq
from llemma.tools.coq_text import Piece, sentences, uncommented

RULES = 1
"""Raised when a rule changes: what was proved under other rules is proved again."""

_STATEMENT = re.compile(r"(?:Theorem|Lemma|Fact|Remark|Corollary|Proposition|Example)\s+([^\W\d][\w']*)")
_STDLIB = re.compile(r"\bStdlib\b(?=\s+Require|\.)")
_REQUIRE = re.compile(r"(?:From\s+[\w.']+\s+)?Require\b")
_ASSUMES = re.compile(r"(?:Local\s+|Global\s+)?(?:Axioms?|Conjectures?|Parameters?|Hypothes[ie]s|Variables?)\s")
_DECLARED = re.compile(r"\(?\s*([^\W\d][\w']*(?:\s+[^\W\d][\w']*)*)\s*:")
# Coquelicot defines powers of complex numbers since 3.3; this is the same function
_POWERS = (
    "Fixpoint Cpow (z : C) (n : nat) {struct n} : C := "
    "match n with O => RtoC Rdefinitions.R1 | S m => Cmult z (Cpow z m) end.",
    'Infix "^" := Cpow : C_scope.',
)


class Stated(msgspec.Struct, frozen=True):
    """A theorem as Rocq is told it: header sentences, its statement, its name, and what the header itself assumes."""

    header: tuple[str, ...]
    statement: str
    name: str
    assumed: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.header, self.statement)


def stated(theorem: Theorem, coq: Coq) -> Stated | Refused:
    """The sentences that state `theorem` under this version; `Refused` where header or statement are not sentences."""
    header = _whole(sentences(theorem.header))
    if header is None:
        return Refused("error", "the header ends within a sentence")
    pieces = sentences(theorem.statement)
    if pieces and not pieces[-1].complete:
        pieces = sentences(f"{theorem.statement.rstrip()}.")  # a full stop was left out
    statement = _whole(pieces)
    if statement is None or len(statement) != 1:
        return Refused("error", "the statement must be one sentence, up to its full stop")
    named = _STATEMENT.match(uncommented(statement[0]) or "")
    if named is None:
        return Refused("error", "the statement must begin with Theorem, Lemma or the like, and a name")
    fitted = tuple(fit(header, coq))
    return Stated(fitted, statement[0], named[1], tuple(name for line in fitted for name in _declared(line)))


def fit(header: list[str], coq: Coq) -> list[str]:
    """The sentences of a header for this version. Rules:

    - the decision procedures (`lia`, `lra`, `nia`, `nra`) are imported before all else: few headers do, and a proof
      needs them. That file exports no notation and no other name, so no statement changes its meaning;
    - before 9.0 the standard library is called `Coq`, not `Stdlib`;
    - Coquelicot before 3.3 has no powers of complex numbers: they are defined after its import.
    """
    header = ["From Stdlib Require Import Psatz.", *header]
    if coq.version < (9,):
        header = [_STDLIB.sub("Coq", line) if is_import(line) else line for line in header]
    last = max((place for place, line in enumerate(header) if is_import(line) and "Coquelicot" in line), default=-1)
    if last >= 0 and not _has_powers(coq):
        header = [*header[: last + 1], *_POWERS, *header[last + 1 :]]
    return header


def is_import(sentence: str) -> bool:
    """Whether a sentence loads a library."""
    return _REQUIRE.match(sentence) is not None


def absent_library(why: str) -> str | None:
    """What to do when Rocq says `why` of an import: the library's name and how to get it. None for other errors."""
    found = re.search(r"(?:bound to logical path|matching logical path|load path(?: for)?|library)\s+([\w.']+)", why)
    if found is None or "annot find" not in why:
        return None
    library = found[1].rstrip(".")
    package = "libcoq-mathcomp" if library.startswith("mathcomp") else f"libcoq-{library.split('.')[0].lower()}"
    return f"library '{library}' is not installed (apt-get install {package}, or see: {MEND}): {why}"


@functools.cache
def _has_powers(coq: Coq) -> bool:
    """Whether the installed Coquelicot defines `Cpow`: the name stands in its compiled file."""
    for root in coq.libraries:
        compiled = Path(root) / "user-contrib" / "Coquelicot" / "Complex.vo"
        if compiled.is_file():
            return b"Cpow" in compiled.read_bytes()
    return True


def _whole(pieces: list[Piece]) -> list[str] | None:
    if any(piece.text and not piece.complete for piece in pieces):
        return None
    return [piece.text for piece in pieces if piece.text]


def _declared(sentence: str) -> list[str]:
    """The names that a sentence of the header assumes: what the data set takes for granted is part of its statement.
    A theorem that the header leaves `Admitted` is not among them."""
    text = uncommented(sentence) or ""
    if not _ASSUMES.match(text):
        return []
    found = _DECLARED.match(text, _ASSUMES.match(text).end())  # type: ignore[union-attr]
    return found[1].split() if found else []
