"""The words of a page's prose: formulas, code and addresses are left aside, and stand as gaps between the words.

Language, score and boilerplate are judged by these, so that no step mistakes dollars and backslashes for content.
"""

from __future__ import annotations

import re
from itertools import islice

GAP = "\0"
"""Stands where something that is no prose was; words on its two sides are no neighbours."""
MAX_CHARS = 500_000
"""What lies beyond does not change what a page is about."""

# Every repetition is bounded or ends at what would begin the next one: no text makes this quadratic.
_CODE = r"```.*?(?:```|\Z)|`[^`\n]{0,2000}`"
_FORMULA = (
    r"(?<!\\)\$\$[^$]{0,8000}\$\$|(?<!\\)\$[^$]{1,4000}\$|\\\((?:[^\\$]|\\[^()])*+\\\)|\\\[(?:[^\\$]|\\[^\[\]])*+\\\]"
)
_ASIDE = re.compile(rf"{_CODE}|{_FORMULA}|https?://\S+|\\[A-Za-z]+\*?", re.DOTALL)
# A run of letters without end (base64, a script without blanks) counts as words of 30 letters.
_WORD = re.compile(r"[^\W\d_]{1,30}(?:['’][^\W\d_]{1,5})?|\0")


def prose(text: str, gap: str = " ") -> str:
    """The text with `gap` in place of formulas, code, addresses and LaTeX commands outside of formulas."""
    return _ASIDE.sub(gap, text[:MAX_CHARS])


def words(text: str) -> list[str]:
    """The words of the prose in lower case."""
    return _WORD.findall(prose(text).lower().replace(GAP, " "))


def words_and_gaps(text: str) -> list[str]:
    """The words of the prose in lower case, with `GAP` where prose is interrupted."""
    return _WORD.findall(prose(text.replace(GAP, " "), f" {GAP} ").lower())


def opening(text: str, chars: int) -> str:
    """The first `chars` letters' worth of prose, as words: enough to tell the language."""
    found: list[str] = []
    size = 0
    for match in islice(_WORD.finditer(prose(text[: 8 * chars]).replace(GAP, " ")), chars):
        found.append(match[0])
        size += len(match[0]) + 1
        if size >= chars:
            break
    return " ".join(found)
