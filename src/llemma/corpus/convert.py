"""Pages, papers and proofs to rows, outside a recipe: `llemma corpus extract`, `latex` and `steps`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl, registry
from llemma.core.console import Console, Progress
from llemma.core.errors import MissingError, UsageError
from llemma.core.files import file_digest
from llemma.core.types import Document, Drop, Dropped
from llemma.corpus.check import open_step
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.arxiv import Arxiv
from llemma.corpus.sources.warc import Warc

STEPS = ("not-empty", "long-enough", "has-formulas", "english", "few-accents", "little-boilerplate")
"""What a page must pass unless every page is wanted."""

PAGES = (".html", ".htm", ".xhtml")
ROWS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
ARCHIVES = (".warc", ".warc.gz")

_EXPECTED = ("HTTP status", "not HTML")
_WARNINGS = 20

Item = Document | Dropped
Step = Callable[[Document], Document | Drop]


class PageRow(msgspec.Struct, frozen=True):
    """A row of `llemma corpus extract`; `found_math` counts the formulas in `text`."""

    id: str
    url: str
    title: str
    text: str
    found_math: int


class PaperRow(msgspec.Struct, frozen=True):
    """A row of `llemma corpus latex`."""

    id: str
    text: str
    meta: dict[str, Any]


class Counts(msgspec.Struct, frozen=True):
    """What became of the inputs."""

    kept: int
    dropped: int


def extract_files(inputs: Sequence[Path], out: Path, *, every: bool, console: Console) -> Counts:
    """Pages of WARC files, HTML files, JSONL rows with `html`, or folders of these, as `PageRow`s in `out`.

    Dropped pages go to `dropped_path(out)` with their reasons; `every` keeps all pages and applies no filter. A damaged
    record is told with its file and place, and reading goes on at the next.
    """
    steps: list[tuple[str, Step]] = [] if every else [(name, open_step(name)) for name in STEPS]
    files = [file for path in inputs for file in _page_files(path)]
    items = (_stepped(item, steps) for file in files for item in _pages(file, every))
    return _write(items, _page_row, out, "extract", "pages", console)


def latex_files(inputs: Sequence[Path], out: Path, *, rules: str = "default", console: Console) -> Counts:
    """One `PaperRow` for each arXiv-style source archive, folder or .tex file; dropped ones as in `extract_files`.
    `rules`: `default`, or `llemma` for RedPajama's as published."""
    source = Arxiv([str(path) for path in inputs], rules)
    units = source.units(Context(out.parent, console))
    items = (item for unit in units for item in source.read(unit, "latex"))
    return _write(items, _paper_row, out, "latex", "papers", console)


def steps_files(inputs: Sequence[Path], out: Path, prover: str, *, workers: int, console: Console) -> Counts:
    """One `PaperRow` for each theorem in `inputs`, with its proof steps: Rocq's `.v` files (run in `workers` sessions
    at the same time) or the extractions of Lean and Isabelle. The rows' order does not depend on `workers`."""
    source = registry.find("source", f"{prover}-steps")(inputs=[str(path) for path in inputs])
    units = source.units(Context(out.parent, console))
    with ThreadPoolExecutor(workers) as pool:
        batches = pool.map(lambda unit: list(source.read(unit, f"{prover}-steps")), units)
        return _write((item for batch in batches for item in batch), _paper_row, out, "steps", "theorems", console)


def dropped_path(out: Path) -> Path:
    """`pages.jsonl.zst` -> `pages.dropped.jsonl`."""
    return out.with_name(out.name.removesuffix(".zst").removesuffix(".gz").removesuffix(".jsonl") + ".dropped.jsonl")


