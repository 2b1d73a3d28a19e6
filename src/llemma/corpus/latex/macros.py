"""Macros of a paper: definitions collected, calls expanded with their arguments, within bounds."""

from __future__ import annotations

import re
from typing import NamedTuple

from llemma.corpus.latex.scan import VERBATIM, Ends, argument, bracket, group, skip_blanks

MAX_DEPTH = 25
"""Calls inside calls; a macro that calls itself stops here."""
MAX_GROWTH = 6
"""Expanded text may be this many times as long as the text (plus 1 MB); past that, calls stay as they are."""


class Macro(NamedTuple):
    """`arity` arguments, the first of them optional when `default` is a string."""

    arity: int
    default: str | None
    body: str


_DEFINITION = re.compile(
    r"\\(?P<new>(?:re)?newcommand|providecommand|DeclareRobustCommand|newcommandx)(?![A-Za-z])\*?"
    r"|\\(?P<operator>DeclareMathOperator)(?![A-Za-z])(?P<star>\*?)|\\(?P<define>[gex]?def)(?=\s*\\)|\\(?P<let>let)(?=\s*\\)"
)
_NAME = re.compile(r"\s*(?:\{\s*\\([A-Za-z@]+)\s*\}|\\([A-Za-z@]+))")
_LET = re.compile(r"\s*\\([A-Za-z@]+)\s*=?\s*(\\[A-Za-z@]+)")
_PARAMETERS = re.compile(r"(?:\s*#[1-9])*\s*(?=\{)")
# Bodies that program TeX instead of naming something; expanding them would give noise.
_PROGRAM = re.compile(
    r"\\(?:expandafter|csname|futurelet|if[a-z@]*|else|fi|begingroup|bgroup|global|let|[gex]?def|newcommand|catcode|@[A-Za-z@]*"
    r"|setcounter|addtocounter|stepcounter|refstepcounter|setlength|addtolength|write|read|loop|protect|xspace@)(?![A-Za-z])"
)
# Structure must stay readable even where a paper restyles it.
_KEEP = re.compile(
    r"the[a-z]+|(?:sub)*section|chapter|part|(?:sub)?paragraph|item|caption|label|ref|eqref|cite[a-z]*|begin|end|title|author"
    r"|abstract|footnote|emph|textbf|textit|input|include|maketitle|qedsymbol|[a-z]+name|baselinestretch|arraystretch|par|left|right"
)


def collect(text: str) -> tuple[str, dict[str, Macro]]:
    """`text` without its macro definitions, and the macros they define (the last definition wins)."""
    macros: dict[str, Macro] = {}
    out, at = [], 0
    while match := _DEFINITION.search(text, at):
        found = _definition(text, match)
        if found is None:
            out.append(text[at : match.end()])
            at = match.end()
            continue
        name, macro, end = found
        out.append(text[at : match.start()])
        at = end
        if macro is not None and not _KEEP.fullmatch(name):
            macros[name] = macro
    return "".join([*out, text[at:]]), macros


def _definition(text: str, match: re.Match[str]) -> tuple[str, Macro | None, int] | None:
    """Name, macro (None: not to be expanded) and end of the definition at `match`, or None when it is not
    understood."""
    if match["let"]:
        found = _LET.match(text, match.end())
        return (found[1], _usable(0, None, found[2]), found.end()) if found else None
    named = _NAME.match(text, match.end())
    if named is None:
        return None
    name, at = named[1] or named[2], named.end()
    if match["define"]:
        parameters = _PARAMETERS.match(text, at)
        return _with_body(
            text, name, at if parameters is None else parameters.end(), (parameters[0].count("#") if parameters else 0)
        )
    if match["operator"]:
        found_operator = _with_body(text, name, skip_blanks(text, at), 0)
        return found_operator and _operator(found_operator, match["star"])
    count, default, at = _signature(text, at)
    return _with_body(text, name, at, count, default)


