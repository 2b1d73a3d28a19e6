"""Isar's outer syntax as tokens: text in, tokens out whose texts, put together, are the text again.

As `src/Pure/Isar/token.ML` and `src/Pure/General/symbol_pos.ML` of the Isabelle sources scan it, but for what depends
on a table of keywords: a command and a name are both `word` here.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Kind = Literal["space", "comment", "word", "variable", "type", "number", "symbol", "string", "altstring", "cartouche"]


class Token(msgspec.Struct, frozen=True):
    """A piece of source text. `start` counts characters from 0.

    `word`: an identifier, also a long one (`Groups.add_0`). `variable`: `?x`. `type`: `'a`. `symbol`: punctuation, one
    token a keyword as far as we must know (`..` is one). Quotes of strings and cartouches are part of `text`.
    """

    kind: Kind
    text: str
    start: int

    @property
    def content(self) -> str:
        """A string or cartouche without its quotes; other tokens as they are."""
        if self.kind in ("string", "altstring"):
            return self.text[1:-1]
        if self.kind == "cartouche":
            return self.text[len(OPEN) : -len(CLOSE)]
        return self.text


class LexicalError(ValueError):
    """The text is no sequence of tokens: something is not closed, or a character has no place outside of strings."""


OPEN, CLOSE = "\\<open>", "\\<close>"

# one symbol of Isabelle: `\<name>`, `\<^name>`, or one character
_SYMBOL = re.compile(r"\\<\^?[A-Za-z][A-Za-z0-9_']*>|.", re.DOTALL)
_ESCAPED = re.compile(r'["`]|\\(?!<)|[0-9]{3}')
# the letters of identifiers that are symbols: Greek but lambda, and the letter-like alphabets (Symbol.is_letter)
_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega|Lambda"
)
_LETTER = rf"(?:[A-Za-z]|\\<(?:{_GREEK}|[A-Za-z]|[A-Za-z]{{2}})>)"
_NAME = rf"{_LETTER}(?:{_LETTER}|[0-9_']|\\<\^sub>(?={_LETTER}|[0-9]))*"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("space", re.compile(r"[ \t\r\n\f\v]+")),
    ("variable", re.compile(rf"\?{_NAME}(?:\.[0-9]+)?")),
    ("type", re.compile(rf"\??'{_NAME}(?:\.[0-9]+)?")),
    ("word", re.compile(rf"{_NAME}(?:\.{_NAME})*")),
    ("number", re.compile(r"[0-9]+(?:\.[0-9]+)?")),
    ("symbol", re.compile(r"\.\.|::|\\<\^?[A-Za-z][A-Za-z0-9_']*>|[!#$%&*+\-/<=>?@^_|~.,:;()\[\]{}]")),
)


def tokenize(text: str) -> list[Token]:
    """All tokens of `text`, spaces and comments included. Raises `LexicalError`."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        token = _token(text, at)
        tokens.append(token)
        at += len(token.text)
    return tokens


def _token(text: str, at: int) -> Token:
    first = text[at]
    if first in '"`':
        return Token("string" if first == '"' else "altstring", text[at : _end_of_string(text, at)], at)
    if text.startswith("(*", at):
        return Token("comment", text[at : _end_of_comment(text, at)], at)
    if text.startswith(OPEN, at):
        return Token("cartouche", text[at : _end_of_cartouche(text, at)], at)
    if text.startswith("{*", at):
        raise LexicalError("verbatim text `{* ... *}`")
    for kind, pattern in _PATTERNS:
        found = pattern.match(text, at)
        if found and found.group() != CLOSE:
            return Token(kind, found.group(), at)
    raise LexicalError(f"{text[at : at + 10]!r} has no place outside of strings")


def _end_of_string(text: str, at: int) -> int:
    quote = text[at]
    end = at + 1
    while end < len(text):
        symbol = _symbol(text, end)
        end += len(symbol)
        if symbol == quote:
            return end
        if symbol == "\\":
            escape = _ESCAPED.match(text, end)
            if escape is None:
                raise LexicalError("a backslash in a string that protects nothing")
            end = escape.end()
    raise LexicalError("a string is not closed")


def _end_of_comment(text: str, at: int) -> int:
    depth, end = 0, at
    while end < len(text):
        pair = text[end : end + 2]
        if pair == "(*":
            depth, end = depth + 1, end + 2
        elif pair == "*)":
            depth, end = depth - 1, end + 2
            if not depth:
                return end
        else:
            end += 1
    raise LexicalError("a comment is not closed")


def _end_of_cartouche(text: str, at: int) -> int:
    depth, end = 0, at
    while end < len(text):
        symbol = _symbol(text, end)
        depth += (symbol == OPEN) - (symbol == CLOSE)
        end += len(symbol)
        if not depth:
            return end
    raise LexicalError("a cartouche is not closed")


def _symbol(text: str, at: int) -> str:
    found = _SYMBOL.match(text, at)
    assert found is not None
    return found.group()


def is_proper(token: Token) -> bool:
    """Whether Isabelle looks at the token: neither space nor comment."""
    return token.kind not in ("space", "comment")
