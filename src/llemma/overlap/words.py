"""What counts as a word, and documents of any length as windows of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from llemma.core.errors import UsageError, suggest

T = TypeVar("T")
Splitter = Callable[[str], list[str]]

WINDOW = 1 << 20
"""Characters split at a time: a document of 100 MB never stands in memory as words."""

_SPACE = re.compile(r"\s")  # `\s` of re and the blanks of `str.split` are one property of Unicode (tested)
_UNIT = re.compile(r"\\(?:[A-Za-z]+|\S)?|\d+(?:\.\d+)?|[^\W\d_]+|[^\s\w]|_|\w")
_KNOWN, _LONG = 200_000, 100  # words remembered, and their letters at most: some tens of megabytes

_SPACING = r"""
    \, \; \: \! \> \/ \\ \ ~ & \& \quad \qquad \enspace \enskip \thinspace \medspace \thickspace \negthinspace
    \allowbreak \nolinebreak \linebreak \newline \noindent \hfill \hfil
"""
_DRESS = r"""
    \left \right \middle \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr
    \displaystyle \textstyle \scriptstyle \limits \nolimits \text \textbf \textit \textrm \mathrm \mathbf \mathit
    \mathsf \boldsymbol \bm \mbox \operatorname \emph \rm \bf \it
    $ \$ \( \) \[ \] { }
"""
_PUNCTUATION = r""" . , ; : ! ? ' " ` ´ ‘ ’ “ ” „ « » ¿ ¡ … \ldots \dots \cdots \dotsc \dotsb """
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_NOTHING = frozenset([*_SPACING.split(), *_DRESS.split(), *_PUNCTUATION.split(), *_UNSEEN])
_SAME = {
    **dict.fromkeys([r"\dfrac", r"\tfrac", r"\cfrac"], r"\frac"),
    **dict.fromkeys([r"\dbinom", r"\tbinom"], r"\binom"),
    **dict.fromkeys([r"\leq", r"\leqslant", "≤"], r"\le"),
    **dict.fromkeys([r"\geq", r"\geqslant", "≥"], r"\ge"),
    **dict.fromkeys([r"\neq", "≠"], r"\ne"),
    **dict.fromkeys([r"\rightarrow", "→"], r"\to"),
    **dict.fromkeys(["−", "–", "—", "‐", "‑"], "-"),
    **dict.fromkeys(["·", "⋅"], r"\cdot"),
    **dict.fromkeys([r"\lvert", r"\rvert", r"\vert"], "|"),
    "×": r"\times",
    "÷": r"\div",
    "±": r"\pm",
    "√": r"\sqrt",
    "π": r"\pi",
    "∞": r"\infty",
    "∈": r"\in",
    r"\%": "%",
    r"\#": "#",
    r"\_": "_",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
}


class _Units(dict[str, tuple[str, ...]]):
    """Remembers the units of each word: no unit holds a blank, and nearly every word was seen before."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = tuple(_SAME.get(unit, unit) for unit in _UNIT.findall(word) if unit not in _NOTHING)
        if len(self) >= _KNOWN:
            self.clear()
        if len(word) <= _LONG:
            self[word] = found
        return found


_units = _Units()


def units(word: str) -> tuple[str, ...]:
    """The units of one word."""
    return _units[word]


def whitespace(text: str) -> list[str]:
    """`str.split()`, as published: words as they stand, with their case and punctuation."""
    return text.split()


def normal(text: str) -> list[str]:
    r"""Units that see through LaTeX's spacing and punctuation, so that `$x^{2}\,,$` and `\(x^2\)` are one.

    A unit is a run of letters, a number with its decimals, a LaTeX command, or one symbol. Left out: blanks, spacing
    commands, `\left` and its like, font commands, dollar signs and the other delimiters of formulas, braces and `&`,
    punctuation, dots, quotes, invisible letters. Ways of writing one thing are one unit: `\dfrac` and `\frac`, `≤`
    and `\leq` and `\le`, the dashes and the minus sign. Case, order, and every other symbol count.
    """
    return list(chain.from_iterable(map(_units.__getitem__, text.split())))


SPLITTERS: dict[str, Splitter] = {"whitespace": whitespace, "normal": normal}


def splitter(name: str) -> Splitter:
    """The tokenisation called `name`; raises `UsageError` with the names there are."""
    if name not in SPLITTERS:
        known = suggest(name, SPLITTERS) or f"there are {', '.join(SPLITTERS)}"
        raise UsageError(f"no tokenisation '{name}'", where="--tokens", mend=known)
    return SPLITTERS[name]


class Window(NamedTuple, Generic[T]):
    """Words `offset`, `offset + 1`, ... of a document; it is answerable for what begins in `[first, last)` of them.

    Beyond these it holds `margin` words on both sides, or as many as the document has.
    """

    words: list[T]
    first: int
    last: int
    offset: int


def windows(text: str, split: Callable[[str], list[T]], margin: int, size: int = WINDOW) -> Iterator[Window[T]]:
    """A document as windows: every word is in `[first, last)` of exactly one. Most documents are one window.

    `split` gives words, or something for each word; no word may hold a blank."""
    words: list[T] = []
    first = offset = 0
    for piece, final in _pieces(text, size):
        words += split(piece)
        last = len(words) if final else max(first, len(words) - margin)
        if last > first:
            yield Window(words, first, last, offset)
        cut = max(0, last - margin)
        words, first, offset = words[cut:], last - cut, offset + cut


def _pieces(text: str, size: int) -> Iterator[tuple[str, bool]]:
    """The text cut at blanks into pieces of about `size` characters, and whether a piece is the last."""
    start = 0
    while start + size < len(text):
        blank = _SPACE.search(text, start + size)
        if blank is None:
            break
        yield text[start : blank.start()], False
        start = blank.end()
    yield (text[start:] if start else text), True