def _signature(text: str, at: int) -> tuple[int, str | None, int]:
    """`[2][x]` of `\\newcommand`: how many arguments, the default of the first, and where the body begins."""
    parts: list[str] = []
    at = skip_blanks(text, at)
    while len(parts) < 2 and (end := bracket(text, at)) is not None:
        parts.append(text[at + 1 : end - 1])
        at = skip_blanks(text, end)
    count = int(parts[0]) if parts and parts[0].strip() in "123456789" and parts[0].strip() else 0
    return count, parts[1] if len(parts) > 1 else None, at


def _with_body(
    text: str, name: str, at: int, count: int, default: str | None = None
) -> tuple[str, Macro | None, int] | None:
    end = group(text, at)
    return (name, _usable(count, default, text[at + 1 : end - 1]), end) if end is not None else None


def _operator(found: tuple[str, Macro | None, int], star: str) -> tuple[str, Macro | None, int]:
    name, macro, end = found
    return name, macro and macro._replace(body=f"\\operatorname{star}{{{macro.body}}}"), end


def _usable(count: int, default: str | None, body: str) -> Macro | None:
    if _PROGRAM.search(body) or len(body) > 4000:
        return None
    body = re.sub(r"\\(?:xspace|ensuremath(?=\{))(?![A-Za-z])", "", body)
    return Macro(count, default, body)


# --- expansion -------------------------------------------------------------------------------------------------------

_CALL = re.compile(
    rf"\\begin\{{(?P<verbatim>{VERBATIM})\}}|\\verb\*?(?P<bar>[^A-Za-z\s*])[^\n]*?(?P=bar)|\\(?P<name>[A-Za-z@]+)|\\.",
    re.DOTALL,
)
_ENDS_IN_COMMAND = re.compile(r"\\[A-Za-z@]+\Z")
_PARAMETER = re.compile(r"#([1-9])")


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left


def expand(text: str, macros: dict[str, Macro]) -> str:
    """`text` with every call of `macros` expanded; verbatim parts stay; bounded in depth and size."""
    return _expand(text, macros, 0, _Budget(1_000_000 + MAX_GROWTH * len(text))) if macros else text


def _expand(text: str, macros: dict[str, Macro], depth: int, budget: _Budget) -> str:
    out: list[str] = []
    at, position, ends = 0, 0, Ends(text)
    while match := _CALL.search(text, position):
        position = match.end()
        if match["verbatim"]:
            position = ends.after(match["verbatim"], position) or position
        macro = macros.get(match["name"]) if match["name"] else None
        if macro is None or budget.left < 0:
            continue
        call = _arguments(text, match.end(), macro)
        if call is None:
            continue
        arguments, end = call
        body = _substitute(macro.body, arguments)
        budget.left -= len(body) + 1
        if depth < MAX_DEPTH and "\\" in body:
            body = _expand(body, macros, depth + 1, budget)
        before = text[at : match.start()]
        out += [before, _glue(before or (out[-1] if out else ""), body), body, _glue(body, text[end : end + 1])]
        at = position = end
    return "".join([*out, text[at:]]) if out else text


def _glue(before: str, after: str) -> str:
    """A blank where a command would otherwise swallow the letter that follows."""
    return " " if after[:1].isalpha() and _ENDS_IN_COMMAND.search(before[-40:]) else ""


def _arguments(text: str, at: int, macro: Macro) -> tuple[list[str], int] | None:
    arguments: list[str] = []
    if macro.default is not None:
        start = skip_blanks(text, at)
        end = bracket(text, start)
        arguments.append(text[start + 1 : end - 1] if end is not None else macro.default)
        at = end if end is not None else at
    while len(arguments) < macro.arity:
        found = argument(text, at)
        if found is None:
            return None
        arguments.append(found[0])
        at = found[1]
    return arguments, at


def _substitute(body: str, arguments: list[str]) -> str:
    if not arguments:
        return body

    def value(match: re.Match[str]) -> str:
        index = int(match[1]) - 1
        text = arguments[index] if index < len(arguments) else ""
        return _glue(body[: match.start()], text) + text

    return _PARAMETER.sub(value, body)
