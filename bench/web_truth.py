"""Labels for real pages: which formulas, sentences and pieces of furniture they hold.

Every rule here is written apart from the extractor and shares no code with it: an XPath per markup, a regular
expression for delimiters in visible text, and the containers in which page generators put content and furniture.
"""

# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml import etree, html

FURNITURE = (
    "//nav|//footer|//aside|//*[@role='navigation' or @role='contentinfo' or @role='search' or @role='banner']"
    "|//*[contains(@class,'sphinxsidebar') or contains(@class,'wy-nav-side') or contains(@class,'bd-sidebar')"
    " or contains(@class,'sidebar-tree') or @id='sidebar' or @id='nav-tree' or @id='footer' or @id='comments'"
    " or contains(concat(' ',@class,' '),' related ') or contains(concat(' ',@class,' '),' navpath ')"
    " or @id='mw-navigation' or @id='mw-panel' or contains(@class,'navbox') or contains(@class,'catlinks')]"
)
CONTENT = (
    "//main|//article|//*[@role='main']|//*[@id='mw-content-text' or @id='content' or @id='main-content']"
    "|//div[@class='body' or @class='contents' or @class='post-content' or @class='entry-content']"
)
HIDDEN = "ancestor-or-self::*[contains(translate(@style,' ',''),'display:none')]"
_CUT = "//code|//pre|//img|//math|//tt|//br|//*[contains(concat(' ',@class,' '),' math ')]|//a[@class='headerlink']"
_ENTITIES = ("script", "style", "noscript", "template", "svg", "textarea", "button", "select")


class Formula(NamedTuple):
    """A formula's LaTeX without delimiters, and the markup it stood in."""

    kind: str
    latex: str


class Labels(NamedTuple):
    """What an extraction of a page must keep (formulas, sentences) and must not (furniture)."""

    formulas: list[Formula]
    sentences: list[str]
    furniture: list[str]


def label(source: str) -> Labels:
    """The labels of a page given as text; empty lists where the page has no container the rules know."""
    text = _parsed(source)
    etree.strip_elements(text, *_ENTITIES, with_tail=False)
    for node in text.xpath(_CUT):
        node.clear(keep_tail=True)
        node.text = "\ue100"
    return Labels(list(_formulas(_parsed(source), source)), list(_sentences(text)), list(_furniture(text)))


def _parsed(source: str) -> Any:
    tree = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*>", "", source))
    etree.strip_elements(tree, etree.Comment, with_tail=False)
    return tree


def _visible(node: Any) -> bool:
    return not node.xpath(HIDDEN) and node not in _inside_furniture(node)


def _inside_furniture(node: Any) -> set[Any]:
    marks = re.compile(
        r"sphinxsidebar|wy-nav-side|bd-sidebar|navbox|\bnavpath\b|\bcomments?\b|\brespond\b|cookie|\bmodal\b"
    )
    for up in [node, *node.iterancestors()]:
        if up.tag in ("nav", "footer", "aside") or marks.search(f"{up.get('class') or ''} {up.get('id') or ''}"):
            return {node}
    return set()


# --- formulas --------------------------------------------------------------------------------------------------------


def _formulas(tree: Any, source: str) -> Iterator[Formula]:
    etree.strip_elements(tree, "head", "style", "noscript", "template", "textarea", with_tail=False)
    for kind, path, read in RULES:
        for node in tree.xpath(path):
            if node.getparent() is None or not _visible(node):
                continue
            latex = bare(read(node))
            if latex:
                yield Formula(kind, latex)
            node.clear(keep_tail=True)
    etree.strip_elements(tree, "script", "pre", "code", with_tail=False)
    yield from _typed(tree, source)


def _annotation(node: Any) -> str:
    return "".join(node.xpath(".//*[local-name()='annotation' and contains(@encoding,'tex')][1]//text()"))


def _number_free(node: Any) -> str:
    return "".join(t for t in node.xpath(".//text()[not(ancestor::*[@class='eqno' or @class='headerlink'])]"))


