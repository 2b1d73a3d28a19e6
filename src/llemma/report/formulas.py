"""TeX formulas as MathML, for text that a model or the web wrote.

A formula leaves here as a tree of allowed elements and plain text, never as markup: the page builds its nodes one by
one, so no text can become an element. Whatever cannot be read stays as its source.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any, TypeAlias
from xml.etree.ElementTree import Element

from llemma.report.text import visible

# [tag, attributes or 0, *children]; a child is a tree or a string.
Tree: TypeAlias = list[Any]
# A run of text, or [1 if displayed else 0, tree, source].
Piece: TypeAlias = str | list[Any]

MAX_FORMULA = 600  # characters; longer ones stay as source
MAX_DEPTH = 24  # braces within braces; the parser recurses
MAX_TEXT = 100_000  # characters of one text that are looked through for formulas
MAX_PIECES = 400  # formulas of one text

_NAMES = """
    math mrow mi mn mo mtext ms mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts
    mprescripts none mtable mtr mtd mpadded mphantom mstyle menclose merror
"""
TAGS = frozenset(_NAMES.split())
_ATTRIBUTES = {
    "display": re.compile(r"block|inline"),
    "displaystyle": re.compile(r"true|false"),
    "stretchy": re.compile(r"true|false"),
    "fence": re.compile(r"true|false"),
    "separator": re.compile(r"true|false"),
    "accent": re.compile(r"true|false"),
    "largeop": re.compile(r"true|false"),
    "movablelimits": re.compile(r"true|false"),
    "form": re.compile(r"prefix|infix|postfix"),
    "mathvariant": re.compile(r"[a-z-]{1,30}"),
    "columnalign": re.compile(r"[a-z ]{1,80}"),
    "columnlines": re.compile(r"[a-z ]{1,80}"),
    "rowlines": re.compile(r"[a-z ]{1,80}"),
    "notation": re.compile(r"[a-z ]{1,60}"),
    # At most a line's height or a word's width, so that no formula can lie over its neighbours.
    "width": re.compile(r"[0-9]?(\.[0-9]{1,4})?em|-?0\.[0-9]{1,4}em"),
    "linethickness": re.compile(r"[0-9](\.[0-9]{1,4})?(px|em)?"),
}

# Pandoc's rule for single dollars: no blank inside next to them and no digit after, so that prices stay prices. Every
# alternative is bounded and starts differently, so the search cannot run away.
_BODY = rf"(?:[^$\\]|\\[\s\S]){{1,{MAX_FORMULA}}}?"
_FORMULA = re.compile(
    rf"\$\$(?P<shown>{_BODY})\$\$"
    rf"|(?<![\\$])\$(?![\s$])(?P<inline>{_BODY})(?<![\s\\])\$(?![\d$])"
    rf"|\\\[(?P<bracket>(?:[^\\$]|\\[^\[\]$]){{1,{MAX_FORMULA}}}?)\\\]"
    rf"|\\\((?P<round>(?:[^\\$]|\\[^()$]){{1,{MAX_FORMULA}}}?)\\\)"
)


def pieces(text: str) -> list[Piece]:
    """`text` cut into runs of plain text and formulas; the source of every formula is kept beside its tree."""
    found: list[Piece] = []
    end = 0
    for match in _FORMULA.finditer(text, 0, min(len(text), MAX_TEXT)):
        source = match.group(match.lastgroup or 0)
        tree = mathml(source)
        if tree is None:
            continue
        found += [
            visible(text[end : match.start()]),
            [int(match.lastgroup in ("shown", "bracket")), tree, visible(match.group())],
        ]
        end = match.end()
        if len(found) >= 2 * MAX_PIECES:
            break
    return [piece for piece in [*found, visible(text[end:])] if piece]


@lru_cache(maxsize=20_000)
def mathml(source: str) -> Tree | None:
    """The MathML tree of a TeX formula, or None where it cannot be had."""
    if len(source) > MAX_FORMULA or _depth(source) > MAX_DEPTH:
        return None
    from latex2mathml.converter import convert_to_element

    try:
        return _tree(convert_to_element(source))
    except Exception:  # the parser raises a dozen kinds on what it does not know, recursion among them
        return None


def _depth(source: str) -> int:
    depth = deepest = 0
    for character in source:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return deepest + source.count("\\left") + source.count("\\begin")


def _tree(element: Element) -> Tree:
    """An allowed element with its allowed attributes; any other becomes a plain group of its children."""
    tag = element.tag if element.tag in TAGS else "mrow"
    allowed = {
        name: value
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES and isinstance(value, str) and _ATTRIBUTES[name].fullmatch(value)
    }
    allowed.pop("display", None)  # the piece says it
    children: list[Any] = [_word(element.text)] if element.text else []
    children += [_tree(child) for child in element]
    return [tag, dict(sorted(allowed.items())) or 0, *children]


def _word(text: str) -> str:
    return visible(html.unescape(text))
