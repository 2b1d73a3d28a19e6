"""Pages left out by their address: lists of people, journals and products around mathematics, not mathematics.

OpenWebMath's second pass has a list made by looking at what its filters let through; of that list the protocol names
`/authors/`, `/serials/` and `read.dukeupress.edu`, which never matched because of missing commas. The rest is ours, by
the same idea: pages whose path says that they are profiles, catalogues, searches or shops. Homes of mathematicians
(`/people/`, `/users/`) are not on it.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from llemma.core.errors import MissingError
from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.fresh import kept
from llemma.corpus.web.quality.plain import formulas

BLACKLIST = (
    "/author/",
    "/authors/",
    "/serials/",
    "/cart/",
    "/checkout/",
    "/editorial-board/",
    "/login/",
    "/profile/",
    "/profiles/",
    "/search/",
    "/shop/",
    "/signup/",
    "read.dukeupress.edu",
)
"""A pattern with a leading slash is looked for in the path, one without is a host with all below it."""

LIBRETEXTS = re.compile(r"(?:^|\.)libretexts\.org$")
LIBRETEXTS_KEPT = ("math", "phys", "stats")
"""Beginnings of the subdomains of libretexts.org that are kept with or without formulas."""


@kept
def _patterns(file: str) -> tuple[str, ...]:
    if not file:
        return BLACKLIST
    try:
        lines = Path(file).read_text("utf-8").splitlines()
    except OSError as error:
        raise MissingError(f"no list of addresses {file}", mend="give a text file, a pattern a line") from error
    return (*BLACKLIST, *(line.strip().lower() for line in lines if line.strip() and not line.startswith("#")))


def listed(url: str, patterns: tuple[str, ...] = BLACKLIST) -> str:
    """The first pattern that `url` matches, else an empty string."""
    host, path = _host_and_path(url)
    for pattern in patterns:
        if pattern in path if pattern.startswith("/") else host == pattern or host.endswith(f".{pattern}"):
            return pattern
    return ""


def _host_and_path(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url.lower())
        return parts.hostname or "", f"{parts.path}/"
    except ValueError:  # brackets that enclose no address
        return "", ""


class Addresses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Drops pages of listed addresses."""

    file: str = ""
    """Further patterns, one a line: hosts, or parts of paths that begin with a slash; `#` begins a comment."""

    def files(self) -> list[Path]:
        """The files that decide."""
        return [Path(self.file)] if self.file else []

    def __call__(self, document: Document) -> Document | Drop:
        """The document, or why it is dropped."""
        found = listed(str(document.meta.get("url", "")), _patterns(self.file))
        return Drop(f"listed address: {found}") if found else document


def libretexts(document: Document) -> Document | Drop:
    """Drops pages of libretexts.org without formulas, outside of mathematics, physics and statistics."""
    host, _ = _host_and_path(str(document.meta.get("url", "")))
    right = host.startswith(LIBRETEXTS_KEPT) or not LIBRETEXTS.search(host) or formulas(document)
    return document if right else Drop(f"libretexts without formulas: {host}")
