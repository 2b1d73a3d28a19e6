"""Lean source cut into tokens, as Lean's own tokeniser cuts it (`Lean/Parser/Basic.lean`, `Init/Meta.lean`).

Where versions of Lean differ on what a letter is, a character ends a word here: then no word can hide another.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Kind = Literal["word", "number", "string", "character", "symbol"]
# letters beyond ASCII that every Lean 4 takes for part of a name: Greek but λ Π Σ, letter-like signs, script, Fraktur
_GREEK = "\u03b1-\u03ba\u03bc-\u03c9\u0391-\u039f\u03a1\u03a4-\u03a9\u03ca-\u03fb\u1f00-\u1ffe"
_LETTERLIKE = f"{_GREEK}\u2100-\u214f\U0001d49c-\U0001d59f"
_SUBSCRIPTS = "\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a"
_PART = rf"(?:[A-Za-z_{_LETTERLIKE}][A-Za-z0-9_'!?{_LETTERLIKE}{_SUBSCRIPTS}]*|«[^»\n]*»)"
_WORD = re.compile(rf"{_PART}(?:\.{_PART})*")
_NUMBER = re.compile(r"[0-9]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CHARACTER = re.compile(r"'(?:[^'\\]|\\(?:x..|u\{[0-9A-Fa-f]+\}|u....|.))'", re.DOTALL)
_SYMBOL = re.compile(r"<;>|:=|=>|@\[|.", re.DOTALL)
_COMMENT_EDGE = re.compile(r"/-|-/")
_DEEPEST = 1000


class Token(msgspec.Struct, frozen=True):
    """A piece of a text: `text[start:end]`, `first` of its line or not, in `column` (from 0)."""

    kind: Kind
    text: str
    start: int
    column: int
    first: bool

    @property
    def end(self) -> int:
        """Where the piece ends."""
        return self.start + len(self.text)

    @property
    def parts(self) -> list[str]:
        """The parts of a dotted name, without guillemets."""
        return [part.strip("«»") for part in re.split(r"\.(?![^«]*»)", self.text)]


class Unreadable(ValueError):
    """A text that Lean would not read either, or that hides how it reads."""


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, comments left out. Raises `Unreadable`."""
    found: list[Token] = []
    at, line = 0, 0
    while at < len(text):
        if text[at] in " \n":
            at += 1
            line = at if text[at - 1] == "\n" else line
        elif text.startswith("--", at):
            at = _line_end(text, at)
        elif text.startswith("/-", at):
            at = _comment_end(text, at)
            line = text.rfind("\n", 0, at) + 1
        else:
            token = _token(text, at, line, first=not found or "\n" in text[found[-1].end : at])
            found.append(token)
            at = token.end
            line = text.rfind("\n", 0, at) + 1 if "\n" in token.text else line
    return found


def without_comments(text: str) -> str:
    """The same text with every comment blanked out, so that columns stay. Raises `Unreadable`."""
    kept = [" "] * len(text)
    for token in tokens(text):
        kept[token.start : token.end] = token.text
    return "".join("\n" if char == "\n" else kept[at] for at, char in enumerate(text))


def _token(text: str, at: int, line: int, *, first: bool) -> Token:
    char = text[at]
    if char == '"':
        return Token("string", _matched(_STRING, text, at, "a string without an end"), at, at - line, first)
    if char == "'" and (match := _CHARACTER.match(text, at)):
        return Token("character", match[0], at, at - line, first)
    if match := _WORD.match(text, at):
        return Token("word", match[0], at, at - line, first)
    if match := _NUMBER.match(text, at):
        return Token("number", match[0], at, at - line, first)
    if char == "«":
        raise Unreadable("a name in guillemets without an end")
    if not char.isprintable():
        raise Unreadable(f"the character U+{ord(char):04X}")
    return Token("symbol", _matched(_SYMBOL, text, at, ""), at, at - line, first)


def _matched(pattern: re.Pattern[str], text: str, at: int, otherwise: str) -> str:
    match = pattern.match(text, at)
    if match is None:
        raise Unreadable(otherwise)
    return match[0]


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _comment_end(text: str, at: int) -> int:
    """Behind a block comment, which may hold others. What documents a command is none of ours."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/-" else -1
        if depth == 0:
            return edge.end()
        if depth > _DEEPEST:
            break
    raise Unreadable("a comment without an end")
