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
    out: list[str] = []
    stack: list[_Open] = []
    at, kept, safe = 0, True, (0, 0)  # safe: what of `out` and of `text` lies before the outermost known conditional
    for match in _WORDS.finditer(text):
        word = match[1]
        if word is None:
            _set(match, known, kept)
            continue
        if (not stack and word in ("else", "fi")) or _WITH_BRACES.fullmatch(word):
            continue
        if kept:
            out.append(text[at : match.start()])
        at = match.end()
        if word not in ("else", "fi"):
            here = _Open(known.get(word[2:]), kept)
            if here.value is not None and all(entry.value is None for entry in stack):
                safe = len(out), match.start()
            stack.append(here)
            kept = here.kept and here.value is not False
        else:
            here = stack.pop() if word == "fi" else stack[-1]
            kept = here.kept and (word == "fi" or here.value is not True)
        if here.kept and here.value is None:
            out.append(match[0])
    if any(entry.value is not None for entry in stack):
        return "".join(out[: safe[0]]) + text[safe[1] :]
    return "".join([*out, text[at:] if kept else ""])


def _switches(text: str) -> tuple[str, dict[str, bool]]:
    """The switches that are known from the start, and the text without the `\\let`s that make them."""
    known = {"false": False, "true": True}
    for match in _LET.finditer(text):
        known[match[1]] = match[2] == "true"
    return _LET.sub("", text), known


def _set(match: re.Match[str], known: dict[str, bool], kept: bool) -> None:
    if not kept:
        return
    if match[2]:
        known[match[3]] = False
    elif match[4] in known and match[4] not in ("true", "false"):
        known[match[4]] = match[5] == "true"
