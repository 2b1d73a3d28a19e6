"""What every markup has in common: the formula, its delimiters and wrappers, and the tree around it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Formula(NamedTuple):
    """LaTeX without delimiters, whether it stands on a line of its own, and the number the page prints beside it."""

    latex: str
    display: bool
    number: str = ""


_DELIMITED = (("$$", "$$", True), ("\\[", "\\]", True), ("\\(", "\\)", False), ("$", "$", False))
_DISPLAY_ENVIRONMENT = re.compile(
    r"\\begin\{(?:equation|align|gather|multline|eqnarray|displaymath|flalign|alignat)\*?\}"
)


def undelimited(source: str, display: bool = False) -> Formula:
    """`source` without the delimiters it may stand in; they decide about display."""
    source = source.strip()
    for left, right, shown in _DELIMITED:
        if source.startswith(left) and source.endswith(right) and len(source) >= len(left) + len(right):
            return Formula(source[len(left) : len(source) - len(right)].strip(), shown or display)
    return Formula(source, display or bool(_DISPLAY_ENVIRONMENT.match(source)))


def is_delimited(source: str) -> bool:
    """Whether all of `source` stands in one pair of delimiters, or in one environment."""
    source = source.strip()
    if _DISPLAY_ENVIRONMENT.match(source):
        return True
    inner = undelimited(source).latex
    return len(inner) < len(source) and bool(inner) and "$" not in inner.replace("\\$", "")


_STYLE = re.compile(r"^\{\s*\\(?:display|text)style\b\s*(.*)\}$", re.DOTALL)
_STYLE_PREFIX = re.compile(r"\\(?:display|text)style(?![A-Za-z])\s*")


def plain_style(latex: str) -> str:
    """MediaWiki wraps each formula in `{\\displaystyle ...}`; LaTeXML, pandoc and WordPress put `\\displaystyle` or
    `\\textstyle` before it."""
    latex = latex.strip()
    match = _STYLE.match(latex)
    if match and balanced(match[1]):
        return match[1].strip()
    prefix = _STYLE_PREFIX.match(latex)
    return latex[prefix.end() :].strip() if prefix else latex


def balanced(latex: str) -> bool:
    """Whether every brace has its partner."""
    depth = 0
    for char in re.findall(r"\\.|[{}]", latex):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0


# --- the tree --------------------------------------------------------------------------------------------------------


def text_of(element: Any) -> str:
    """All text inside an element, its tail and comments apart."""
    from lxml import etree

    return str(etree.tostring(element, method="text", encoding="unicode", with_tail=False))


def classes(element: Any) -> list[str]:
    """The class names of an element."""
    return (element.get("class") or "").split()


def replace(element: Any, text: str) -> None:
    """Put `text` where `element` stood, as a bare `span`; its tail stays.

    Taking the element out would join strings, which takes quadratic time over a page of nothing but images.
    """
    element.clear(keep_tail=True)
    element.tag, element.text = "span", text


def drop(element: Any) -> None:
    """Empty an element; its tail stays."""
    replace(element, "")
