"""The seventeen languages of AlgebraicStack: one table, one small function a language and rule set.

Two rule sets (Llemma, appendix A.1). `default` does what the paper means. `published` is what its scripts do, slips
included; each slip is named beside the rule that has it. A recipe chooses by the step's name: `algebraic-stack` or
`algebraic-stack-llemma`. A document's language is that of its meta, which sources take from name and content.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from llemma.core.types import Document, Drop
from llemma.corpus.languages import default, published

Rule = Callable[[Document], Document | Drop]


class Language(msgspec.Struct, frozen=True):
    """A language of the corpus: its rule in each set. `published` where the paper's scripts had none is `standard`."""

    default: Rule
    published: Rule


TABLE: dict[str, Language] = {
    "agda": Language(default.agda, published.standard),
    "c": Language(default.c, published.c),
    "cpp": Language(default.cpp, published.cpp),
    "coq": Language(default.coq, published.coq),
    "fortran": Language(default.fortran, published.standard),
    "gap": Language(default.gap, published.standard),
    "haskell": Language(default.haskell, published.haskell),
    "idris": Language(default.idris, published.standard),
    "isabelle": Language(default.isabelle, published.isabelle),
    "julia": Language(default.julia, published.julia),
    "jupyter": Language(default.jupyter, published.jupyter),
    "lean": Language(default.lean, published.lean),
    "maple": Language(default.maple, published.maple),
    "matlab": Language(default.matlab, published.matlab),
    "python": Language(default.python, published.python),
    "r": Language(default.r, published.r),
    "tex": Language(default.tex, published.tex),
}
"""The languages by the names that sources give them."""

_ALIASES = {"c++": "cpp", "jupyter-notebook": "jupyter", "jupyter notebook": "jupyter", "rocq": "coq", "latex": "tex"}


def named(language: str) -> str:
    """Our name for a language as data sets write it: `Jupyter Notebook` is `jupyter`, `C++` is `cpp`."""
    plain = language.strip().lower()
    return _ALIASES.get(plain, plain)


def algebraic_stack(document: Document) -> Document | Drop:
    """Keep what belongs to AlgebraicStack by the rules of its language, the faults of the published ones mended."""
    known = TABLE.get(str(document.meta.get("language")))
    return known.default(document) if known else _foreign(document)


def algebraic_stack_llemma(document: Document) -> Document | Drop:
    """Keep what the paper's own scripts would have kept, faults included."""
    known = TABLE.get(str(document.meta.get("language")))
    return known.published(document) if known else _foreign(document)


def _foreign(document: Document) -> Drop:
    return Drop(f"no language of AlgebraicStack: {document.meta.get('language', 'none')}")
