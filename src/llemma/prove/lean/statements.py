"""Statements as data sets write them: cut off where the proof begins, and taken apart to be stated again."""

from __future__ import annotations

import msgspec

from llemma.core.errors import DataError
from llemma.prove.lean.lexer import Token, Unreadable, tokens

_KEYWORDS = frozenset({"theorem", "lemma", "example"})
_DECLARING = frozenset({":=", "where", "inductive", "structure", "class", "axiom", "opaque", "variable", "theorem"})
_PROOF = ("sorry", "by", ":=")  # how a statement without a proof may end, from the last token on


class Declaration(msgspec.Struct, frozen=True):
    """A statement in pieces: `text[:keyword_at]` stands before the keyword, `text[rest_at:]` behind the name.

    `name` is empty for an `example`.
    """

    text: str
    name: str
    keyword_at: int
    rest_at: int

    def named(self, name: str) -> str:
        """The whole statement as a theorem called `name`."""
        return f"{self.text[: self.keyword_at]}theorem {name}{self.text[self.rest_at :]}"

    def again(self, name: str) -> str:
        """The same proposition under another name, to be stated where this one has been: with what stands before it
        (`open … in`), but not with other declarations."""
        before = self.text[: self.keyword_at]
        if any(token.text in _DECLARING for token in _tokens(before)):
            before = ""
        return f"{before}theorem {name}{self.text[self.rest_at :]}"


def statement(text: str) -> str:
    """`text` without the `:= by sorry`, `:= by`, `:= sorry` or `:=` that it may end with, and without what follows.

    Raises `DataError` for a text that is not Lean.
    """
    found = _tokens(text)
    end = len(found)
    for ending in _PROOF:
        if end and found[end - 1].text == ending:
            end -= 1
            if ending == ":=":
                return text[: found[end - 1].end if end else 0]
    return text[: found[-1].end] if found else ""


def declaration(text: str) -> Declaration:
    """The last theorem, lemma or example of a statement, outside brackets. Raises `DataError` where there is none."""
    found = _tokens(text)
    depth, keyword = 0, None
    for number, token in enumerate(found):
        if token.kind == "symbol":
            depth += (token.text in "([{⟨" or token.text == "@[") - (token.text in ")]}⟩")
        elif token.kind == "word" and token.text in _KEYWORDS and depth == 0:
            keyword = number
    if keyword is None:
        raise DataError("a statement without `theorem`, `lemma` or `example`", where=text[:80])
    opening = found[keyword]
    if opening.text == "example":
        return Declaration(text, "", opening.start, opening.end)
    following = found[keyword + 1] if keyword + 1 < len(found) else None
    if following is None or following.kind != "word":
        raise DataError(f"a {opening.text} without a name", where=text[:80])
    return Declaration(text, following.text, opening.start, following.end)


def _tokens(text: str) -> list[Token]:
    try:
        return tokens(text)
    except Unreadable as error:
        raise DataError(f"a statement that is not Lean: {error}", where=text[:80]) from error
