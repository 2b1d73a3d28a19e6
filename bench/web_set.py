"""The labelled set of web pages: real ones, and real text in the markup of many generators.

python bench/web_set.py OUT --warc ../shared/raw/web/pages.warc.gz --pages FOLDER ... --papers ../shared/raw/arxiv

FOLDER holds HTML files in one sub-folder an origin, such as unpacked documentation packages (`apt-get download
python-scipy-doc; dpkg-deb -x python-scipy-doc*.deb FOLDER/scipy`). OUT/open.jsonl.gz and OUT/held.jsonl.gz get rows {name, origin,
html, formulas, sentences, furniture}; a hash of the page's name decides, 40 % are held. Work with the open part; look
at the other once, at the end. `web_truth.py` and `web_sites.py` say where labels come from.
"""

# ruff: noqa: E501

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from web_sites import SITES, documents, labels, page
from web_truth import Labels, label

PAGES_AN_ORIGIN = 40
"""Pages of one documentation package; with at most a quarter that hold no formula."""
PAGES_A_SITE = 4
MAX_BYTES = 1_500_000


def number(name: str) -> int:
    """A number that depends on a name alone."""
    return int(sha256(name.encode()).hexdigest()[:8], 16)


def crawled(archive: Path) -> Iterator[tuple[str, str, str]]:
    """(name, origin, HTML) of the responses of a WARC file."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with archive.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            url = record.headers.get("WARC-Target-URI") or ""
            yield url, url.split("/")[2], record.reader.read().decode("utf-8", "replace")


def packaged(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(name, origin, HTML) of pages of unpacked packages, chosen by hash."""
    for origin in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(origin.rglob("*.html"), key=lambda path: number(str(path.relative_to(folder))))
        taken = plain = 0
        for path in files[:400]:
            if (
                not path.is_file()
                or path.is_symlink()
                or not 1500 < path.stat().st_size < MAX_BYTES
                or taken >= PAGES_AN_ORIGIN
            ):
                continue
            source = path.read_text("utf-8", "replace")
            formal = any(
                mark in source
                for mark in ("\\(", "\\[", 'class="math"', "formulaInl", "formulaDsp", "<math", "math/tex")
            )
            plain += not formal
            if formal or plain <= PAGES_AN_ORIGIN // 4:
                taken += 1
                yield str(path.relative_to(folder)), origin.name, source


def made(archives: list[Path]) -> Iterator[tuple[str, str, str, Labels]]:
    """Pages in the markup of every site `web_sites` knows, with their labels."""
    drafts = documents(archives, len(SITES) * PAGES_A_SITE)
    for site in SITES:
        for index in range(PAGES_A_SITE):
            document = next(drafts)
            yield f"made/{site}/{index}", f"made {site}", page(site, document), labels(document, site)


def rows(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All pages with their labels; a page without any label is left out."""
    real = [*(crawled(args.warc) if args.warc else ()), *(p for folder in args.pages for p in packaged(folder))]
    for name, origin, source in real:
        try:
            found = label(source)
        except (ValueError, AssertionError) as error:
            print(f"left out {name}: {error}")
            continue
        yield {"name": name, "origin": origin, "html": source, **found._asdict()}
    for name, origin, source, known in made(sorted(args.papers.glob("*.tar.gz"))) if args.papers else ():
        yield {"name": name, "origin": origin, "html": source, **known._asdict()}


def main() -> None:
    """Write both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--warc", type=Path)
    parser.add_argument("--pages", type=Path, nargs="*", default=[])
    parser.add_argument("--papers", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    parts = {part: gzip.open(args.out / f"{part}.jsonl.gz", "wt", compresslevel=3) for part in ("open", "held")}
    counts = dict.fromkeys(parts, 0)
    for row in rows(args):
        part = "held" if number(row["name"]) % 10 < 4 else "open"
        counts[part] += 1
        parts[part].write(json.dumps(row) + "\n")
    for stream in parts.values():
        stream.close()
    print(counts)


if __name__ == "__main__":
    main()
