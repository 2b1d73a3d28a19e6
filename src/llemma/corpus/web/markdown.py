"""Code, lists, tables and headings written as Markdown before the extractor sees them.

The main-content extractor drops unordered lists it takes for navigation and flattens headings and code; so code and
tables go onto the shelf, and headings and list items get their marks as text.
"""

from __future__ import annotations

import re
from typing import Any

from llemma.corpus.web.formula import classes, drop, replace, text_of
from llemma.corpus.web.shelf import INDENT, TOKEN, Shelf

MAX_CELL = 400
"""Characters; a table with a longer cell is a page layout."""

_LANGUAGE = re.compile(
    r"(?:^|\s)(?:language|lang|highlight-source|brush:?|sourceCode)[- ]?([A-Za-z+#0-9]{1,15})(?=\s|$)"
)
_LAYOUT = frozenset(["table", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "form"])


_COLOUR = re.compile(r'<(?!/|span(?: class="\w{1,2}")?>|code\b|pre\b)')
"""A tag in a listing that does more than colour a word (Pygments, Rouge, Chroma: classes of one or two letters)."""


def plain_listings(tree: Any) -> None:
    """Listings without the spans that colour them, which are half of the elements of a manual, and Doxygen's listings
    as `<pre>`."""
    from lxml import etree

    for listing in [e for e in tree.iter("div") if e.get("class") == "fragment"]:
        _fragment(listing)
    for listing in tree.iter("pre"):
        if len(listing) and not _COLOUR.search(etree.tostring(listing, encoding="unicode", with_tail=False)):
            etree.strip_tags(listing, "span")


def _fragment(listing: Any) -> None:
    """Doxygen: a `div.line` a line, with its number in `span.lineno`."""
    from lxml import etree

    if next(listing.iter("img", "math"), None) is not None:
        return
    lines = [line for line in listing.iter("div") if "line" in classes(line)]
    for number in [e for e in listing.iter("span") if "lineno" in classes(e)]:
        drop(number)
    for line in lines:
        line.tail = "\n"
    if lines:
        listing.tag = "pre"
        etree.strip_tags(listing, "div", "span", "a")


def shelve_code(tree: Any, shelf: Shelf) -> None:
    """Code blocks (verbatim) and inline code (dollars escaped) onto the shelf."""
    for element in list(tree.iter("pre", "code", "tt", "kbd", "samp")):
        if element.getparent() is None:
            continue
        if element.tag == "pre" or (
            element.tag == "code" and "\n" in (text := text_of(element).strip()) and len(text) > 40
        ):
            _shelve_block(element, shelf)
        elif element.tag in ("code", "tt", "kbd", "samp"):
            text = text_of(element)
            plain = TOKEN.search(text) or not text.strip() or len(text) > 300
            replace(element, text if plain else shelf.code(" ".join(text.split())))


def _shelve_block(element: Any, shelf: Shelf) -> None:
    for line_break in list(element.iter("br")):
        line_break.text = "\n"
    text = text_of(element).replace("\t", "    ").strip("\n").rstrip()
    if TOKEN.fullmatch(text.strip()):
        replace(element, text)
        return
    names = f"{element.get('class') or ''} " + " ".join(child.get("class") or "" for child in element.iter("code"))
    language = _LANGUAGE.search(names)
    block = shelf.block(text, language[1].lower() if language else "") if text.strip() else ""
    host = _listing_table(element)
    replace(host if host is not None else element, f" {block} ")


def _listing_table(element: Any) -> Any | None:
    """The table that sets line numbers beside a listing (Pygments, Rouge, Chroma), when `element` is its code."""
    table = next(element.iterancestors("table"), None)
    if table is None or not any("code" in name or "highlight" in name or "lntable" in name for name in classes(table)):
        return None
    numbers = [cell for cell in table.iter("pre") if cell is not element]
    if all(re.fullmatch(r"[\s\d]*", text_of(cell)) for cell in numbers):
        return table
    if re.fullmatch(r"[\s\d]*", text_of(element)) and element.getparent() is not None:
        return None
    return None


def mark(tree: Any, shelf: Shelf) -> None:
    """Headings, list items and tables as Markdown text."""
    for table in list(tree.iter("table")):
        if table.getparent() is not None:
            _table(table, shelf)
    for heading in list(tree.iter("h1", "h2", "h3", "h4", "h5", "h6")):
        text = " ".join(text_of(heading).replace("¶", "").split())
        for child in list(heading):
            heading.remove(child)
        heading.text = f"{'#' * int(heading.tag[1])} {text}" if text else None
    _lists(tree)


def _table(table: Any, shelf: Shelf) -> None:
    rows = [[cell for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")]
    rows = [row for row in rows if row]
    if len(rows) < 2 or max(map(len, rows)) < 2 or _is_layout(table, rows):
        for part in [table, *table.iter("tbody", "thead", "tfoot", "tr", "td", "th", "colgroup")]:
            part.tag = "div"
        return
    texts = [[" ".join(text_of(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    caption = next((" ".join(text_of(c).split()) for c in table.iter("caption")), "")
    replace_block(table, f"{caption} " + shelf.table(_pipes(texts)))


def _is_layout(table: Any, rows: list[list[Any]]) -> bool:
    if table.get("role") == "presentation" or any(part.tag in _LAYOUT for part in table.iterdescendants()):
        return True
    return any(len(text_of(cell)) > MAX_CELL for row in rows for cell in row)


def _pipes(rows: list[list[str]]) -> str:
    width = max(map(len, rows))
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def replace_block(element: Any, text: str) -> None:
    """Turn a block element into a paragraph that holds `text` only."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = "p", text, tail


def _lists(tree: Any) -> None:
    """`<li>` becomes a block that begins with its bullet or number; the list itself a plain container."""
    for listing in list(tree.iter("ul", "ol")):
        depth = sum(1 for _ in listing.iterancestors("ul", "ol", "listdiv"))
        number = int(listing.get("start", "1")) if (listing.get("start") or "").isdecimal() else 1
        for item in listing:
            if item.tag == "li":
                bullet = f"{number}. " if listing.tag == "ol" else "- "
                _bullet(item, INDENT * depth + bullet)
                number += 1
    for part in list(tree.iter("ul", "ol", "li")):
        part.tag = "div"


def _bullet(item: Any, bullet: str) -> None:
    """Put the bullet before the first text of the item, so that no line holds a bullet alone."""
    node = item
    while not (node.text or "").strip() and len(node) and node[0].tag in ("p", "div", "span", "strong", "b", "em", "a"):
        node = node[0]
    node.text = bullet + (node.text or "").lstrip()
