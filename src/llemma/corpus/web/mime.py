"""What a body is: an HTML page, or something else that bears its name. Declarations first, then the bytes."""

from __future__ import annotations

import re

from llemma.corpus.web.decode import wide

# Types that say nothing: servers send them for pages too.
_VAGUE = re.compile(
    r"(?:text/(?:plain|xml|x-unknown)|application/(?:octet-stream|xml|x-unknown|unknown|force-download|x-download)"
    r"|unknown/unknown|content/unknown|\*/\*|text|html?|none|null)?$"
)
_BINARY = (
    (b"%PDF-", "PDF"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"), (b"\xff\xd8\xff", "JPEG"), (b"RIFF", "RIFF"),
    (b"PK\x03\x04", "zip"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"),
    (b"Rar!", "rar"), (b"7z\xbc\xaf", "7z"), (b"\x7fELF", "program"), (b"MZ\x90", "program"), (b"OggS", "audio"),
    (b"ID3", "audio"), (b"\x00\x00\x01\x00", "icon"), (b"wOFF", "font"), (b"wOF2", "font"), (b"{\\rtf", "RTF"),
    (b"%!PS", "PostScript"), (b"\xd0\xcf\x11\xe0", "Office file"),
)  # fmt: skip
_LOOK = 16384
_SKIP = re.compile(rb"\s+|<\?[^>]{0,2000}>|<!--(?:[^-]|-(?!->)){0,8000}-->|<!(?!doctype)[^>]{0,500}>", re.IGNORECASE)
_DOCTYPE = re.compile(rb"<!doctype\s+([A-Za-z][\w:-]*)[^>\[]{0,500}(?:\[[^\]]{0,4000}\]\s*)?>?", re.IGNORECASE)
_ROOT = re.compile(rb"<([A-Za-z][\w.-]*(?::[A-Za-z][\w.-]*)?)([^>]{0,4000})")
_OPENING = re.compile(
    rb"<(?:!doctype\s+html|html[\s>]|head[\s>]|body[\s>]|title>|h[1-6][\s>]|p[\s>]|div[\s>]|table[\s>])", re.IGNORECASE
)
_PAGE = re.compile(rb"<(?:!doctype\s+html|html[\s>]|head[\s>]|body[\s>])", re.IGNORECASE)
_DATA_ROOTS = frozenset(b"rss feed rdf:rdf urlset sitemapindex svg opml kml gpx soap:envelope wsdl:definitions".split())
_XHTML = b"http://www.w3.org/1999/xhtml"
_PARTS = frozenset(
    b"html head body title meta link base style script noscript h1 h2 h3 h4 h5 h6 p div span table center font a b i"
    b" ul ol dl hr br img pre form header main nav section article aside footer frameset iframe blockquote".split()
)
_DATA = re.compile(rb"""\s*(?:\{\s*["'}]|\[\s*(?:[{"\[\]\d-]))""")


def not_html(body: bytes, http: str = "", payload: str = "") -> str:
    """Why a body is no HTML page, or an empty text where it is one.

    `http` is the Content-Type of the answer, `payload` what a crawler found out (WARC-Identified-Payload-Type). Crawls
    of one's own seldom have the second, and servers call pages `text/plain` or nothing at all; then the bytes decide.
    A declared type that is definite is believed, unless the bytes are plainly something else.
    """
    for declared in (_plain(http), _plain(payload)):
        if "html" in declared.partition("/")[2]:
            return _contradiction(body)
        if "/" in declared and not _VAGUE.match(declared):
            return declared
    found = _contradiction(body)
    return found if found or _root_is_html(body) else _plain(http) or "no content type"


def _plain(declared: str) -> str:
    """`Text/HTML; charset=x` -> `text/html`; of several, joined by commas, the first."""
    return re.split(r"[;,\s]", declared.strip().lower(), maxsplit=1)[0]


def _contradiction(body: bytes) -> str:
    """What the bytes say they are where that is certainly no page."""
    for magic, what in _BINARY:
        if body.startswith(magic):
            return f"the bytes are of a {what}"
    head = _ascii(body)
    if _DATA.match(head) and not _OPENING.search(head):
        return "the bytes are of JSON"
    name, attributes = _root(head)
    if name and name not in _PARTS and _XHTML not in attributes:
        xml = (head.startswith(b"<?xml") or b"xmlns" in attributes) and not _PAGE.search(head)
        return f"XML: {name.decode('ascii', 'replace')[:40]}" if xml or name in _DATA_ROOTS else ""
    return ""


def _root_is_html(body: bytes) -> bool:
    head = _ascii(body)
    name, attributes = _root(head)
    return name in _PARTS or _XHTML in attributes or bool(_OPENING.search(head))


def _root(head: bytes) -> tuple[bytes, bytes]:
    """Name (in small letters) and attributes of the first element, or of the document type."""
    at = 0
    while found := _SKIP.match(head, at):
        at = found.end()
    if (doctype := _DOCTYPE.match(head, at)) and doctype[1].lower() == b"html":
        return b"html", b""
    if doctype:
        return _root(head[doctype.end() :])
    element = _ROOT.match(head, at)
    return (element[1].lower(), element[2]) if element else (b"", b"")


def _ascii(body: bytes) -> bytes:
    """The beginning in a form that patterns can read, whatever its encoding."""
    encoding = wide(body)
    head = body[:_LOOK].decode(encoding, "ignore").encode() if encoding else body[:_LOOK]
    return head.lstrip(b"\x00\xef\xbb\xbf \t\r\n\x0c")
