"""What building a corpus costs: MB per CPU-second of reading, steps and signing, and the memory of the global pass.

    python bench/corpus.py rates            the standard library, installed packages, and Rocq's library where it is
    python bench/corpus.py merge [N ...]    peak memory and time of the global pass over N documents, one in ten a copy

No network; `rates` takes about a minute, `merge` about ten seconds for a million documents.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import zstandard

from llemma.core.console import Console, table
from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus import dedup, staging
from llemma.corpus.blocks import Stage, Steps, work_of
from llemma.corpus.check import open_source
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.decide import StagedSource
from llemma.corpus.layout import Row
from llemma.corpus.merge import merge
from llemma.corpus.source import Context

MEMORY = 64_000_000
"""Bytes that the tables of the global pass may take in `merge`."""
STEPS = ["not-empty", "size", "numeric-density", "no-generated", "no-minified", "no-tests"]
PACKAGES = ["sympy", "networkx", "matplotlib", "fonttools", "numpy", "transformers"]
SOURCES = {
    "stdlib": SourceConfig("stdlib", "s", STEPS, {}),
    "installed": SourceConfig("installed", "s", STEPS, {"packages": PACKAGES, "include": ["**/*.py"]}),
    "rocq": SourceConfig("rocq", "s", ["not-empty", "size", "rocq"]),
}


def rates() -> str:
    """CPU time of each stage alone, a source a row: naming its content, reading, steps, signing and staging."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        context = Context(Path(folder), Console(quiet=True))
        for name, config in SOURCES.items():
            try:
                rows.append(_rates(name, config, context))
            except MissingError as error:
                rows.append((name, error.what, *[""] * 8))
    head = ("source", "files", "MB", "kept", "named", "read", "steps", "signed", "all, MB/s", "documents/s")
    return table(head, rows)


def _rates(name: str, config: SourceConfig, context: Context) -> tuple[str, ...]:
    source = open_source(config, name)
    _timed(lambda: source.units(context))  # files come into the system's cache
    naming, units = _timed(lambda: source.units(context))
    works = [work_of(name, config, unit, None, "") for unit in units]
    reading, items = _timed(lambda: [list(source.read(unit, name)) for unit in units])
    stepping, kept = _timed(lambda: [list(Steps(works, []).run(iter(some), rank)) for rank, some in enumerate(items)])
    stage = Stage(works, context.cache / name, b"[]", 30)
    signing, _ = _timed(lambda: [list(stage.run(iter(some), rank)) for rank, some in enumerate(kept)])
    read, left = _sum(items), _sum(kept)
    total = naming + reading + stepping + signing
    speeds = [f"{size / seconds:.0f}" for size, seconds in (
        (read[1], naming), (read[1], reading), (read[1], stepping), (left[1], signing), (read[1], total)
    )]  # fmt: skip
    return (name, str(read[0]), f"{read[1]:.0f}", f"{left[1] / read[1]:.0%}", *speeds, f"{read[0] / total:.0f}")


def _timed(work):  # type: ignore[no-untyped-def]
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def _sum(items: list[list[Document | Dropped]]) -> tuple[int, float]:
    """Documents and their MB."""
    documents = [item for some in items for item in some if isinstance(item, Document)]
    return len(documents), sum(len(item.text.encode("utf-8", "replace")) for item in documents) / 1e6


def merges(sizes: list[int]) -> str:
    """Each size in a process of its own: peak memory is a process' for good."""
    rows = []
    for size in sizes:
        answer = subprocess.run(
            [sys.executable, __file__, "one", str(size)], capture_output=True, text=True, check=True
        )
        memory, seconds = map(float, answer.stdout.split())
        rows.append((size, memory, seconds))
    first = rows[0]
    lines = [
        (f"{size:,}", f"{memory / 1e6:.0f}", f"{seconds:.1f}",
         f"{(memory - first[1]) / (size - first[0]):.0f}" if size > first[0] else "-")
        for size, memory, seconds in rows
    ]  # fmt: skip
    return table(("documents", "peak MB", "CPU-seconds", "bytes a document"), lines)


def one(size: int, memory: int = MEMORY) -> str:
    """The global pass over so many staged documents without a text to speak of."""
    config = CorpusConfig({"s": SourceConfig("folder", "s")}, merge_memory=memory)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        units = [_staged(folder / "units" / f"{start}", start, min(10_000, size - start)) for start in _starts(size)]
        started = time.process_time()
        merge([StagedSource("s", units)], config, folder / "out", Console(quiet=True))
        passed = time.process_time() - started
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} {passed}"


def _starts(size: int) -> Iterator[int]:
    yield from range(0, size, 10_000)


def _staged(folder: Path, start: int, count: int) -> Path:
    """A unit of documents with keys at random: one in ten an exact copy of the one before it, one in fifty with a band
    of the one before it, as texts alike in a part have."""
    rng = np.random.default_rng(start)
    index = np.zeros(count, staging.RECORD)
    for field in ("id", "text"):
        index[field] = rng.integers(0, 2**63, index[field].shape, dtype=np.uint64)
    index["text"][9::10] = index["text"][8::10][: len(index["text"][9::10])]
    keys = rng.integers(0, 2**63, (count, dedup.BANDS), dtype=np.uint64)
    keys[1::50, 0] = keys[0::50, 0][: len(keys[1::50])]
    marks = rng.integers(0, 2**32, (count, dedup.SIZE), dtype=np.uint32)
    row = zstandard.ZstdCompressor().compress(msgspec.json.encode(Row("a b c", {"id": "x", "source": "s"})))
    index["offset"], index["length"], index["bytes"] = 0, len(row), 2000
    folder.mkdir(parents=True)
    for name, column in (("index", index), ("keys", keys), ("marks", marks)):
        column.tofile(folder / f"{name}.bin")
    (folder / "documents.bin").write_bytes(row)
    for name in ("chunks.bin", "dropped.jsonl"):
        (folder / name).write_bytes(b"")
    (folder / "unit.json").write_bytes(msgspec.json.encode(staging.UnitRecord("s", count, {}, {})))
    return folder


if __name__ == "__main__":
    mode, *numbers = sys.argv[1:] or ["rates"]
    if mode == "one":
        print(one(*map(int, numbers)))
    elif mode == "merge":
        print(merges([int(number) for number in numbers] or [50_000, 200_000, 1_000_000]))
    else:
        print(rates())