def _write(
    items: Iterator[Item], row: Callable[[Document], Any], out: Path, verb: str, unit: str, console: Console
) -> Counts:
    if not out.name.endswith(ROWS):
        raise UsageError(f"cannot tell the format of {out}", mend=f"let the name end in {', '.join(ROWS)}")
    dropped: list[Dropped] = []
    with console.progress(verb, unit=unit) as bar:
        kept = jsonl.write(out, (row(item) for item in _kept(items, dropped, bar, console)))
    jsonl.write(dropped_path(out), dropped)
    return Counts(kept, len(dropped))


def _kept(items: Iterator[Item], dropped: list[Dropped], bar: Progress, console: Console) -> Iterator[Document]:
    told = 0
    for item in bar.counted(items):
        if isinstance(item, Document):
            yield item
            continue
        dropped.append(item)
        if item.step == "read" and not item.reason.startswith(_EXPECTED):
            told += 1
            if told <= _WARNINGS:
                more = "; further ones are in the file of dropped pages" if told == _WARNINGS else ""
                console.warn(f"skipped {item.id}: {item.reason}{more}")


def _stepped(item: Item, steps: Sequence[tuple[str, Step]]) -> Item:
    for name, step in steps:
        if isinstance(item, Dropped):
            break
        result = step(item)
        item = Dropped(item.id, item.source, name, result.reason) if isinstance(result, Drop) else result
    return item


def _page_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.name.lower().endswith((*PAGES, *ROWS, *ARCHIVES)))
        if not found:
            raise MissingError(
                f"no pages in {path}", mend=f"give files that end in {', '.join((*ARCHIVES, *PAGES, *ROWS))}"
            )
        return found
    if not path.is_file():
        raise MissingError(f"no such file: {path}", mend="check the path")
    return [path]


def _pages(path: Path, every: bool) -> Iterator[Item]:
    name = path.name.lower()
    if name.endswith(PAGES):
        return _html_file(path, every)
    if name.endswith(ROWS):
        return _html_rows(path, every)
    # whatever else there is must be a WARC file; one that is not says so
    unit = Unit(path.name, str(path), file_digest(path))
    return Warc([], prefilter=not every, every=every).read(unit, "web")


def _html_file(path: Path, every: bool) -> Iterator[Item]:
    yield _page(str(path), path.absolute().as_uri(), path.read_bytes(), every)


def _html_rows(path: Path, every: bool) -> Iterator[Item]:
    """Rows `{html, id?, url?}`; a damaged row, or a stream that breaks off, is told by its line."""
    number, decoder = 0, msgspec.json.Decoder(dict[str, Any])
    try:
        with jsonl.open_lines(path) as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield _html_row(line, decoder, f"{path.name} line {number}", every)
    except jsonl.damage() as error:
        yield Dropped(f"{path.name} line {number + 1}", "web", "read", f"damaged stream: {error}")


def _html_row(line: bytes, decoder: msgspec.json.Decoder[dict[str, Any]], place: str, every: bool) -> Item:
    try:
        row = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Dropped(place, "web", "read", f"damaged row: {error}")
    if not isinstance(row.get("html"), str):
        return Dropped(str(row.get("id", place)), "web", "read", "a row without 'html'")
    url = row["url"] if isinstance(row.get("url"), str) else ""
    return _page(str(row.get("id", url or place)), url, row["html"], every)


def _page(identifier: str, url: str, html: str | bytes, every: bool) -> Item:
    from llemma.corpus.web import extract, looks_mathematical

    raw = html if isinstance(html, bytes) else html.encode("utf-8", "replace")
    if not every and not looks_mathematical(raw):
        return Dropped(identifier, "web", "prefilter", "no sign of mathematics")
    page = extract(html, url or None)
    return Document(identifier, page.text, "web", {"url": url, "title": page.title, "found_math": page.found_math})


def _page_row(document: Document) -> PageRow:
    meta = document.meta
    return PageRow(document.id, meta["url"], meta["title"], document.text, meta["found_math"])


def _paper_row(document: Document) -> PaperRow:
    return PaperRow(document.id, document.text, document.meta)
