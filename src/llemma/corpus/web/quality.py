"""Document steps for web pages: each a plain function that keeps a document or says why not.

The limits are those of OpenWebMath's second pass where it had one (100 characters, 1.5 % accented letters); the
language
test needs no model: English prose is a third function words, formulas and code left aside.
"""

from __future__ import annotations

import re

from llemma.core.types import Document, Drop

MIN_CHARS = 100
MAX_ACCENTED = 0.015
MIN_FUNCTION_WORDS = 0.15
"""Share of the words; English mathematical prose has 0.3 to 0.5, other languages below 0.05, bare word lists below
0.1."""
MIN_WORDS = 20
"""Words needed to tell the language; a page of formulas with fewer is kept."""
MAX_BOILERPLATE = 0.06
"""Share of the words."""

_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|(?<!\\)\$\$.*?\$\$|(?<!\\)\$[^$]*\$|`[^`\n]*`|https?://\S+", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "to",
        "is",
        "that",
        "for",
        "it",
        "with",
        "as",
        "be",
        "this",
        "by",
        "are",
        "from",
        "or",
        "which",
        "we",
        "not",
        "have",
        "has",
        "can",
        "if",
        "then",
        "but",
        "all",
        "there",
        "when",
        "one",
        "how",
        "what",
        "where",
        "more",
        "than",
        "these",
        "those",
        "its",
        "their",
        "they",
        "you",
        "your",
        "our",
        "will",
        "would",
        "was",
        "were",
        "been",
        "each",
        "any",
        "every",
        "let",
        "such",
    ]
)
_FURNITURE = frozenset(
    [
        "login",
        "logout",
        "signup",
        "subscribe",
        "subscription",
        "newsletter",
        "cookie",
        "cookies",
        "advertisement",
        "advertising",
        "sponsored",
        "password",
        "username",
        "copyright",
        "sitemap",
        "javascript",
        "browser",
        "checkout",
        "cart",
        "wishlist",
        "unsubscribe",
        "captcha",
        "facebook",
        "twitter",
        "instagram",
        "pinterest",
    ]
)
_FORMULA = re.compile(r"(?<![\\$])\$(?!\$)[^$\n]{1,2000}(?<!\\)\$|(?<!\\)\$\$[^$]+\$\$")


def long_enough(document: Document) -> Document | Drop:
    """Drops a text of fewer than `MIN_CHARS` characters."""
    length = len(document.text.strip())
    return document if length >= MIN_CHARS else Drop(f"too short: {length} characters")


def has_formulas(document: Document) -> Document | Drop:
    """Drops a page without a single formula."""
    found = document.meta.get("found_math")
    count = found if isinstance(found, int) else len(_FORMULA.findall(_NOT_CODE.sub(" ", document.text)))
    return document if count else Drop("no formulas")


_NOT_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def english(document: Document) -> Document | Drop:
    """Drops a text whose prose is not English."""
    words = _words(document.text)
    if len(words) < MIN_WORDS:
        return document
    share = sum(word in _ENGLISH for word in words) / len(words)
    return document if share >= MIN_FUNCTION_WORDS else Drop(f"not English: {share:.0%} function words")


def few_accents(document: Document) -> Document | Drop:
    """Drops a text with more than `MAX_ACCENTED` accented or non-Latin letters (formulas and code left aside)."""
    prose = _NOT_PROSE.sub(" ", document.text)
    if prose.isascii():
        return document
    letters = [char for char in prose if char.isalpha()]
    # Single Greek letters stand for mathematics even in prose.
    foreign = sum(
        ord(char) > 0xBF and not 0x370 <= ord(char) < 0x400 and not 0x2100 <= ord(char) < 0x2200 for char in letters
    )
    foreign -= sum(ord(char) >= 0x1D400 and ord(char) < 0x1D800 for char in letters)
    share = foreign / max(1, len(letters))
    return document if share <= MAX_ACCENTED else Drop(f"too much accented text: {share:.1%}")


def little_boilerplate(document: Document) -> Document | Drop:
    """Drops a text in which the words of web furniture (login, cookies, newsletter) are a notable share."""
    words = _words(document.text)
    share = sum(word in _FURNITURE for word in words) / max(1, len(words))
    return document if share <= MAX_BOILERPLATE else Drop(f"boilerplate: {share:.0%} of its words")


def _words(text: str) -> list[str]:
    return _WORD.findall(_NOT_PROSE.sub(" ", text).lower())