RULES: list[tuple[str, str, Any]] = [
    ("annotation", "//*[local-name()='math'][.//*[local-name()='annotation' and contains(@encoding,'tex')]]", _annotation),
    ("alttext", "//*[local-name()='math'][@alttext]", lambda node: node.get("alttext")),
    ("image", "//img[contains(@class,'mwe-math') or contains(@class,'formula') or contains(@class,'math')"
     " or contains(@class,'latex')][@alt]", lambda node: node.get("alt")),
    ("script", "//script[starts-with(@type,'math/tex')]", lambda node: node.text or ""),
    ("sphinx", "//*[contains(concat(' ',@class,' '),' math ')][contains(.,'\\(') or contains(.,'\\[')]", _number_free),
]  # fmt: skip


def _typed(tree: Any, source: str) -> Iterator[Formula]:
    """Formulas between delimiters in the text of the lowest blocks; `$` only where the page says so."""
    dollars = bool(re.search(r"inlineMath['\"]?\s*:\s*\[\s*\[\s*['\"]\$|left:\s*['\"]\$['\"]", source))
    typeset = bool(re.search(r"mathjax|katex", source, re.IGNORECASE))
    patterns = [
        r"(\\begin\{(?:align|equation|gather|multline|eqnarray)\*?\}.+?\\end\{[a-z]+\*?\})",
        r"\\\[(.+?)\\\]",
        r"\\\((.+?)\\\)",
    ] + ([r"\$\$(.+?)\$\$"] if typeset else [])
    patterns += [r"(?<![\\$])\$(?!\$)([^$\n]{1,400}?)(?<!\\)\$"] if dollars else []
    pattern = re.compile("|".join(patterns), re.DOTALL)
    for block in tree.xpath("//p|//li|//td|//dd|//div|//h2|//h3|//h4|//dt") if typeset else ():
        if block.xpath("./p|./div|./ul|./ol|./table|./dl|./section") or not _visible(block):
            continue
        # A tag inside a formula leaves its LaTeX to interpretation: such formulas are no labels.
        text = "\ue100".join(block.itertext())
        for match in pattern.finditer(text):
            latex = next(group for group in match.groups() if group)
            if "\ue100" not in latex and bare(latex):
                yield Formula("typed", bare(latex))


def bare(latex: str | None) -> str:
    """LaTeX without the delimiters around it."""
    latex = (latex or "").strip()
    for left, right in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        if latex.startswith(left) and latex.endswith(right) and len(latex) > len(left) + len(right):
            return latex[len(left) : -len(right)].strip()
    return latex


# --- text ------------------------------------------------------------------------------------------------------------


def _sentences(tree: Any) -> Iterator[str]:
    containers = tree.xpath(CONTENT)
    seen: set[str] = set()
    for paragraph in (p for box in containers[:1] for p in box.iter("p")):
        text = " ".join("".join(paragraph.itertext()).split())
        linked = sum(len("".join(a.itertext())) for a in paragraph.iter("a"))
        if not _visible(paragraph) or linked > 0.3 * len(text) or re.search(r"[\\$`]", text):
            continue
        for sentence in re.findall(r"[A-Z][^.!?\ue100]{60,300}[.!?](?=\s|$)", text):
            if sentence not in seen and len(seen) < 25:
                seen.add(sentence)
                yield sentence


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _furniture(tree: Any) -> Iterator[str]:
    content = " ".join("".join(box.itertext()) for box in tree.xpath(CONTENT)[:1])
    content = _letters(content + " ".join(tree.xpath("//title//text()|//h1//text()")))
    if not content:
        return
    seen: set[str] = set()
    for box in tree.xpath(FURNITURE):
        inside_content = box.xpath("ancestor::main|ancestor::article")
        for node in box.iter("a", "li", "p", "span", "label") if not inside_content else ():
            text = " ".join("".join(node.itertext()).split())
            told = len(_letters(text)) >= 12 and _letters(text) not in content
            if told and len(text) <= 80 and "\ue100" not in text and text not in seen and len(seen) < 25:
                seen.add(text)
                yield text
