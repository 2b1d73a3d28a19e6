"""Which parts of LaTeX text are formulas: `\\ensuremath{x}` becomes `$x$` in words and `{x}` in a formula."""

from __future__ import annotations

import re

WORDS, INLINE, DISPLAY = range(3)

_MARKS = re.compile(
    r"\\(?:(?P<ensure>ensuremath)(?P<gap>\s*)\{"
    r"|(?P<words>text(?:rm|it|bf|sf|tt|sc|up|normal)?|mbox|hbox|fbox|intertext|shortintertext|tag\*?|footnote|parbox(?:\[\w\])?\{[^{}]{0,40}\})\s*\{"
    r"|(?P<edge>begin|end)\{(?P<name>equation|eqnarray|align|alignat|gather|multline|displaymath|math|flalign|dmath)\*?\}"
    r"|.)|\$\$?|[{}]|\n[ \t]*\n",
    re.DOTALL,
)


def settle(text: str) -> str:
    """`text` without `\\ensuremath`. Where its braces do not balance, it is given back as it is."""
    if "\\ensuremath" not in text:
        return text
    out: list[str] = []
    at, mode = 0, WORDS
    stack: list[tuple[int, str]] = []  # the mode around an open group, and what stands for its closing brace
    pending = 0
    for match in _MARKS.finditer(text):
        mark = match[0]
        if match["ensure"]:
            opening, closing = ("$", "$") if mode == WORDS else ("{", "}")
            out += [text[at : match.start()], opening]
            at, pending = match.end(), pending + 1
            stack.append((mode, closing))
            mode = mode or INLINE
        elif match["words"]:
            stack.append((mode, ""))
            mode = WORDS
        elif mark == "{":
            stack.append((mode, ""))
        elif mark == "}" and stack:
            mode, closing = stack.pop()
            if closing:
                out += [text[at : match.start()], closing]
                at, pending = match.end(), pending - 1
        else:
            mode = _after(match, mode, bool(stack))
    return "".join([*out, text[at:]]) if not pending else text


def _after(match: re.Match[str], mode: int, grouped: bool) -> int:
    """The mode behind a mark that opens or closes a formula, or ends a paragraph."""
    mark = match[0]
    if mark == "$":
        return INLINE if mode == WORDS else WORDS
    if mark == "$$":
        return {WORDS: DISPLAY, DISPLAY: WORDS}.get(mode, mode)
    if match["edge"]:
        return DISPLAY if match["edge"] == "begin" else WORDS
    if mark in ("\\(", "\\["):
        return INLINE if mark == "\\(" else DISPLAY
    if mark in ("\\)", "\\]") or (mark[0] == "\n" and mode == INLINE and not grouped):
        return WORDS
    return mode
