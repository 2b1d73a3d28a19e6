"""What is not content: elements known by tag, role or class, and lines known by their words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from llemma.corpus.web.formula import drop, text_of
from llemma.corpus.web.shelf import TOKEN

_TAGS = [
    "script", "style", "noscript", "nav", "footer", "button", "iframe", "svg", "canvas", "template", "select",
    "input", "object", "embed", "audio", "video", "dialog", "link", "meta"
]  # fmt: skip
_ROLES = frozenset([
    "navigation", "banner", "contentinfo", "search", "dialog", "alert", "menu", "menubar", "toolbar",
    "complementary"
])  # fmt: skip
# Whole words of a class or id (split at -, _ and case changes) that name furniture wherever they occur.
_WORDS = frozenset(
    [
        "breadcrumb",
        "breadcrumbs",
        "cookie",
        "cookies",
        "gdpr",
        "consent",
        "newsletter",
        "subscribe",
        "pagination",
        "pager",
        "share",
        "sharing",
        "sharebar",
        "social",
        "sidebar",
        "navbar",
        "navbox",
        "navigation",
        "advert",
        "adverts",
        "advertisement",
        "sponsor",
        "sponsored",
        "promo",
        "popup",
        "modal",
        "toast",
        "disqus",
        "editsection",
        "headerlink",
        "skiplink",
        "catlinks",
        "printfooter",
        "related",
        "recommended",
        "recommendations",
        "masthead",
        "colophon",
        "signup",
        "login",
        "outbrain",
        "taboola",
        "paywall",
        "votes",
        "vote",
        "voting",
        "votecell",
        "upvote",
        "downvote",
    ]
)
# Names that count only as a whole.
_NAMES = frozenset(
    [
        "comments",
        "comment-list",
        "commentlist",
        "comment-respond",
        "respond",
        "comments-area",
        "comment-form",
        "post-comments",
        "js-comments-container",
        "toc-nav",
        "site-header",
        "site-footer",
        "page-header-nav",
        "global-header",
        "global-footer",
        "mw-jump-link",
        "mw-editsection",
        "noprint",
        "mw-navigation",
        "mw-panel",
        "footer",
        "header-nav",
        "related-posts",
        "post-nav",
        "nav-links",
        "nav-previous",
        "nav-next",
        "menu",
        "topbar",
        "top-bar",
        "skip-link",
        "skip-to-content",
        "screen-reader-text",
        "sr-only",
        "visually-hidden",
        "usermenu",
        "post-menu",
        "post-signature",
        "user-info",
        "js-vote-count",
        "vote-count-post",
        "score",
        "js-post-menu",
        "comment-thread",
        "copyright",
        "printfooter",
        "siteSub",
        "contentSub",
        "jump-to-nav",
        "edit-this-page",
        "prev-next-area",
        "sphinxsidebar",
        "wy-nav-side",
        "rst-footer-buttons",
        "bd-sidebar",
        "bd-toc",
        "ar5iv-footer",
        "ltx_page_footer",
        "ltx_page_navbar",
        "pre-article-nav",
    ]
)
_PARTS = re.compile(r"[-_\s]+|(?<=[a-z])(?=[A-Z])")
_SLUGGED = frozenset(["section", "h1", "h2", "h3", "h4", "h5", "h6", "a", "dt", "span", "li"])
_NEVER = frozenset(["html", "body", "main", "article"])
MAX_SHARE = 0.5
"""Of a page's text; an element that holds more is the page itself, whatever its class says."""


def remove(tree: Any) -> None:
    """Take furniture out of the tree: scripts, navigation, forms, hidden elements, cookie notes, comments, votes."""
    from lxml import etree

    etree.strip_elements(tree, etree.Comment, etree.ProcessingInstruction, *_TAGS, with_tail=False)
    total = len(text_of(tree)) or 1
    for element in _furniture(tree):
        if element.tag in _NEVER or element.getparent() is None:
            continue
        if len(text_of(element)) <= MAX_SHARE * total:
            drop(element)
    for element in list(tree.iter(*_FURNITURE_BY_TAG)):
        if element.getparent() is not None and _FURNITURE_BY_TAG[element.tag](element, total):
            drop(element)
    for image in tree.iter("img"):
        image.attrib.pop("alt", None)


