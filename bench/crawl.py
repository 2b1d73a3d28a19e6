"""What a crawl costs: CPU time of each part of `llemma corpus extract`, and of a segment and a whole crawl from it.

    python bench/crawl.py FILE.warc.gz [REPEATS]      the parts one by one, on the records of a real crawl file
    python bench/crawl.py workers FILE.warc.gz        the same work with and without workers

Times are CPU seconds of all processes (user and system), so they do not depend on how busy the machine is. No network.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.console import table
from llemma.core.types import Document
from llemma.corpus.convert import STEPS
from llemma.corpus.sources import pages
from llemma.corpus.sources.pages import Options
from llemma.corpus.sources.records import split
from llemma.corpus.sources.warc import records
from llemma.corpus.workers import Limits

# A file of CC-MAIN-2023-14 and the crawls around it: assumed, not measured (docs/crawl.md).
SEGMENT_PAGES, SEGMENT_MB, SEGMENT_RECORDS, FILES = 35_000, 5_000, 105_000, 90_000
SIGNS = 0.10
"""Assumed share of a general crawl's pages that pass the quick look."""


def cpu(action: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds that `action` takes, in this process and in those that it starts and ends; and its result."""
    before = _spent()
    result = action()
    return _spent() - before, result


def _spent() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, whose))


def parts(path: Path, repeats: int) -> str:
    """A row for each part: split, quick look, and everything for pages with and without signs of mathematics."""
    found = list(split(path))
    reading = min(cpu(lambda: list(split(path)))[0] for _ in range(repeats))
    work = pages.worker(msgspec.json.encode(Options("web", steps=list(STEPS))))
    pieces = [data for _, data in records(path, path.name, "web") if data is not None]
    passed, others = [], []
    for data in pieces:
        item = pages.opened(work(data), "", "web")
        if item is not None:
            quick = not isinstance(item, Document) and item.step in ("prefilter", "read")
            (others if quick else passed).append(data)
    full = min(cpu(lambda: list(map(work, passed)))[0] for _ in range(repeats))
    quick = min(cpu(lambda: list(map(work, others)))[0] for _ in range(repeats))
    size = sum(len(getattr(item, "data", b"")) for item in found) / 1e6
    rows = [
        _row("split the file", len(found), size, reading),
        _row("pages passed over by the quick look", len(others), sum(map(len, others)) / 1e6, quick),
        _row("pages extracted and filtered", len(passed), sum(map(len, passed)) / 1e6, full),
    ]
    text = table(("part", "number", "MB", "CPU s", "a second", "MB/s"), rows)
    return f"{text}\n\n{_cost(reading / size, quick / sum(map(len, others)) * 1e6, full / len(passed))}"


def _row(name: str, number: int, size: float, seconds: float) -> tuple[str, ...]:
    return (name, f"{number:,}", f"{size:.1f}", f"{seconds:.2f}", f"{number / seconds:,.0f}", f"{size / seconds:,.0f}")


def _cost(reading: float, quick: float, full: float) -> str:
    """Of a segment: all its bytes are split, the pages' (four fifths of them) looked at, and a share extracted."""
    parts = {
        "split": SEGMENT_MB * reading,
        "quick look": SEGMENT_MB * 0.8 * (1 - SIGNS) * quick,
        "extraction": SEGMENT_PAGES * SIGNS * full,
    }
    total = sum(parts.values())
    shares = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in parts.items())
    return (
        f"a file of {SEGMENT_PAGES:,} pages and {SEGMENT_MB:,} MB, of which {SIGNS:.0%} show signs of mathematics: "
        f"{total:.0f} CPU s ({shares})\n{FILES:,} such files: {total * FILES / 3600:,.0f} CPU hours"
    )


def workers(path: Path) -> str:
    """Pages per CPU-second with the work done here, and by one, two and four workers; half a minute of work each."""
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many.warc.gz"
        many.write_bytes(path.read_bytes() * 6)
        options = Options("web")
        work = pages.worker(msgspec.json.encode(options))

        def here() -> int:
            return sum(1 for _, data in records(many, "many", "web") if data is not None and work(data))

        def there(count: int) -> int:
            return len(list(pages.extracted(records(many, "many", "web"), options, limits=Limits(), count=count)))

        here()
        plain, number = cpu(here)
        rows = [("none", f"{plain:.2f}", f"{number / plain:.1f}", "")]
        for count in (1, 2, 4):
            seconds, _ = cpu(lambda count=count: there(count))  # type: ignore[misc]
            rows.append((str(count), f"{seconds:.2f}", f"{number / seconds:.1f}", f"{seconds / plain - 1:+.1%}"))
    return table(("workers", "CPU s", "pages/CPU s", "more"), rows)


def main(arguments: list[str]) -> None:
    """Print the table that was asked for."""
    if arguments[0] == "workers":
        print(workers(Path(arguments[1])))
    else:
        print(parts(Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 3))


if __name__ == "__main__":
    main(sys.argv[1:])
