"""Which element of a page is its content, where the page's generator says so."""

from __future__ import annotations

from typing import Any

from llemma.corpus.web.formula import text_of
from llemma.corpus.web.shelf import Shelf

# Elements and names that page generators give to the content and to nothing else, the innermost first.
_CONTAINERS = (
    "//*[@id='mw-content-text']",
    "//*[contains(concat(' ',@class,' '),' entry-content ') or contains(concat(' ',@class,' '),' post-content ')"
    " or contains(concat(' ',@class,' '),' markdown-body ')]",
    "//div[@class='body' or @class='contents' or @itemprop='articleBody']",
    "//article",
    "//*[@role='main']",
    "//main",
)
MIN_SHARE = 0.5
"""Of a page's text (furniture is out already); a container with less is one of several, or not the content."""
MIN_FORMULAS = 0.97
"""Of a page's formulas."""


def container(tree: Any, shelf: Shelf) -> Any | None:
    """The innermost element named as content that holds most of the text and nearly all formulas, or None."""
    whole = text_of(tree)
    formulas = shelf.count(whole)
    for path in _CONTAINERS:
        found = tree.xpath(path)
        if len(found) != 1:
            continue
        text = text_of(found[0])
        if len(text) >= MIN_SHARE * len(whole) and shelf.count(text) >= MIN_FORMULAS * formulas:
            return found[0]
    return None
