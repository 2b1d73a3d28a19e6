"""Reading TeX source: comments, brace groups, verbatim parts. Every function is linear in its input."""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_GROUP = 200_000
"""Characters a brace group may span before it counts as unclosed."""

VERBATIM = r"verbatim\*?|Verbatim\*?|lstlisting|minted|alltt|BVerbatim|LVerbatim"
_PIECES = re.compile(
    rf"\\begin\{{(?P<name>{VERBATIM})\}}|\\verb\*?(?P<bar>[^A-Za-z\s*])[^\n]*?(?P=bar)"
    r"|\\.|(?P<line>(?<![^\n])[ \t]*%[^\n]*(?:\n|$))|(?P<comment>%[^\n]*(?:\n[ \t]*(?:%[^\n]*\n[ \t]*)*|$))",
    re.DOTALL,
)
_COMMENT_ENVIRONMENT = re.compile(r"\\begin\{comment\}.*?(?:\\end\{comment\}|\Z)", re.DOTALL)
_CONDITIONAL = re.compile(r"\\(if[A-Za-z@]*|fi|else)(?![A-Za-z@])")


class Ends:
    """Where environments end. What is missing is remembered, so that a thousand unclosed ones cost one search."""

    def __init__(self, text: str) -> None:
        self._text, self._missing = text, set[str]()

    def after(self, name: str, at: int) -> int | None:
        """The place behind the next `\\end{name}` from `at` on, or None when there is none."""
        mark = f"\\end{{{name}}}"
        end = -1 if name in self._missing else self._text.find(mark, at)
        if end < 0:
            self._missing.add(name)
            return None
        return end + len(mark)


def strip_comments(text: str) -> str:
    """`text` without comments, as TeX reads it: `\\%` and verbatim stay, and so does the character before a `%`."""
    out, at, position, ends = [], 0, 0, Ends(text)
    while match := _PIECES.search(text, position):
        position = match.end()
        if match["name"]:
            position = ends.after(match["name"], position) or position
        elif match["line"] is not None or match["comment"] is not None:
            # TeX drops the line end with the comment; an empty line after it still ends the paragraph.
            paragraph = match["line"] is None and text[position : position + 1] == "\n"
            out += [text[at : match.start()], "\n" if paragraph else ""]
            at = position
            if not match[0]:
                break
    return without_false(_COMMENT_ENVIRONMENT.sub("", "".join([*out, text[at:]])))


def replace_environments(text: str, opening: re.Pattern[str], value: Callable[[str], str]) -> str:
    """`text` with every environment that `opening` (group 1: its name) begins replaced by `value` of its source."""
    out, at, ends = [], 0, Ends(text)
    for match in opening.finditer(text):
        end = ends.after(match[1], match.end()) if match.start() >= at else None
        if end is not None:
            out += [text[at : match.start()], value(text[match.start() : end])]
            at = end
    return "".join([*out, text[at:]])


def without_false(text: str) -> str:
    """`text` without `\\iffalse ... \\fi` (nested conditionals counted, `\\else` part kept)."""
    out, at = [], 0
    while (start := text.find("\\iffalse", at)) >= 0:
        end = _matching_fi(text, start)
        if end is None:
            break
        out.append(text[at:start])
        at = end
    return "".join([*out, text[at:]])


def _matching_fi(text: str, start: int) -> int | None:
    depth = 0
    for match in _CONDITIONAL.finditer(text, start):
        word = match[1]
        if word == "fi":
            depth -= 1
        elif word.startswith("if") and word not in ("iff", "ifthenelse"):
            depth += 1
        if depth == 0 or (depth == 1 and word == "else"):
            return match.end()
    return None


_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_BRACKETS = re.compile(r"\\.|[{}\]]", re.DOTALL)
_BLANKS = re.compile(r"[ \t]*\n?[ \t]*")


def group(text: str, at: int) -> int | None:
    """Where the `{...}` that opens at `at` ends (behind its brace), or None when there is no closed group."""
    if text[at : at + 1] != "{":
        return None
    depth = 0
    for match in _BRACES.finditer(text, at, at + MAX_GROUP):
        mark = match[0]
        depth += 1 if mark == "{" else -1 if mark == "}" else 0
        if depth == 0:
            return match.end()
    return None


def bracket(text: str, at: int) -> int | None:
    """Where the `[...]` that opens at `at` ends, braces respected."""
    if text[at : at + 1] != "[":
        return None
    depth = 0
    for match in _BRACKETS.finditer(text, at, at + 2000):
        mark = match[0]
        if mark == "]" and depth == 0:
            return match.end()
        depth += 1 if mark == "{" else -1 if mark == "}" else 0
    return None


def skip_blanks(text: str, at: int) -> int:
    """The first place at or after `at` that is no blank (one line end at most, as TeX skips before an argument)."""
    match = _BLANKS.match(text, at)
    return match.end() if match else at


_COMMAND = re.compile(r"\\(?:[A-Za-z@]+|.)", re.DOTALL)


def argument(text: str, at: int) -> tuple[str, int] | None:
    """The undelimited argument at `at` (group without its braces, command, or character) and where it ends."""
    at = skip_blanks(text, at)
    end = group(text, at)
    if end is not None:
        return text[at + 1 : end - 1], end
    if at >= len(text) or text[at] in "{}\n":
        return None
    command = _COMMAND.match(text, at)
    return (command[0], command.end()) if command else (text[at], at + 1)


def remove_commands(text: str, names: str) -> str:
    """`text` without the commands `names` (a regex alternative) and the optional and braced arguments behind them."""
    pattern, out, at = re.compile(rf"\\(?:{names})\*?(?![A-Za-z@])"), [], 0
    while match := pattern.search(text, at):
        out.append(text[at : match.start()])
        at = match.end()
        while (end := bracket(text, at) or group(text, at)) is not None:
            at = end
    return "".join([*out, text[at:]])
