"""Pages, papers and proofs to rows, outside a recipe: `llemma corpus extract`, `latex` and `steps`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import IO, Any, TypeGuard

import msgspec

from llemma.core import jsonl, registry
from llemma.core.console import Console
from llemma.core.errors import UsageError
from llemma.core.files import replacing
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context
from llemma.corpus.sources import crawl
from llemma.corpus.sources.arxiv import Arxiv
from llemma.corpus.sources.crawl import ROWS
from llemma.corpus.sources.pages import MAX_MEMORY, MAX_SECONDS, Options, extracted
from llemma.corpus.sources.papers import LIMITS as PAPER_LIMITS
from llemma.corpus.sources.papers import made
from llemma.corpus.sources.warc import renamed
from llemma.corpus.workers import Limits

STEPS = ("not-empty", "long-enough", "has-formulas", "english", "few-accents", "little-boilerplate")
"""What a page must pass unless every page is wanted."""

PAGE_LIMITS = Limits(MAX_SECONDS, MAX_MEMORY)
UNEXPECTED = ("timeout", "memory", "crashed", "error")
"""What becomes of pages that do something to their worker."""

_EXPECTED = ("HTTP status", "not HTML", "a revisit", "not plain text")
_WARNINGS = 20

Item = Document | Dropped


class PageRow(msgspec.Struct, frozen=True):
    """A row of `llemma corpus extract`; `found_math` counts the formulas in `text`."""

    id: str
    url: str
    title: str
    text: str
    found_math: int
    truncated: str | msgspec.UnsetType = msgspec.UNSET
    """Only where the page is not whole: the crawler's reason, `broken`, or `size` for what is beyond our limit."""


class PaperRow(msgspec.Struct, frozen=True):
    """A row of `llemma corpus latex`."""

    id: str
    text: str
    meta: dict[str, Any]


class Counts(msgspec.Struct, frozen=True):
    """What became of the inputs."""

    kept: int
    dropped: int


def extract_files(
    inputs: Sequence[Path | str],
    out: Path,
    *,
    every: bool,
    console: Console,
    workers: int = 1,
    limits: Limits = PAGE_LIMITS,
    files: int = 0,
    keep: bool = False,
) -> Counts:
    """Pages of crawl files, HTML files, JSONL rows with `html`, or folders of these, as `PageRow`s in `out`.

    `inputs` may be addresses, lists of them (of each the first `files` lines; 0: all), patterns, or `-`; fetched files
    are removed once they are read, unless `keep`. Dropped pages go to `dropped_path(out)` with their reasons; `every`
    keeps all pages and applies no filter. A damaged record is told with its file and place, and reading goes on at the
    next. A page that takes more than `limits` is dropped. The rows' order does not depend on `workers`.
    """
    _check_format(out)
    options = Options("web", prefilter=not every, every=every, steps=[] if every else list(STEPS))
    found = crawl.expanded(inputs, files, console)
    flow = crawl.pieces(found, options.source, keep=keep, console=console)
    items = renamed(extracted(flow, options, limits=limits, count=workers))
    return _write(items, _page_row, out, "extract", "pages", console)


def latex_files(
    inputs: Sequence[Path],
    out: Path,
    *,
    rules: str = "default",
    console: Console,
    workers: int = 1,
    limits: Limits = PAPER_LIMITS,
) -> Counts:
    """One `PaperRow` for each arXiv-style source archive, folder or .tex file; dropped ones, limits and order as in
    `extract_files`. `rules`: `default`, or `llemma` for RedPajama's as published."""
    _check_format(out)
    source = Arxiv([str(path) for path in inputs], rules)
    units = source.units(Context(out.parent, console))
    return _write(
        made(source, units, "latex", limits=limits, count=workers), _paper_row, out, "latex", "papers", console
    )


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


def _check_format(out: Path) -> None:
    if not out.name.endswith(ROWS):
        raise UsageError(f"cannot tell the format of {out}", mend=f"let the name end in {', '.join(ROWS)}")


def _write(
    items: Generator[Item, None, None],
    row: Callable[[Document], Any],
    out: Path,
    verb: str,
    unit: str,
    console: Console,
) -> Counts:
    _check_format(out)
    with replacing(dropped_path(out)) as temporary, open(temporary, "wb") as file:
        ledger = _Ledger(file, console)
        with closing(items), console.progress(verb, unit=unit) as bar:
            kept = jsonl.write(out, (row(item) for item in bar.counted(items) if ledger.keeps(item)))
        file.flush()
    return Counts(kept, ledger.dropped)


class _Ledger:
    """Writes what was dropped, and tells what nobody expects."""

    def __init__(self, file: IO[bytes], console: Console) -> None:
        self.file, self.console = file, console
        self.dropped = self.told = 0

    def keeps(self, item: Item) -> TypeGuard[Document]:
        """Whether the item is kept; a dropped one is written."""
        if isinstance(item, Document):
            return True
        self.file.write(msgspec.json.encode(item) + b"\n")
        self.dropped += 1
        if item.step in UNEXPECTED or (item.step == "read" and not item.reason.startswith(_EXPECTED)):
            self.told += 1
            if self.told <= _WARNINGS:
                more = "; further ones are in the file of dropped pages" if self.told == _WARNINGS else ""
                self.console.warn(f"skipped {item.id}: {item.reason}{more}")
        return False


def _page_row(document: Document) -> PageRow:
    meta = document.meta
    return PageRow(
        document.id, meta["url"], meta["title"], document.text, meta["found_math"], meta.get("truncated", msgspec.UNSET)
    )


def _paper_row(document: Document) -> PaperRow:
    return PaperRow(document.id, document.text, document.meta)
