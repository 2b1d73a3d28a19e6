"""`\\if...` parts whose condition is known from the source: `\\iffalse`, `\\iftrue`, and switches of `\\newif`."""

from __future__ import annotations

import re
from typing import NamedTuple

# Commands that begin with "if" and take arguments instead of an \fi.
_WITH_BRACES = re.compile(
    r"iff|ifthenelse|ifdef|ifundef|ifcsdef|ifcsundef|ifstrequal|ifstrempty|ifblank|ifnotblank|ifbool|iftoggle|ifboolexpr"
    r"|ifnumcomp|ifnumequal|ifnumless|ifnumgreater|ifnumodd|ifdimcomp|ifentrytype|iffieldundef|ifpackageloaded|ifmtarg"
)
_WORDS = re.compile(r"\\(?:(if[A-Za-z@]*|fi|else)(?![A-Za-z@])|(newif)\s*\\if([A-Za-z@]+)|([A-Za-z@]+)(true|false)\b)")
_LET = re.compile(r"\\let\s*\\if([A-Za-z@]+)\s*=?\s*\\if(true|false)(?![A-Za-z@])")


class _Open(NamedTuple):
    """An open conditional: its value (None: not known) and whether the text around it is kept."""

    value: bool | None
    kept: bool


def resolve_conditionals(text: str) -> str:
    """`text` with the parts that a known switch turns off left out; conditionals on anything else stay whole.

    A conditional that is never closed leaves the text as it is from its `\\if` on.
    """
    if "\\if" not in text:
        return text
    text, known = _switches(text)
    begin = text.find("\\begin{document}")
    if begin > 0:
        # Macros of the preamble ask for a switch that is set behind them: what counts is its value at the end.
        _walk(text[:begin], known, 0)
    return _walk(text, known, begin)


def _walk(text: str, known: dict[str, bool], settled: int) -> str:
    """`text` resolved; `known` follows the switches that are set from `settled` on."""
    out: list[str] = []
    stack: list[_Open] = []
    decided = 0  # open conditionals with a known value
    at, kept, safe = 0, True, (0, 0)  # safe: what of `out` and of `text` lies before the outermost of those
    for match in _WORDS.finditer(text):
        word = match[1]
        if word is None:
            if kept and match.start() >= settled:
                _set(match, known)
            continue
        if (not stack and word in ("else", "fi")) or _WITH_BRACES.fullmatch(word):
            continue
        if kept:
            out.append(text[at : match.start()])
        at = match.end()
        if word not in ("else", "fi"):
            here = _Open(known.get(word[2:]), kept)
            if here.value is not None:
                safe = (len(out), match.start()) if not decided else safe
                decided += 1
            stack.append(here)
            kept = here.kept and here.value is not False
        else:
            here = stack.pop() if word == "fi" else stack[-1]
            kept = here.kept and (word == "fi" or here.value is not True)
            decided -= word == "fi" and here.value is not None
        if here.kept and here.value is None:
            out.append(match[0])
    return "".join(out[: safe[0]]) + text[safe[1] :] if decided else "".join([*out, text[at:]])


def _switches(text: str) -> tuple[str, dict[str, bool]]:
    """The switches that are known from the start, and the text without the `\\let`s that make them."""
    known = {"false": False, "true": True}
    for match in _LET.finditer(text):
        known[match[1]] = match[2] == "true"
    return _LET.sub("", text), known


def _set(match: re.Match[str], known: dict[str, bool]) -> None:
    if match[2]:
        known[match[3]] = False
    elif match[4] in known and match[4] not in ("true", "false"):
        known[match[4]] = match[5] == "true"
