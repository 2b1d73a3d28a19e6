"""Which parts of LaTeX text are formulas: `\\ensuremath{x}` becomes `$x$` in words and `{x}` in a formula."""

from __future__ import annotations

import re

from llemma.corpus.latex.scan import glue

WORDS, INLINE, DISPLAY = range(3)

_MARKS = re.compile(
    r"\\(?:(?P<ensure>ensuremath)(?P<gap>\s*)\{"
    r"|(?P<words>text(?:rm|it|bf|sf|tt|sc|up|normal)?|mbox|hbox|fbox|intertext|shortintertext|tag\*?|footnote|parbox(?:\[\w\])?\{[^{}]{0,40}\})\s*\{"
    r"|(?P<edge>begin|end)\{(?P<name>equation|eqnarray|align|alignat|gather|multline|displaymath|math|flalign|dmath)\*?\}"
    r"|[^A-Za-z])|\$\$?|[{}]|\n[ \t]*\n",
    re.DOTALL,
)


def settle(text: str) -> str:
    """`text` without `\\ensuremath`. Where its braces do not balance, it is given back as it is."""
    if "\\ensuremath" not in text:
        return text
    out: list[str] = []
    at, mode = 0, WORDS
    stack: list[tuple[int, str | None]] = []  # the mode around an open group, and what its closing brace becomes
    pending = 0
    for match in _MARKS.finditer(text):
        mark = match[0]
        if mark == "{":
            stack.append((mode, None))
        elif mark == "}":
            mode, end = stack.pop() if stack else (mode, None)
            if end is not None:
                out += [text[at : match.start()], end]
                out.append("" if end else glue(text[at : match.start()], text[match.end() : match.end() + 1]))
                at, pending = match.end(), pending - 1
        elif mark[-1] != "{":
            mode = _after(match, mode, bool(stack))
        elif match["ensure"]:
            opening, closing = ("$", "$") if mode == WORDS else _braces(text, match)
            out += [text[at : match.start()], opening]
            at, pending = match.end(), pending + 1
            stack.append((mode, closing))
            mode = mode or INLINE
        elif match["words"]:
            stack.append((mode, None))
            mode = WORDS
    return "".join([*out, text[at:]]) if not pending else text


_FREE = re.compile(
    r"(?:[^\\A-Za-z^_\s]|(?<![\\A-Za-z])[A-Za-z]|\\(?:in|notin|ni|subset|subseteq|to|times|cup|cap|setminus|forall|exists|colon"
    r"|le|ge|leq|geq|neq|mapsto|rightarrow|longrightarrow|hookrightarrow|oplus|otimes|cdot|circ|cong|simeq|sim|equiv|mid|quad"
    r"|qquad|[,;:!]))\s{0,3}\Z"
)


def _braces(text: str, match: re.Match[str]) -> tuple[str, str]:
    """Braces in a formula, but where the group cannot be a script or an argument: `x\\in\\R` is `x\\in\\mathbb{R}`."""
    free = (
        _FREE.search(text[max(0, match.start() - 30) : match.start()]) and text[match.end() : match.end() + 1] == "\\"
    )
    return ("", "") if free else ("{", "}")


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
