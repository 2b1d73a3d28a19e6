"""Which texts of a model reach Lean: one tactic, or a proof made of tactics, and nothing that is more than that.

What passes is rewritten from the tokens that were looked at: comments are gone, lines lie below each other. So nothing
can hide in what Lean reads differently from us.
"""

from __future__ import annotations

import textwrap

from llemma.prove.lean.lexer import Token, Unreadable, tokens, without_comments
from llemma.prove.lean.words import ANYWHERE, REASONS, TACTICS, THEN_TACTIC

LONGEST_TACTIC = 8_000
LONGEST_PROOF = 200_000
"""Characters."""

DEEPEST = 100
"""Brackets within brackets; Lean's parser works on a stack."""

_CLOSING = {")": "(", "]": "[", "}": "{", "⟩": "⟨", "⟫": "⟪", "⦄": "⦃", "⟧": "⟦"}
_OPENING = frozenset(_CLOSING.values()) | {"@["}
_STARTS = frozenset("({·.")
"""Symbols that a tactic follows where a tactic is due."""

_CONTINUES = frozenset("|_)]}⟩") | {"<;>"}
"""First tokens of a line that goes on with the tactic above it: an alternative, a step of `calc`, a closed bracket."""

_SUGGESTING = frozenset(f"{name}?" for name in TACTICS) | {"rw_search", "simp?!", "simpa?!", "aesop?"}
_EVALUATING = frozenset({"eval"})


class Forbidden(Exception):
    """A text that the grammar refuses, with the reason."""


def tactic(text: str) -> str:
    """The one tactic that `text` is, in normal form. Raises `Forbidden`."""
    return _allowed(text, LONGEST_TACTIC, several=False)


def proof(text: str) -> str:
    """The tactics that `text` is, one below the other, in normal form. Raises `Forbidden`."""
    return _allowed(text, LONGEST_PROOF, several=True)


def _allowed(text: str, longest: int, *, several: bool) -> str:
    if len(text) > longest:
        raise Forbidden(f"longer than {longest} characters")
    try:
        normal = _normal(text)
        found = tokens(normal)
    except Unreadable as error:
        raise Forbidden(f"not Lean: {error}") from error
    if not found:
        raise Forbidden("there is no tactic")
    for before, token in zip([None, *found], found, strict=False):
        _check_token(before, token)
    _check_heads(found, _depths(found), several=several)
    return normal


def _normal(text: str) -> str:
    """Without comments, empty lines, spaces at ends of lines and common indentation."""
    lines = [line.rstrip() for line in without_comments(text.replace("\r\n", "\n")).split("\n")]
    return textwrap.dedent("\n".join(line for line in lines if line))


def _check_token(before: Token | None, token: Token) -> None:
    touching = before is not None and before.end == token.start
    if token.kind in ("string", "character"):
        raise Forbidden("a string or a character: proof steps need none")
    if token.kind == "word":
        _check_word(token)
        if touching and before is not None and before.text == "#" and len(token.parts[0]) > 2:
            raise Forbidden(f"'#{token.text}' is a command")
    if token.text == "@[":
        raise Forbidden("'@[' begins an attribute")
    if token.text == "`":
        raise Forbidden("a quotation belongs to a program")
    if token.text == "%" and touching and before is not None and before.text in _EVALUATING:
        raise Forbidden(f"'{before.text}%': it runs a program")


def _check_word(token: Token) -> None:
    parts = token.parts
    refused = next((part for part in parts if part in ANYWHERE), parts[0])
    if refused in REASONS:
        raise Forbidden(f"'{refused}': {REASONS[refused]}")
    if token.text in _SUGGESTING:
        raise Forbidden(f"'{token.text}': it searches and suggests, and proves nothing itself")


def _depths(found: list[Token]) -> list[int]:
    """How many brackets are open before each token. Raises `Forbidden` where they do not match."""
    opened: list[str] = []
    depths = []
    for token in found:
        depths.append(len(opened))
        if token.kind != "symbol":
            continue
        if token.text in _OPENING:
            opened.append(token.text)
            if len(opened) > DEEPEST:
                raise Forbidden(f"more than {DEEPEST} brackets within each other")
        elif token.text in _CLOSING and (not opened or opened.pop() != _CLOSING[token.text]):
            raise Forbidden(f"a '{token.text}' that closes nothing")
    if opened:
        raise Forbidden(f"a '{opened[-1]}' that is not closed")
    return depths


def _check_heads(found: list[Token], depths: list[int], *, several: bool) -> None:
    """Wherever a tactic is due for certain, one that is allowed must stand; elsewhere the words decide."""
    due = True
    for number, (token, depth) in enumerate(zip(found, depths, strict=True)):
        if number and token.first and depth == 0 and token.column == 0 and token.text not in _CONTINUES:
            if not several:
                raise Forbidden("more than one tactic")
            due = True
        if due:
            if token.kind == "symbol" and token.text in _STARTS:
                continue
            if token.text not in TACTICS:
                raise Forbidden(f"'{token.text}' is no tactic that is allowed")
        due = _tactic_follows(found, number, depth)


def _tactic_follows(found: list[Token], number: int, depth: int) -> bool:
    token = found[number]
    if token.text == "<;>" or (token.kind == "word" and token.text in THEN_TACTIC):
        return True
    if token.text == "|":
        return number > 0 and found[number - 1].text == "first"
    return token.text == "·" and token.first and depth == 0