def _furniture(tree: Any) -> list[Any]:
    """The elements whose class, id, style or role says that they are no content, in document order."""
    known: dict[str, bool] = {"": False}  # names on this page: asked for each element, decided once
    found = []
    for element in tree.iter():
        keys = element.keys()
        if not keys:  # most elements of most pages
            continue
        names = element.get("class", "")
        named = known.get(names)
        if named is None:
            named = known[names] = _named(names)
        if named or (len(keys) > bool(names) and (_id_says_so(element, names) or _hidden(element))):
            found.append(element)
    return found


def _id_says_so(element: Any, names: str) -> bool:
    # The id of a section or heading is a slug of its words ("other-related-functions"), not a name.
    identifier = element.get("id")
    return bool(identifier and element.tag not in _SLUGGED and "section" not in names and _named(identifier))


def _hidden(element: Any) -> bool:
    style = element.get("style")
    return bool(style and _hides(style)) or element.get("hidden") is not None or element.get("role") in _ROLES


@lru_cache(maxsize=4096)
def _hides(style: str) -> bool:
    return bool(re.search(r"display\s*:\s*none|visibility\s*:\s*hidden", style, re.IGNORECASE))


@lru_cache(maxsize=16384)
def _named(words: str) -> bool:
    """Whether one of the names in a class or id is a name of furniture."""
    names = words.split()[:20]
    if any(name in _NAMES for name in names):
        return True
    return any(_WORDS.intersection(_PARTS.split(name[:80].lower()) + _PARTS.split(name[:80])) for name in names)


def _site_header(element: Any, total: int) -> bool:
    if next(element.iterancestors("article", "main", "section"), None) is not None:
        return False
    small = len(text_of(element)) < 0.2 * total or _link_list(element, total, 2)
    return small and next(element.iter("h1"), None) is None


def _form(element: Any, total: int) -> bool:
    return len(text_of(element)) < 0.2 * total


def _aside(element: Any, total: int) -> bool:
    return not TOKEN.search(text_of(element)) and _form(element, total)


def _link_list(element: Any, total: int, least: int = 3) -> bool:
    """A list that is nearly all links, of short items, outside references: a menu. One with formulas is none."""
    if TOKEN.search(text_of(element)):
        return False
    links = [len(" ".join(text_of(a).split())) for a in element.iter("a")]
    length = len(" ".join(text_of(element).split()))
    return len(links) >= least and sum(links) > 0.8 * length and sum(links) / len(links) < 60


_FURNITURE_BY_TAG = {"header": _site_header, "form": _form, "aside": _aside, "ul": _link_list, "ol": _link_list}

# --- lines -----------------------------------------------------------------------------------------------------------

_LINE = re.compile(
    r"(?:share|tweet|like|reply|print|email|edit|copy|link|cite|follow|save|report|flag|upvote|downvote|permalink|top|menu|home|search"
    r"|log ?in|sign ?(?:in|up)|register|subscribe|contents|skip to (?:main )?content|back to top|read more|learn more"
    r"|(?:previous|next|older|newer)(?: (?:post|page|chapter|lesson|article)s?)?|leave a (?:comment|reply)"
    r"|(?:\d+|no) (?:comments?|replies|votes?|likes?|shares?|views?)|add a comment|post a comment"
    r"|all rights reserved\.?"
    r"|share (?:this|on) .{0,40}|follow us.{0,40}|we use cookies.{0,300}|this (?:site|website) uses cookies.{0,300}"
    r"|accept(?: all)?(?: cookies)?|advertisement|sponsored|loading\.*|©.{0,80}|copyright ©?.{0,80})[\s»›→|.]*",
    re.IGNORECASE,
)
_HEADING = re.compile(r"(#{1,6}) ")
_BULLET_ONLY = re.compile(r"[\s\ue002]*(?:-|\d+\.|[•|▲▼×✕#*]+)\s*")


def clean_lines(text: str) -> str:
    """`text` without lines of furniture, bullets without content and headings without a body."""
    lines = [line for line in text.split("\n") if not _is_noise(line)]
    kept: list[str] = []
    next_level = 0  # of the heading that follows with nothing in between; 1 at the end of the page
    body = False
    for line in reversed(lines):
        heading = _HEADING.match(line)
        if heading:
            level = len(heading[1])
            if not body and (next_level == 0 or next_level <= level) and level > 1:
                continue
            next_level, body = level, False
        elif line.strip():
            body = True
        kept.append(line)
    return "\n".join(reversed(kept))


def _is_noise(line: str) -> bool:
    stripped = line.strip()
    if not stripped or len(stripped) > 320:
        return False
    return bool(_LINE.fullmatch(stripped) or _BULLET_ONLY.fullmatch(stripped))
