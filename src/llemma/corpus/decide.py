"""The first half of the global pass: everything that keeps a staged document out of the corpus, written to files.

Memory holds one byte a document, a setting for tables, and the texts being compared: see `copies` and `exchange`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core.console import Console
from llemma.core.errors import LlemmaError
from llemma.core.files import digest
from llemma.corpus.config import CorpusConfig
from llemma.corpus.copies import (
    COPY,
    METHODS,
    Dropped,
    Index,
    chunk_copies,
    equal_keys,
    near_copies,
    repeated,
    settled,
)
from llemma.corpus.dedup import Marks
from llemma.corpus.exchange import Keys, Limits, Rows, keyed
from llemma.corpus.languages.chunks import RULES, ChunkRule
from llemma.corpus.layout import Row
from llemma.corpus.staging import Staged
from llemma.corpus.words import Hashes, word_hashes

BLOCK = 5_000
"""Documents whose columns are read at a time."""
CHUNK_BLOCK = 50_000
"""Chunks that are read at a time."""
MERGE_VERSION = 3
"""Raise it whenever the same staged units give another corpus."""


class StagedSource(msgspec.Struct, frozen=True):
    """A source's staged units in order, or why it was left out."""

    name: str
    units: list[Path]
    limit: int | None = None
    skipped: str = ""


class Fate(msgspec.Struct, frozen=True):
    """A way out of the corpus: the ledger's step, and its reason with `{keeper}` and `{similarity}` to be filled in."""

    step: str
    reason: str


FATES = {
    "limit": Fate("limit", "beyond the limit of this build"),
    "ids": Fate("unique-id", "a document with this id came before"),
    "equal": Fate("exact-duplicate", "same words as another document: {keeper}"),
    "chunks-llemma": Fate("chunk-duplicate", "a chunk of an earlier document: {keeper}"),
    "own-llemma": Fate("chunk-duplicate", "repeats a chunk of its own"),
    "chunks-default": Fate("chunk-duplicate", "made of chunks of earlier documents: {similarity:.3f} {keeper}"),
    "near": Fate("near-duplicate", "close to another document: {similarity:.3f} {keeper}"),
}
"""What `decide` finds, by the names of its files; each holds `COPY` rows in order, and no document is in two."""


def merge_digest(sources: Sequence[StagedSource], config: CorpusConfig) -> str:
    """Names all that decides the corpus."""
    parts = [
        (source.name, [unit.name for unit in source.units], source.limit, source.skipped, config.sources[source.name])
        for source in sources
    ]
    numbers = (config.validation, config.test, config.dedup_threshold, config.shard_bytes, config.chunk_dedup)
    return digest(MERGE_VERSION, parts, numbers, config.dedup, config.tokenizer)


class Table:
    """All staged documents, numbered through in order."""

    def __init__(self, sources: Sequence[StagedSource]) -> None:
        self.sources = sources
        self.units = [(source, Staged(path)) for source in sources for path in source.units]
        self.starts: list[int] = np.cumsum([0, *(len(unit) for _, unit in self.units)]).tolist()

    def __len__(self) -> int:
        return self.starts[-1]

    def blocks(self) -> list[tuple[Staged, int, int]]:
        """Pieces of units, as (unit, first document, documents): of a unit of millions not all is read at a time."""
        return [
            (unit, first, min(BLOCK, len(unit) - first))
            for _, unit in self.units
            for first in range(0, len(unit), BLOCK)
        ]

    def place(self, number: int) -> tuple[Staged, int]:
        """The unit of a document and its number in it."""
        unit = int(np.searchsorted(self.starts, number, side="right")) - 1
        return self.units[unit][1], number - self.starts[unit]

    def row(self, number: int) -> Row:
        """A document's row, read from disk."""
        unit, inner = self.place(number)
        return unit.row(inner)

    def marks(self, numbers: Sequence[int]) -> Marks:
        """Documents' signatures, read from disk."""
        places = (self.place(number) for number in numbers)
        return np.stack([unit.marks(inner) for unit, inner in places])

    def ranges(self) -> list[tuple[StagedSource, int, int]]:
        """Each source with its first document and the one after its last."""
        found, start = [], 0
        for source in self.sources:
            end = start + sum(len(unit) for owner, unit in self.units if owner is source)
            found.append((source, start, end))
            start = end
        return found


