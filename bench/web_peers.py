"""The extractors that `web.py` compares: a name, and a function from HTML to text. Absent libraries are left out."""

# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote

Extract = Callable[[str], str]


def ours(source: str) -> str:
    """llemma."""
    from llemma.corpus.web import extract

    return extract(source).text


def resiliparse_main(source: str) -> str:
    """resiliparse's main content, with alternative texts."""
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(source, main_content=True, alt_texts=True))


def trafilatura_default(source: str) -> str:
    """trafilatura as it comes."""
    import trafilatura

    return trafilatura.extract(source) or ""


# --- a pipeline in the manner of OpenWebMath -------------------------------------------------------------------------

_BANNED = (
    "nav, footer, aside, .nav, .footer, .sidebar, .breadcrumb, .share, .vote, .votecell, .js-voting-container, .login, "
    ".comments, #comments, .related, .navbox, .catlinks, .mw-editsection, .headerlink, #toc, .toc, .cookie-banner, #sidebar, form"
)


def openwebmath_like(source: str) -> str:
    """The scheme that OpenWebMath's authors publish, rewritten: formulas of known markups become dollars in the tree,
    furniture goes, and resiliparse renders the main content without alternative texts."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(source)
    body = tree.body
    if body is None:
        return ""
    # The library forbids a change while it walks, so everything is listed first.
    for node in list(body.query_selector_all(_BANNED)) + _hidden(body):
        _drop(node)
    for selector, read in _FORMS:
        for node in list(body.query_selector_all(selector)):
            latex = read(node)
            if latex:
                _put(tree, node, f"${latex}$")
    text = str(extract_plain_text(str(tree), main_content=True, alt_texts=False, preserve_formatting=True))
    return _delimited(text, source)


def _hidden(body: Any) -> list[Any]:
    styled = body.query_selector_all("[style]")
    hidden = [node for node in styled if "display:none" in (node.getattr("style") or "").replace(" ", "")]
    return [node for node in hidden if not node.query_selector("math")]


def _drop(node: Any) -> None:
    if node.parent is not None:
        node.parent.remove_child(node)


def _put(tree: Any, node: Any, text: str) -> None:
    if node.parent is not None:
        node.parent.replace_child(tree.create_text_node(text), node)


def _query(node: Any) -> str:
    return unquote((node.getattr("src") or "").partition("?")[2])


def _wordpress(node: Any) -> str:
    found = re.search(r"latex=(.*?)(?:&bg|&fg|&s=|$)", (node.getattr("src") or ""))
    return unquote(found[1].replace("+", " ")) if found else ""


def _mathml(node: Any) -> str:
    for note in node.query_selector_all("annotation"):
        if note.getattr("encoding") == "application/x-tex":
            return str(note.text).strip()
    return node.getattr("alttext") or ""


def _stripped(node: Any) -> str:
    return str(node.text).strip().strip("$").strip()


_FORMS: list[tuple[str, Callable[[Any], str]]] = [
    (
        ".mwe-math-fallback-image-inline, .mwe-math-fallback-image-display, .katex-html, .MathJax, .MathJax_Preview",
        lambda node: " ",
    ),
    ("img.latex, img.tex", lambda node: node.getattr("alt") or ""),
    ("img[src*='latex.php']", _wordpress),
    ("img[src*='codecogs.com'], img[src*='mimetex.cgi'], img[src*='mathtex.cgi']", _query),
    (".math-container, .wp-katex-eq", _stripped),
    ("script[type='math/tex']", _stripped),
    (".tex[data-expr]", lambda node: node.getattr("data-expr") or ""),
    ("math", _mathml),
]
_DELIMITERS = [
    (r"\\\((.+?)\\\)", "$"), (r"\\\[(.+?)\\\]", "$$"), (r"\[tex\](.+?)\[/tex\]", "$"), (r"\[itex\](.+?)\[/itex\]", "$"),
    (r"\[math\](.+?)\[/math\]", "$"), (r"\[latex\](.+?)\[/latex\]", "$"),
]  # fmt: skip


def _delimited(text: str, source: str) -> str:
    if re.search("mathjax|katex", source, re.IGNORECASE):
        for pattern, mark in _DELIMITERS:
            text = re.sub(pattern, lambda found, mark=mark: f"{mark}{found[1].strip()}{mark}", text, flags=re.DOTALL)
    return text


PEERS: list[tuple[str, str, Extract]] = [
    ("llemma", "", ours),
    ("resiliparse, main content + alt texts", "resiliparse", resiliparse_main),
    ("OpenWebMath-like, on resiliparse", "resiliparse", openwebmath_like),
    ("trafilatura, default", "trafilatura", trafilatura_default),
]
"""Name, the library it needs, the function."""


def present() -> list[tuple[str, Extract]]:
    """The extractors whose library is installed."""
    return [(name, extract) for name, library, extract in PEERS if not library or find_spec(library)]
