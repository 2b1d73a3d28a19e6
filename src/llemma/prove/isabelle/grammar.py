"""What a model may write as a proof: commands of Isar proofs, known methods and attributes, and nothing that skips,
trusts, redefines or reaches outside.

Comments are left out of the normal form, so none of their characters reaches Isabelle. Terms in quotes are let through
with their characters checked: Isabelle's inner syntax has no way into ML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from llemma.prove.isabelle import words
from llemma.prove.isabelle.tokens import LexicalError, Token, tokenize

LONGEST = 65_536
"""Characters of the longest proof that is read."""

_DEEPEST = 40  # brackets within brackets
_OPEN = {"(": ")", "[": "]"}
_SYMBOLS = frozenset(["(", ")", "[", "]", ",", ":", "::", "=", "|", "-", "_", "!", "?", "+", "<", ">", "\\<equiv>"])
_QUOTED = ("string", "altstring", "cartouche")
# in quotes: no byte that Isabelle's own messages are made with, no half symbol, no escape but of a quote or itself
_TERM = re.compile(r"""(?:[\t\n\r -\[\]-~]|\\<[A-Za-z][A-Za-z0-9_']*>|\\<\^[a-z]+>|\\["\\`])*""")
_CONTROL = re.compile(r"\\<\^[^>]*>?")


class Proof(msgspec.Struct, frozen=True):
    """An allowed proof in normal form: `parts` with a gap between each two."""

    parts: tuple[str, ...]
    commands: int = 1

    @property
    def gaps(self) -> int:
        """The number of steps still to be found."""
        return len(self.parts) - 1

    def filled(self, steps: Sequence[str]) -> str:
        """The proof with `steps` in its gaps, one each."""
        assert len(steps) == self.gaps
        return "".join(part + step for part, step in zip(self.parts, [*steps, ""], strict=True))


class Forbidden(ValueError):
    """The text is not an allowed proof; the message says why."""


def read(text: str, *, sorry_is_gap: bool = False) -> Proof:
    """The allowed proof that `text` is. Raises `Forbidden`.

    With `sorry_is_gap` a `sorry` is a step to be found, as Llemma's checker had it; otherwise it is refused.
    """
    if len(text) > LONGEST:
        raise Forbidden(f"longer than {LONGEST} characters")
    try:
        tokens = tokenize(text.translate(words.UNICODE))
    except LexicalError as error:
        raise Forbidden(str(error)) from None
    gaps = words.GAP | {"sorry"} if sorry_is_gap else words.GAP
    kept = _without_comments(tokens)
    proper = [token for token in kept if token.kind != "space"]
    for token in proper:
        _check_token(token, gaps)
    if not proper:
        raise Forbidden("no proof")
    commands = _commands(proper, gaps)
    for command in commands:
        _check_command(command, gaps)
    return Proof(_split(kept, gaps), len(commands))


def _without_comments(tokens: list[Token]) -> list[Token]:
    """Comments become blanks; so does `\\<comment>` with the text behind it."""
    kept: list[Token] = []
    formal = False
    for token in tokens:
        if token.kind == "space":
            kept.append(token)
        elif token.kind == "comment" or (formal and token.kind == "cartouche"):
            kept.append(Token("space", " ", token.start))
            formal = formal and token.kind == "comment"
        elif formal:
            raise Forbidden("\\<comment> without its text")
        elif token.text == "\\<comment>":
            formal = True
        else:
            kept.append(token)
    return kept


def _check_token(token: Token, gaps: frozenset[str]) -> None:
    if token.kind in _QUOTED:
        return _check_term(token)
    base = token.text.rsplit(".", 1)[-1] if token.kind == "word" else token.text
    if base in words.CHEATS and token.text not in gaps:
        raise Forbidden(f"'{token.text}' {words.CHEATS[base]}")
    if token.text in words.RESERVED:
        raise Forbidden(f"'{token.text}' is no command of a proof")
    if token.text in words.NOTATIONS:
        raise Forbidden(f"'{token.text}' changes how terms are read")
    if token.kind == "symbol" and token.text not in _SYMBOLS | {";"} | words.COMMANDS:
        raise Forbidden(f"'{token.text}' outside of quotes")
    return None


def _check_term(token: Token) -> None:
    for found in _CONTROL.findall(token.text):
        if found not in words.CONTROLS:
            raise Forbidden(f"'{found}' embeds another language")
    if "@{" in token.text:
        raise Forbidden("'@{' embeds another language")
    if not _TERM.fullmatch(token.text):
        raise Forbidden("a character in quotes that is neither ASCII nor a known symbol")


def _commands(tokens: list[Token], gaps: frozenset[str]) -> list[list[Token]]:
    """The tokens of each command; commands are known by their first word wherever it stands, as Isabelle knows them."""
    commands: list[list[Token]] = []
    for token in tokens:
        if token.kind not in _QUOTED and token.text in words.COMMANDS | gaps:
            commands.append([])
        elif not commands:
            raise Forbidden(f"begins with '{token.text}', which is no command of a proof")
        commands[-1].append(token)
    return commands


def _check_command(command: list[Token], gaps: frozenset[str]) -> None:
    name, rest = command[0].text, command[1:]
    if name in gaps | words.ALONE:
        if rest:
            raise Forbidden(f"'{name}' stands alone")
    elif name in words.METHODICAL:
        least, most = {"by": (1, 2), "apply": (1, 1)}.get(name, (0, 1))
        at, methods = 0, 0
        while at < len(rest):
            at, methods = _method(rest, at), methods + 1
        if not least <= methods <= most:
            raise Forbidden(f"'{name}' with {methods} methods")
    else:
        at = 0
        while at < len(rest):
            at = _argument(rest, at)


def _method(tokens: list[Token], at: int, depth: int = 0) -> int:
    """Where the method that begins at `at` ends: a name, or methods with arguments in brackets."""
    if _text(tokens, at) == "(":
        at = _methods(tokens, at + 1, depth + 1)
    else:
        _check_method(tokens[at])
        at += 1
    return _repeats(tokens, at)


def _methods(tokens: list[Token], at: int, depth: int) -> int:
    """Where the methods in brackets end; `at` is behind the bracket."""
    if depth > _DEEPEST:
        raise Forbidden("too many brackets")
    while True:
        at = _method_with_arguments(tokens, at, depth)
        end = _text(tokens, at)
        if end not in (",", ";", "|", ")"):
            raise Forbidden("the brackets of a method are not closed")
        at += 1
        if end == ")":
            return at


def _method_with_arguments(tokens: list[Token], at: int, depth: int) -> int:
    if _text(tokens, at) == "(":
        return _method(tokens, at, depth)
    if at >= len(tokens):
        raise Forbidden("the brackets of a method are not closed")
    _check_method(tokens[at])
    name, at = tokens[at].text, _repeats(tokens, at + 1)
    while _text(tokens, at) not in (None, ",", ";", "|", ")"):
        if name == "use" and _text(tokens, at) == "in":
            return _method_with_arguments(tokens, at + 1, depth)
        at = _argument(tokens, at, depth)
    return at


def _check_method(token: Token) -> None:
    if token.text != "-" and not (token.kind == "word" and token.text in words.METHODS):
        raise Forbidden(f"'{token.text}' is no method that is allowed")


def _repeats(tokens: list[Token], at: int) -> int:
    """Past `?`, `+` and `[2]` behind a method."""
    while True:
        if _text(tokens, at) in ("?", "+"):
            at += 1
        elif _text(tokens, at) == "[" and _text(tokens, at + 2) == "]" and tokens[at + 1].kind == "number":
            at += 3
        else:
            return at


def _argument(tokens: list[Token], at: int, depth: int = 0) -> int:
    """Where one argument ends: a token, or a bracket with all that is in it."""
    text = _text(tokens, at)
    if depth > _DEEPEST:
        raise Forbidden("too many brackets")
    if text == "[":
        return _attributes(tokens, at + 1, depth + 1)
    if text == "(":
        if at + 1 < len(tokens) and tokens[at + 1].kind in _QUOTED:
            raise Forbidden("'(\"...' may be a notation: it changes how terms are read")
        at += 1
        while _text(tokens, at) != ")":
            if at >= len(tokens):
                raise Forbidden("a bracket is not closed")
            at = _argument(tokens, at, depth + 1)
        return at + 1
    if text in (")", "]", ";"):
        raise Forbidden(f"'{text}' without its place")
    return at + 1


def _attributes(tokens: list[Token], at: int, depth: int) -> int:
    """Where the attributes in square brackets end; `at` is behind the bracket."""
    while True:
        if _text(tokens, at) == "[":
            raise Forbidden("'[[' sets an option")
        if at >= len(tokens):
            raise Forbidden("a bracket is not closed")
        if not (tokens[at].kind == "word" and tokens[at].text in words.ATTRIBUTES):
            raise Forbidden(f"'{tokens[at].text}' is no attribute that is allowed")
        at += 1
        while _text(tokens, at) not in (None, ",", "]"):
            at = _argument(tokens, at, depth)
        at += 1
        if at > len(tokens):
            raise Forbidden("a bracket is not closed")
        if tokens[at - 1].text == "]":
            return at


def _text(tokens: list[Token], at: int) -> str | None:
    """The text of a token that is not quoted, None behind the last one."""
    if at >= len(tokens):
        return None
    return "" if tokens[at].kind in _QUOTED else tokens[at].text


def _split(tokens: list[Token], gaps: frozenset[str]) -> tuple[str, ...]:
    parts = [""]
    for token in tokens:
        if token.kind == "word" and token.text in gaps:
            parts.append("")
        else:
            parts[-1] += token.text
    return (parts[0].lstrip(), *parts[1:-1], parts[-1].rstrip()) if len(parts) > 1 else (parts[0].strip(),)