def decide(
    sources: Sequence[StagedSource], config: CorpusConfig, scratch: Path, console: Console, workers: int = 1
) -> None:
    """Find all that keeps documents out: files of `COPY` rows named by `FATES` in `scratch`, and `dropped`, one byte a
    document."""
    table, limits = Table(sources), Limits(scratch / "met", config.merge_memory, workers)
    index = _index(table, config)
    scratch.mkdir(parents=True, exist_ok=True)
    dropped = np.zeros(len(table), bool)
    _over_limit(table, dropped, scratch / "limit")
    with console.progress("find copies", 4, unit="passes") as bar:
        repeated(equal_keys(index.starts, index.ids, dropped), dropped, scratch / "ids", limits)
        bar.advance(1)
        repeated(equal_keys(index.starts, index.texts, dropped), dropped, scratch / "equal", limits)
        bar.advance(1)
        for rule in RULES.values():
            _chunks(table, rule, dropped, scratch, limits)
        bar.advance(1)
        near_copies(index, config.dedup_threshold, dropped, scratch / "near", limits)
        bar.advance(1)
    for later in ("chunks-llemma", "chunks-default", "near"):
        _settle(scratch / "equal", scratch / later)
    dropped.tofile(scratch / "dropped")


def _index(table: Table, config: CorpusConfig) -> Index:
    blocks = table.blocks()
    method = METHODS[config.dedup]
    if any(unit.method is not method for _, unit in table.units):
        raise LlemmaError("staged units were signed in another way", mend="remove .staging and build again")
    return Index(
        starts=[0, *np.cumsum([count for _, _, count in blocks]).tolist()],
        method=method,
        ids=lambda number: _column(blocks[number], "id"),
        texts=lambda number: _column(blocks[number], "text"),
        keys=lambda number: blocks[number][0].keys(*blocks[number][1:]),
        marks=table.marks,
        words=lambda number: word_hashes(table.row(number).text.split()),
    )


def _column(block: tuple[Staged, int, int], name: str) -> Hashes:
    unit, first, count = block
    return np.asarray(unit.index(first, count)[name])


def _over_limit(table: Table, dropped: Dropped, file: Path) -> None:
    rows = [np.zeros(0, COPY)]
    for source, start, end in table.ranges():
        if source.limit is not None and start + source.limit < end:
            rows.append(alone(np.arange(start + source.limit, end)))
    found = np.concatenate(rows)
    dropped[found["number"]] = True
    found.tofile(file)


def alone(numbers: NDArray[np.int64]) -> NDArray[np.void]:
    """`COPY` rows of documents that are dropped for no other document's sake."""
    rows = np.zeros(len(numbers), COPY)
    rows["number"] = rows["keeper"] = numbers
    return rows


def _chunks(table: Table, rule: ChunkRule, dropped: Dropped, scratch: Path, limits: Limits) -> None:
    """Drop what repeats chunks; only units whose chunks were taken by this rule are compared."""
    units = [number for number, (_, unit) in enumerate(table.units) if unit.chunk_rule is rule]
    own = _repeating(table, units, dropped) if rule.remembers_dropped else np.zeros(0, np.int64)
    chunk_copies(
        rule, _chunk_keys(table, units, dropped), _totals(table), dropped, scratch / f"chunks-{rule.name}", limits
    )
    if rule.remembers_dropped:
        own = own[~dropped[own]]
        dropped[own] = True
        alone(own).tofile(scratch / f"own-{rule.name}")


def _repeating(table: Table, units: Sequence[int], dropped: Dropped) -> NDArray[np.int64]:
    found = [np.flatnonzero(table.units[unit][1].index()["repeats"]) + table.starts[unit] for unit in units]
    numbers: NDArray[np.int64] = np.concatenate([np.zeros(0, np.int64), *found])
    return numbers[~dropped[numbers]]


def _chunk_keys(table: Table, units: Sequence[int], dropped: Dropped) -> Keys:
    sizes = {unit: table.units[unit][1].record.chunks for unit in units}
    blocks = [(unit, first) for unit, size in sizes.items() for first in range(0, size, CHUNK_BLOCK)]

    def block(place: int) -> Rows:
        unit, first = blocks[place]
        rows = table.units[unit][1].chunks(first, min(CHUNK_BLOCK, sizes[unit] - first))
        numbers = rows["document"].astype(np.uint64) + np.uint64(table.starts[unit])
        alive = ~dropped[numbers]
        return keyed(numbers[alive], rows["chunk"][alive])

    return Keys(len(blocks), block, sum(sizes.values()))


def _totals(table: Table) -> Callable[[int], int]:
    """How many different chunks a document has; asked for in document order."""

    @lru_cache(maxsize=1)
    def column(unit: Staged) -> NDArray[np.uint32]:
        return unit.index()["chunks"].copy()

    def total(number: int) -> int:
        unit, inner = table.place(number)
        return int(column(unit)[inner])

    return total


def _settle(equal: Path, later: Path) -> None:
    """Equal copies of documents that a later pass dropped go the way of these."""
    near = np.fromfile(later, COPY)
    if len(near):
        found = settled(np.fromfile(equal, COPY), near)
        for file, rows in zip((equal, later), found, strict=True):
            rows.tofile(file)
