"""Listed addresses go; what only resembles them stays."""

from pathlib import Path

import pytest

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.addresses import BLACKLIST, Addresses, libretexts, listed


def page(url: str, found_math: int = 0) -> Document:
    return Document("id", "text", "web", {"url": url, "found_math": found_math})


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://a.example/authors/gauss", "/authors/"),
        ("https://a.example/math/authors", "/authors/"),
        ("https://a.example/serials/12", "/serials/"),
        ("https://read.dukeupress.edu/dmj/1", "read.dukeupress.edu"),
        ("https://WWW.READ.dukeupress.EDU", "read.dukeupress.edu"),
        ("https://a.example/Profile/7", "/profile/"),
        ("https://a.example/people/noether/rings.html", ""),
        ("https://a.example/proof?next=/authors/", ""),
        ("https://thread.dukeupress.edu/", ""),
        ("https://a.example/coauthors/x", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_listed(url: str, pattern: str) -> None:
    assert listed(url) == pattern
    assert isinstance(Addresses()(page(url)), Drop) == bool(pattern)


def test_every_pattern_matches_something() -> None:
    assert all(listed(f"https://a.example/x{p}y" if p[0] == "/" else f"https://{p}/") == p for p in BLACKLIST)


def test_a_list_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\nspam.example\n/Toc/\n\n", "utf-8")
    step = Addresses(str(path))
    assert isinstance(step(page("https://www.spam.example/rings")), Drop)
    assert isinstance(step(page("https://a.example/toc/1")), Drop)
    assert isinstance(step(page("https://a.example/rings")), Document)
    assert step.files() == [path]


@pytest.mark.parametrize(
    ("url", "formulas", "kept"),
    [
        ("https://math.libretexts.org/a", 0, True),
        ("https://phys.libretexts.org/a", 0, True),
        ("https://stats.libretexts.org/a", 0, True),
        ("https://chem.libretexts.org/a", 2, True),
        ("https://chem.libretexts.org/a", 0, False),
        ("https://libretexts.org/a", 0, False),
        ("https://notlibretexts.org/a", 0, True),
    ],
)
def test_libretexts(url: str, formulas: int, kept: bool) -> None:
    assert isinstance(libretexts(page(url, formulas)), Document) == kept
