"""RedPajama v1's rules for arXiv sources, which Llemma used unchanged, kept with their faults.

Written anew from a description of what the published cleaner does. Each fault is named where it happens; `default`
has none of them. What is ours: files are looked at once, so that no text takes longer than linear time, and a paper
that its own macros blow up is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_CHARS = 60_000_000
"""Of a paper at any moment; macros that double each other could go beyond."""

# Fault: the published pattern lacks a bar between \paragraph and \subparagraph, so it asks for one behind the other.
_HEADING = re.compile(r"\\(?:chapter|part|section|subsection|subsubsection|(paragraph))\b\*?(?=[\[{])")
_LINE_COMMENT = re.compile(r"^%.*\n?", re.MULTILINE)
# Fault: the character before the percent sign, taken along to see that it is no backslash, is removed with the comment,
# and a percent sign at the very end of a line is no comment. Verbatim parts and addresses are not known.
_COMMENT = re.compile(r"[^\\]%.+$", re.MULTILINE)
# Fault: an \appendix before the bibliography, mathematics often enough, is cut too.
_END = re.compile(r"\\appendix|\\begin\{(?:references|REFERENCES|thebibliography)\}|\\bibliography\{")
# Faults: a definition counts only on one line of its own, whose last character is the closing brace; \renewcommand,
# \DeclareMathOperator and \newcommand\x{..} do not count at all.
_NEW = re.compile(r"\\newcommand\b\*?\{(\\[a-zA-Z0-9]+)\}\{")
_DEF = re.compile(r"\\def\s*(\\[a-zA-Z0-9]+)\s*\{")


class LostError(Exception):
    """A paper that the published rules lose; the message says how."""


def text_of(files: dict[str, bytes]) -> str:
    """The text of an archive, its `.tex` files in the archive's order; raises `LostError`.

    Faults: that order has nothing to do with the order of reading, files that no document puts in come too, and one
    file that is not UTF-8 loses the whole paper.
    """
    texts: list[str] = []
    for name, data in files.items():
        if name.endswith(".tex"):
            try:
                texts.append(data.decode("utf-8"))
            except UnicodeDecodeError:
                raise LostError(f"not UTF-8: {name}") from None
    if not texts:
        raise LostError("no LaTeX file in it")
    macros = {name: body for text in texts for name, body in _macros(text)}
    _check(macros)
    text = "\n".join(_clean(text, macros) for text in texts)
    if not text.strip():
        # Fault: letters, notes and old papers have no sections.
        raise LostError("no section in any file")
    return text


def _macros(text: str) -> Iterator[tuple[str, str]]:
    """Macros without arguments, name and body as they stand. Fault: those with arguments are left in the text, while
    their definitions go with the preamble."""
    for pattern in (_NEW, _DEF):
        done = 0
        for match in pattern.finditer(text):
            line_end = text.find("\n", match.end())
            line_end = len(text) if line_end < 0 else line_end
            if match.start() >= done and match.end() < line_end and text[line_end - 1] == "}":
                yield match[1], text[match.end() : line_end - 1]
                done = line_end


def _check(macros: dict[str, str]) -> None:
    """Fault: a body is escaped (`é` to `\\xe9`) and then read as a template, which knows no such escape."""
    for name, body in macros.items():
        if (
            not body.isascii()
            or any(ord(character) < 32 and character not in "\t\r" for character in body)
            or "\x7f" in body
        ):
            raise LostError(f"the macro {name} holds a character beyond ASCII")


def _clean(text: str, macros: dict[str, str]) -> str:
    start = _first_heading(text)
    if start is None:
        return ""
    text = _COMMENT.sub("", _LINE_COMMENT.sub("", text[start:]))
    text = text[: _end(text)]
    for name, body in macros.items():
        if name in text:
            text = _replaced(text, name, body)
    return text


def _first_heading(text: str) -> int | None:
    """Where the first heading begins whose braces close. Fault: what stands before it goes, title and abstract too."""
    brace = text.rfind("}")
    bracket = text.rfind("]{", 0, max(brace, 0))
    pair = text.rfind("}\\subparagraph", 0, max(brace, 0))
    for match in _HEADING.finditer(text):
        if match[1]:
            found = pair >= match.end()
        else:
            found = bracket >= match.end() or (text[match.end()] == "{" and brace > match.end())
        if found:
            return match.start()
    return None


def _end(text: str) -> int:
    """Where the appendix or the bibliography begins."""
    brace = text.rfind("}")
    found = (match.start() for match in _END.finditer(text) if match[0][-1] != "{" or brace >= match.end())
    return next(found, len(text))


def _replaced(text: str, name: str, body: str) -> str:
    """`name` replaced where a character follows it that is no letter or digit. Faults: the character is looked at by
    taking it, so of two calls in a row the second stays; a body is put in whatever mode and grouping it needs."""
    pattern = re.compile(rf"{re.escape(name)}([^a-zA-Z0-9])")
    if len(text) + text.count(name) * len(body) > MAX_CHARS:
        raise LostError("its macros blow it up")
    return pattern.sub(lambda match: body + match[1], text)
