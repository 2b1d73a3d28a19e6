"""The delimiters in force on a page: those that mean a formula anywhere, and those that its own MathJax, KaTeX or
AsciiMath settings name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Pair(NamedTuple):
    """An opening and a closing delimiter; kinds: tex, ascii, dollar (needs a plausible content), loose (very
    plausible)."""

    left: str
    right: str
    display: bool
    kind: str = "tex"


ALWAYS = [
    Pair("$$", "$$", True, "double"), Pair("\\[", "\\]", True), Pair("\\(", "\\)", False),
    Pair("[tex]", "[/tex]", False), Pair("[itex]", "[/itex]", False), Pair("[math]", "[/math]", False),
    Pair("[latex]", "[/latex]", False), Pair("[texx]", "[/texx]", False), Pair("[TEX]", "[/TEX]", False),
    Pair("[dtex]", "[/dtex]", True), Pair("$latex ", "$", False),
]  # fmt: skip
_STRING = r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_MATHJAX_LIST = re.compile(
    r"""(inlineMath|displayMath)['"]?\s*:\s*\{?\s*(?:['"]?\[\+\]['"]?\s*:)?\s*(\[(?:[^\[\]]|\[[^\n]*?\])*?\])\s*[,}\n]"""
)
_KATEX_LIST = re.compile(r"delimiters['\"]?\s*:\s*\[(.{0,1500}?)\]\s*[,})]", re.DOTALL)
_KATEX_ENTRY = re.compile(r"\{([^{}]*left[^{}]*)\}")
_ASCII_LIST = re.compile(r"asciimath2jax\s*:\s*\{[^{}]*?delimiters\s*:\s*(\[\[.{0,200}?\]\])", re.DOTALL)
_ASCII_PAGE = re.compile(r"asciimath2jax|asciimathml|(?:input|ui|loader)/asciimath|am_(?:chtml|htmlormml|svg)")
_ENGINES = ("mathjax", "katex", "jsmath", "asciimath")


def pairs_of(source: str) -> list[Pair]:
    """The delimiters in force on a page, longest first, from its raw HTML."""
    pairs = {pair.left: pair for pair in ALWAYS}
    lowered = source.lower()
    engine = any(name in lowered for name in _ENGINES)
    listed = _mathjax(source) if "lineMath" in source or "displayMath" in source else ()
    for pair in [*listed, *(_katex(source) if "elimiters" in source else ())] if engine else ():
        if pair.left == "$" and pair.right == "$":
            pair = Pair("$", "$", pair.display, "dollar")
        if pair.left not in ("$$",):
            pairs[pair.left] = pair
    if "$" not in pairs:
        pairs["$"] = Pair("$", "$", False, "dollar_loose" if engine else "loose")
    asks = engine and ("asciimath" in lowered or "am_" in lowered) and _ASCII_PAGE.search(lowered)
    for pair in _ascii(source) if asks else ():
        pairs[pair.left] = pair
    return sorted(pairs.values(), key=lambda pair: -len(pair.left))


def _strings(text: str) -> list[str]:
    """The JavaScript string literals in `text`."""
    return [_unquoted(match[1]) for match in re.finditer(_STRING, text)]


def _unquoted(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal[1:-1])


def _mathjax(source: str) -> Iterator[Pair]:
    for match in _MATHJAX_LIST.finditer(source):
        words = _strings(match[2])
        for left, right in zip(words[::2], words[1::2], strict=False):
            if _usable(left, right):
                yield Pair(left, right, match[1] == "displayMath")


def _katex(source: str) -> Iterator[Pair]:
    for block in _KATEX_LIST.finditer(source):
        for entry in _KATEX_ENTRY.finditer(block[1]):
            fields = re.findall(rf"['\"]?(left|right)['\"]?\s*:\s*{_STRING}", entry[1])
            found = {name: _unquoted(value) for name, value in fields}
            if _usable(found.get("left", ""), found.get("right", "")):
                yield Pair(found["left"], found["right"], bool(re.search(r"display['\"]?\s*:\s*(?:true|!0)", entry[1])))


def _usable(left: str, right: str) -> bool:
    """Real delimiters are short and not words: a page must not be able to swallow its own text."""
    return (
        0 < len(left) <= 12
        and 0 < len(right) <= 12
        and not left.isalnum()
        and not right.isspace()
        and not left.startswith("\\begin")
    )


def _ascii(source: str) -> Iterator[Pair]:
    listed = _ASCII_LIST.search(source)
    words = _strings(listed[1]) if listed else ["`", "`"]
    for left, right in zip(words[::2], words[1::2], strict=False):
        if _usable(left, right):
            yield Pair(left, right, False, "ascii")
