"""Labelled passages from documentation that anyone may copy: what the starter score is trained on.

python bench/starter_rows.py OUT.jsonl [FOLDER]

Debian packages of documentation are fetched into FOLDER (about 500 MB) with `apt-get download` and unpacked there;
nothing is installed. A page of a mathematical package is mathematical where our extractor finds formulas in it (as the
paper labels pages by LaTeX), all pages of the plain-text manuals of algebra systems are; a page of another package is
not, where it has no formula. Rows are {text, label, group}; the same packages give the same rows.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from llemma.corpus.web import extract, looks_mathematical

MATHEMATICS = {
    "python-sympy-doc": 3,
    "python-mpmath-doc": 3,
    "python-scipy-doc": 3,
    "python-statsmodels-doc": 3,
    "python-sklearn-doc": 3,
    "sagemath-doc": 3,
    "python-qutip-doc": 3,
    "python-lmfit-doc": 2,
    "octave-doc": 1,
    "libeigen3-doc": 2,
    "libitpp-doc": 2,
    "libfftw3-doc": 1,
    "libntl-dev": 0,
    "gap-doc": 0,
    "giac-doc": 0,
    "maxima-doc": 0,
    "singular-doc": 0,
}
"""Packages, and the formulas that a page of theirs must have to be called mathematical."""
OTHER = (
    "anarchism",
    "apache2-doc",
    "aptitude-doc-en",
    "debian-faq",
    "debian-handbook",
    "debian-history",
    "debian-policy",
    "debian-reference-en",
    "developers-reference",
    "fortunes",
    "gimp-help-en",
    "git-doc",
    "gnome-user-docs",
    "harden-doc",
    "installation-guide-amd64",
    "libreoffice-help-en-us",
    "lilypond-doc-html",
    "postfix-doc",
    "python-django-doc",
    "python3.11-doc",
    "rust-doc",
    "zsh-doc",
)
PAGES = 500
"""Pages of a package that are taken, chosen by a hash of their names."""
PASSAGES = 3
"""Passages of a page."""
ELSEWHERE = re.compile(
    r"/(?:de|fr|es|it|ja|ca|pt|pt[-_]BR|ru|nl|hu|zh|cs|el|ko|tr|da|sv|pl|uk|ro|fi|hr|id|sl)(?:[-_][A-Z]{2})?/"
    r"|\.(?:de|fr|es|it|ja|ca|pt|ru|nl|hu|zh|cs|el|ko|tr|da|ro|uk|pt-br|zh-cn)\.(?:html|txt)"
    r"|genindex|py-modindex|search\.html|_modules/|members\.html"
)


def fetch(folder: Path) -> None:
    """Download and unpack what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in (*MATHEMATICS, *OTHER) if not (folder / name).is_dir()]
    if wanted:
        subprocess.run(["apt-get", "-q", "download", *wanted], cwd=folder, check=True)
    for name in wanted:
        for package in folder.glob(f"{name}_*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), str(folder / name)], check=True)


def pages(folder: Path, name: str) -> Iterator[tuple[str, str, int]]:
    """Name, text and number of formulas of a package's pages."""
    root = folder / name
    endings = (".html", ".xhtml", ".htm", ".page")
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    texts = [path for path in files if path.suffix in endings or "/fortunes/" in str(path)]
    own = [path for path in texts if not ELSEWHERE.search(str(path)) and path.stat().st_size < 2_000_000]
    if name == "gnome-user-docs":
        own = [path for path in own if "/C/" in str(path)]
    if name == "debian-handbook":
        own = [path for path in own if "/en-US/" in str(path)]
    for path in sorted(own, key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest()):
        if path.suffix in endings:
            raw = path.read_bytes()
            if MATHEMATICS.get(name) and not looks_mathematical(raw):
                continue
            page = extract(raw)
            yield str(path.relative_to(folder)), page.text, page.found_math
        elif path.suffix == "":
            yield str(path.relative_to(folder)), path.read_text("utf-8", "replace"), 0


def passages(text: str, chance: random.Random) -> Iterator[str]:
    """Up to `PASSAGES` pieces of a page: a score must judge short pages and long ones."""
    at = 0
    for _ in range(PASSAGES):
        length = int(300 * 30 ** chance.random())
        piece = text[at : at + length]
        at += length
        if len(piece) >= 200:
            yield piece


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """All labelled passages."""
    for name in (*MATHEMATICS, *OTHER):
        least = MATHEMATICS.get(name)
        right = ((place, text) for place, text, found in pages(folder, name) if _right(found, least))
        for place, text in islice(right, PAGES):
            for piece in passages(text, random.Random(place)):
                yield {"text": piece, "label": "other" if least is None else "math", "group": place}


def _right(found: int, least: int | None) -> bool:
    """Whether a page with so many formulas is clearly of its package's label."""
    return found >= least if least is not None else found == 0


def main(out: Path, folder: Path) -> None:
    """Write the rows and say how many each package gave."""
    fetch(folder)
    counts: dict[tuple[str, str], int] = {}
    with open(out, "w", encoding="utf-8") as file:
        for row in rows(folder):
            key = row["label"], row["group"].split("/")[0]
            counts[key] = counts.get(key, 0) + 1
            file.write(json.dumps(row) + "\n")
    for (label, name), count in counts.items():
        print(f"{label:8}{name:28}{count:6}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "starter-packages"))
