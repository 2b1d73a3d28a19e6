"""Which element of a page is its content, where the page's generator says so."""

from __future__ import annotations

from typing import Any

from llemma.corpus.web.formula import text_of
from llemma.corpus.web.shelf import Shelf

# Elements and names that page generators give to the content and to nothing else, the innermost first.
_CLASSES = {"mw-parser-output": 0, "entry-content": 0, "post-content": 0, "markdown-body": 0, "ltx_document": 0,
            "body": 1, "contents": 1}  # fmt: skip
_TAGS = {"article": 2, "main": 4}
_ROLES = {"main": 3}
MIN_SHARE = 0.5
"""Of a page's text (furniture is out already); a container with less is one of several, or not the content."""
MIN_FORMULAS = 0.97
"""Of a page's formulas."""


def container(tree: Any, shelf: Shelf) -> Any | None:
    """The innermost element named as content that holds most of the text and nearly all formulas, or None."""
    whole = text_of(tree)
    formulas = shelf.count(whole)
    for found in _found(tree):
        text = text_of(found[0]) if len(found) == 1 else ""
        if text and len(text) >= MIN_SHARE * len(whole) and shelf.count(text) >= MIN_FORMULAS * formulas:
            return found[0]
    return None


def _found(tree: Any) -> list[list[Any]]:
    """The named elements of each rank."""
    ranks: list[list[Any]] = [[], [], [], [], []]
    for element in tree.iter("div", "article", "main", "section"):
        tag = element.tag
        if tag in _TAGS:
            ranks[_TAGS[tag]].append(element)
        if element.get("role") in _ROLES:
            ranks[_ROLES["main"]].append(element)
        for name in (element.get("class") or "").split():
            if name in _CLASSES:
                ranks[_CLASSES[name]].append(element)
    return ranks
