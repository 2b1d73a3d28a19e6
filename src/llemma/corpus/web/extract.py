"""One page in, its text out: the order of the work, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from llemma.corpus.web import boilerplate, delimiters, forms, markdown
from llemma.corpus.web.content import container
from llemma.corpus.web.decode import decode, printable
from llemma.corpus.web.formula import text_of
from llemma.corpus.web.settings import pairs_of
from llemma.corpus.web.shelf import INDENT, Shelf, own_lines, without_tokens

MAX_CHARS = 20_000_000
"""A longer page is cut here: nothing worth reading is longer, and time grows with size."""
MAX_DEPTH = 200
"""Deeper elements are lifted to this depth: the main-content extractor needs quadratic time in the depth."""


class Page(msgspec.Struct, frozen=True):
    """A page as text: `found_math` is the number of formulas in `text`, each in `$..$` or `$$..$$`."""

    title: str
    text: str
    found_math: int


def extract(html: bytes | str, url: str | None = None, *, charset: str | None = None) -> Page:
    """The main content of a page as Markdown-like text with every formula as delimited LaTeX.

    `charset` is what the transport declared for `html` given as bytes. Every dollar that delimits no formula is
    written `\\$`, except inside fenced code. Never raises on any input; a page without content gives an empty text.
    `url` is accepted so that rules for single sites can be added without a change of signature; no rule uses it yet.
    """
    source = html if isinstance(html, str) else decode(html, charset)
    source = without_tokens(printable(source[:MAX_CHARS]))
    tree = parse(source)
    if tree is None:
        return Page("", "", 0)
    shelf, title = Shelf(), _title(tree)
    _flatten(tree)
    markdown.plain_listings(tree)
    forms.shelve(tree, shelf, source)
    boilerplate.remove(tree)
    markdown.shelve_code(tree, shelf)
    delimiters.shelve(tree, shelf, pairs_of(source), source)
    markdown.mark(tree, shelf)
    text = boilerplate.clean_lines(_main_text(tree, shelf))
    found = shelf.count(text)
    return Page(title, _finish(own_lines(text), shelf), found)


_SELF_CLOSED = re.compile(
    r"<((?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)[A-Za-z][\w:.-]*)((?:\s[^<>]*?)?)/>"
)


# `0<k<p` typed without entities: a name of one or two letters that is no element, or one that no tag could continue.
_STRAY = re.compile(
    r"<(?=[A-Za-z])(?:(?=[A-Za-z][A-Za-z0-9]?(?![\w:-]))"
    r"(?!(?:[abipqsu]|br|dd|dl|dt|em|h[1-6]|hr|li|ol|rb|rp|rt|td|th|tr|tt|ul|m[inos])(?![\w:-]))"
    r"(?![A-Za-z][A-Za-z0-9]?\s+[A-Za-z][\w:-]*\s*=\s*[\"'])"
    r"|(?=[A-Za-z]{1,12}[$<\\^=,.;+)}|]))"
)


def parse(source: str) -> Any | None:
    """The lxml tree of a page, or None where there is nothing to parse."""
    from lxml import etree

    if source.lstrip()[:5].lower() == "<?xml":
        # XHTML may close any element at once; to an HTML parser `<script/>` would swallow the page.
        source = re.sub(r"^\s*<\?xml[^>]*>", "", _SELF_CLOSED.sub(r"<\1\2></\1>", source))
    # The parser drops what follows `</html>`; browsers show it.
    source = _STRAY.sub("&lt;", _ENDS.sub("", source))
    # The parser of lxml.html would ask Python for the class of every element.
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_pis=True, remove_comments=True)
    try:
        tree = etree.fromstring(source.encode("utf-8"), parser)
        if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):  # it stopped at 2,048 levels
            tree = etree.fromstring(_shallow(source).encode("utf-8"), parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    return tree if tree is not None and (len(tree) or (tree.text or "").strip()) else None


_ENDS = re.compile(r"</(?:html|body)\s*>", re.IGNORECASE)
# Elements that only their end tag closes; others close one another, so that end tags say nothing about depth.
_NESTING = re.compile(
    r"<(/?)(?:div|span|font|b|i|em|strong|u|s|small|big|center|blockquote|section|article|main|header|footer|aside|nav"
    r"|ul|ol|dl|table|tbody|form|fieldset|sub|sup|tt|code|ins|del|q|cite|label|figure|details|[A-Za-z]+-[A-Za-z-]+)"
    r"(?:[\s/][^<>]*)?>",
    re.IGNORECASE,
)


def _shallow(source: str) -> str:
    """`source` without the tags of elements that are nested deeper than `MAX_DEPTH`; their text stays."""
    depth = 0

    def kept(tag: re.Match[str]) -> str:
        nonlocal depth
        depth = max(0, depth - 1) if tag[1] else depth + 1
        return tag[0] if depth + bool(tag[1]) <= MAX_DEPTH else " "

    return _NESTING.sub(kept, source)


def _title(tree: Any) -> str:
    found = next(tree.iter("title"), None)
    text = " ".join(text_of(found).split()) if found is not None else ""
    if not text:
        heading = next(tree.iter("h1"), None)
        text = " ".join(text_of(heading).split()) if heading is not None else ""
    return text[:500]


def _flatten(tree: Any) -> None:
    """Dissolve elements nested deeper than `MAX_DEPTH`; their text stays."""
    for element in tree.xpath(f"//*[count(ancestor::*) = {MAX_DEPTH}]") if _deep(tree) else ():
        text = text_of(element)
        for child in list(element):
            element.remove(child)
        element.text = text


def _deep(tree: Any) -> bool:
    return bool(tree.xpath(f"boolean({'/*' * MAX_DEPTH})"))


def _main_text(tree: Any, shelf: Shelf) -> str:
    """The element that the page names as its content, else the extractor's guess; all of the page where that guess
    would lose a good part of the formulas or everything."""
    from lxml import etree
    from resiliparse.extract.html2text import extract_plain_text

    content = container(tree, shelf)
    source = etree.tostring(tree if content is None else content, encoding="unicode", method="html", with_tail=False)
    # alt_texts stays on: with it off, one unclosed <figure> deletes the rest of the page.
    options = {"preserve_formatting": True, "alt_texts": True, "links": False, "form_fields": False, "noscript": False}
    if content is not None and (text := _rendered(extract_plain_text, source, main_content=False, **options)).strip():
        return text
    text = _rendered(extract_plain_text, source, main_content=True, comments=False, **options)
    whole = shelf.count(source)
    if shelf.count(text) < 0.9 * whole or not text.strip():
        everything = _rendered(extract_plain_text, source, main_content=False, **options)
        return everything if everything.strip() else text
    return text


def _rendered(render: Any, source: str, **options: Any) -> str:
    try:
        return str(render(source, **options))
    except Exception:
        # A library's own exception (DOMException on odd trees) must cost one attempt, not the run.
        return ""


_SPACES = re.compile(r"[ \t]+\n")
_BLANKS = re.compile(r"\n{3,}")


def _finish(text: str, shelf: Shelf) -> str:
    text = text.replace("¶", "").replace(INDENT, "  ")
    text = shelf.restore(_BLANKS.sub("\n\n", _SPACES.sub("\n", text)))
    return text.strip("\n").rstrip()
