"""Reading TeX source: brace groups, arguments, comments, environments. Every function is linear in its input.

What makes it linear on hostile text: a `Reader` counts the characters it has looked through for closing braces. A text
that leaves thousands of them open uses that patience up, and its later groups count as unclosed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_GROUP = 400_000
"""Characters a brace group may span before it counts as unclosed."""
MAX_BRACKET = 4_000
"""Characters an optional argument may span."""
PATIENCE = 20
"""Characters looked through for closing braces, for each character of the text."""

VERBATIM = r"verbatim\*?|Verbatim\*?|lstlisting|minted|alltt|BVerbatim|LVerbatim|verbatimtab|Sinput|Soutput"
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_BRACKETS = re.compile(r"\\.|[{}\]]", re.DOTALL)
_BLANKS = re.compile(r"[ \t]*\n?[ \t]*")
_COMMAND = re.compile(r"\\(?:[A-Za-z@]+|.)", re.DOTALL)
_ENDS_IN_COMMAND = re.compile(r"\\[A-Za-z@]+\Z")


def glue(before: str, after: str) -> str:
    """A blank where a command at the end of `before` would otherwise swallow the letter that `after` begins with."""
    return " " if after[:1].isalpha() and before[-1:].isalpha() and _ENDS_IN_COMMAND.search(before[-40:]) else ""


class Reader:
    """Groups and arguments of one text."""

    def __init__(self, text: str) -> None:
        self.text, self._patience = text, PATIENCE * len(text) + 2000

    def group(self, at: int) -> int | None:
        """Where the `{...}` that opens at `at` ends (behind its brace), or None when there is no closed group."""
        text = self.text
        if text[at : at + 1] != "{":
            return None
        close = text.find("}", at, at + 200)
        if close > 0 and text[close - 1] != "\\" and text.find("{", at + 1, close) < 0:
            return close + 1
        return self._closing(_BRACES, "}", at, MAX_GROUP)

    def bracket(self, at: int) -> int | None:
        """Where the `[...]` that opens at `at` ends, braces respected."""
        if self.text[at : at + 1] != "[" or self.text.find("]", at, at + MAX_BRACKET) < 0:
            return None
        return self._closing(_BRACKETS, "]", at, MAX_BRACKET)

    def _closing(self, marks: re.Pattern[str], close: str, at: int, most: int) -> int | None:
        limit = min(len(self.text), at + most, at + max(self._patience, 0))
        depth = 0
        for match in marks.finditer(self.text, at, limit):
            mark = match[0]
            if mark == "{":
                depth += 1
            elif mark == "}":
                depth -= 1
            if (depth == 0 and mark == close) or depth < 0:
                self._patience -= match.end() - at
                return match.end() if depth == 0 else None
        self._patience -= limit - at
        return None

    def blanks(self, at: int) -> int:
        """The first place from `at` on that is no blank (one line end at most, as TeX skips before an argument)."""
        if self.text[at : at + 1] not in (" ", "\n", "\t"):
            return at
        match = _BLANKS.match(self.text, at)
        return match.end() if match else at

    def argument(self, at: int) -> tuple[str, int] | None:
        """The undelimited argument at `at` (group without its braces, command, or character) and where it ends."""
        at = self.blanks(at)
        end = self.group(at)
        if end is not None:
            return self.text[at + 1 : end - 1], end
        if at >= len(self.text) or self.text[at] in "{}\n":
            return None
        command = _COMMAND.match(self.text, at)
        return (command[0], command.end()) if command else (self.text[at], at + 1)

    def arguments_end(self, at: int, groups: int) -> int:
        """Where the run of `[...]` and of at most `groups` `{...}` that begins right at `at` ends."""
        while (end := self.bracket(at)) is not None or (groups and (end := self.group(at)) is not None):
            groups -= self.text[at] == "{"
            at = end
        return at


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


# --- comments --------------------------------------------------------------------------------------------------------

# Bounded runs: an unclosed \verb or \url costs at most its bound.
_COMMENTS = re.compile(
    rf"\\begin\{{(?P<name>{VERBATIM})\}}"
    r"|\\(?:verb\*?|Verb\*?|lstinline(?:\[[^\]\n]{0,200}\])?)(?P<bar>[^A-Za-z\s*{])[^\n]{0,400}?(?P=bar)"
    r"|\\(?:url|path|nolinkurl|href|burl)\s{0,3}\{[^{}\n]{0,2000}\}"
    r"|(?P<comment>%[^\n]*\n?)"
)
_NEXT_LINE = re.compile(r"[ \t]*(?:%[^\n]*\n[ \t]*)*")
_COMMENT_ENVIRONMENT = re.compile(r"\\begin\{comment\}.*?(?:\\end\{comment\}|\Z)", re.DOTALL)


def strip_comments(text: str) -> str:
    """`text` without comments, as TeX reads it: `\\%`, verbatim parts and addresses stay, and so does the character
    before a `%`. A line that ends in a comment is joined with the next one."""
    if "%" in text:
        text = _without_percent(text)
    return _COMMENT_ENVIRONMENT.sub("", text) if "\\begin{comment}" in text else text


def _without_percent(text: str) -> str:
    out, at, position, ends = [], 0, 0, Ends(text)
    while match := _COMMENTS.search(text, position):
        position = match.end()
        if _escaped(text, match.start()):
            position = match.start() + 1
        elif match["name"]:
            position = ends.after(match["name"], position) or position
        elif match["comment"] is not None:
            piece = text[at : match.start()]
            whole_line = not piece.rpartition("\n")[2].strip(" \t") and (at == 0 or "\n" in piece)
            if whole_line:
                out.append(piece.rstrip(" \t"))
            else:
                # TeX drops the line end with the comment; an empty line after it still ends the paragraph.
                out.append(piece)
                position = _NEXT_LINE.match(text, position).end()  # type: ignore[union-attr]
                out.append("\n" if text[position : position + 1] == "\n" else glue(piece, text[position:][:1]))
            at = position
    return "".join([*out, text[at:]])


def _escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before `at`."""
    start = at
    while start and text[start - 1] == "\\":
        start -= 1
    return (at - start) % 2 == 1


# --- replacing -------------------------------------------------------------------------------------------------------

_NO_EXCEPTIONS: dict[str, int] = {}


def replace_environments(text: str, opening: re.Pattern[str], value: Callable[[str], str]) -> str:
    """`text` with every environment that `opening` (group 1: its name) begins replaced by `value` of its source."""
    out, at, ends = [], 0, Ends(text)
    for match in opening.finditer(text):
        end = ends.after(match[1], match.end()) if match.start() >= at else None
        if end is not None:
            out += [text[at : match.start()], value(text[match.start() : end])]
            at = end
    return "".join([*out, text[at:]])


def remove_commands(text: str, pattern: re.Pattern[str], groups: dict[str, int] = _NO_EXCEPTIONS) -> str:
    """`text` without what `pattern` (commands) finds and the arguments right behind it: optional ones, and as many in
    braces as `groups` says for the command, else one."""
    out, at, reader = [], 0, Reader(text)
    for match in pattern.finditer(text):
        if match.start() < at:
            continue
        out.append(text[at : match.start()])
        at = reader.arguments_end(match.end(), groups.get(match[0].strip("\\*"), 1))
        out.append(glue(out[-1], text[at : at + 1]))
    return "".join([*out, text[at:]])
