"""The tests that need no model: length, formulas, accents, web furniture, bare macro definitions.

The limits are those of OpenWebMath's second pass where it had one (100 characters, 1.5 % accented letters).
"""

from __future__ import annotations

import re

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.prose import prose, words

MIN_CHARS = 100
MAX_ACCENTED = 0.015
MAX_BOILERPLATE = 0.06
"""Share of the words."""

_FURNITURE_WORDS = (
    "login logout signup subscribe subscription newsletter cookie cookies advertisement advertising sponsored password "
    "username copyright sitemap javascript browser checkout cart wishlist unsubscribe captcha facebook twitter "
    "instagram pinterest"
)
_FURNITURE = frozenset(_FURNITURE_WORDS.split())
_FORMULA = re.compile(r"(?<![\\$])\$(?!\$)[^$\n]{1,2000}(?<!\\)\$|(?<!\\)\$\$[^$]+\$\$")
_NOT_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def formulas(document: Document) -> int:
    """How many formulas a page has: what its source counted, else what is delimited in its text."""
    found = document.meta.get("found_math")
    return found if isinstance(found, int) else len(_FORMULA.findall(_NOT_CODE.sub(" ", document.text)))


def long_enough(document: Document) -> Document | Drop:
    """Drops a text of fewer than `MIN_CHARS` characters."""
    length = len(document.text.strip())
    return document if length >= MIN_CHARS else Drop(f"too short: {length} characters")


def has_formulas(document: Document) -> Document | Drop:
    """Drops a page without a single formula."""
    return document if formulas(document) else Drop("no formulas")


def few_accents(document: Document) -> Document | Drop:
    """Drops a text with more than `MAX_ACCENTED` accented or non-Latin letters (formulas and code left aside)."""
    text = prose(document.text)
    if text.isascii():
        return document
    letters = [char for char in text if char.isalpha()]
    # Single Greek letters stand for mathematics even in prose.
    foreign = sum(
        ord(char) > 0xBF and not 0x370 <= ord(char) < 0x400 and not 0x2100 <= ord(char) < 0x2200 for char in letters
    )
    foreign -= sum(ord(char) >= 0x1D400 and ord(char) < 0x1D800 for char in letters)
    share = foreign / max(1, len(letters))
    return document if share <= MAX_ACCENTED else Drop(f"too much accented text: {share:.1%}")


def little_boilerplate(document: Document) -> Document | Drop:
    """Drops a text in which the words of web furniture (login, cookies, newsletter) are a notable share."""
    found = words(document.text)
    share = sum(word in _FURNITURE for word in found) / max(1, len(found))
    return document if share <= MAX_BOILERPLATE else Drop(f"boilerplate: {share:.0%} of its words")


def no_macro_lines(document: Document) -> Document:
    """Removes lines that define two or more macros: preambles pasted into a page."""
    if document.text.count("newcommand") < 2:
        return document
    lines = [line for line in document.text.split("\n") if line.count("newcommand") < 2]
    return Document(document.id, "\n".join(lines), document.source, document.meta)
