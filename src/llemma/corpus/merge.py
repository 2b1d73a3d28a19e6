"""The global pass over staged units: copies go, splits are drawn, shards and the ledger are written.

Memory does not hold texts: a few numbers a document, and the documents being compared or written.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from llemma.core.console import Console
from llemma.core.files import digest, disk_error, write_bytes, write_json
from llemma.core.types import SPLITS, Dropped, Split
from llemma.corpus import layout
from llemma.corpus.card import card
from llemma.corpus.check import split_shares
from llemma.corpus.config import CorpusConfig
from llemma.corpus.dedup import Copy, Index, find_copies
from llemma.corpus.layout import CorpusStats, Count, Row, SourceStats
from llemma.corpus.staging import Key, Staged, as_type, category, joined
from llemma.corpus.words import Hashes, word_hashes

MERGE_VERSION = 1
"""Raise it whenever the same staged units give another corpus."""


class StagedSource(msgspec.Struct, frozen=True):
    """A source's staged units in order, or why it was left out."""

    name: str
    units: list[Path]
    limit: int | None = None
    skipped: str = ""


def merge_digest(sources: Sequence[StagedSource], config: CorpusConfig) -> str:
    """Names all that decides the corpus."""
    parts = [
        (source.name, [unit.name for unit in source.units], source.limit, source.skipped, config.sources[source.name])
        for source in sources
    ]
    numbers = (config.validation, config.test, config.dedup_threshold, config.shard_bytes)
    return digest(MERGE_VERSION, parts, numbers)


def merge(sources: Sequence[StagedSource], config: CorpusConfig, out: Path, console: Console) -> CorpusStats:
    """Write the corpus of the staged units into `out`; the old one stays readable until the new one is whole."""
    table = Table(sources)
    with console.progress("find copies", None, unit="docs") as bar:
        fates = _fates(table, config.dedup_threshold)
        bar.advance(len(table))
    fresh = out / layout.STAGING / "corpus.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        stats = _write(table, fates, config, fresh, console)
        _move(fresh, out, stats)
    except OSError as error:
        raise disk_error(error, out) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    write_bytes(out / layout.CARD, card(stats, config).encode())
    write_json(out / layout.STATS, stats)
    return stats


class Table:
    """All staged documents, numbered through in order."""

    def __init__(self, sources: Sequence[StagedSource]) -> None:
        self.sources = sources
        self.units = [(source, Staged(path)) for source in sources for path in source.units]
        self.starts = np.cumsum([0, *(len(unit) for _, unit in self.units)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def column(self, name: str, band: int | None = None) -> Hashes:
        """One field of the index for all documents."""
        empty = np.zeros((0, 2) if name == "text" else 0, np.uint64)
        # Copies, since a view of one field would keep the whole records in memory.
        fields = (unit.index()[name] for _, unit in self.units)
        return np.concatenate([empty, *((field if band is None else field[:, band]).copy() for field in fields)])

    def place(self, number: int) -> tuple[Staged, int]:
        """The unit of a document and its number in it."""
        unit = int(np.searchsorted(self.starts, number, side="right")) - 1
        return self.units[unit][1], number - int(self.starts[unit])

    def row(self, number: int) -> Row:
        """A document's row, read from disk."""
        unit, inner = self.place(number)
        return unit.row(inner)

    def signature(self, number: int) -> NDArray[np.uint32]:
        """A document's MinHash signature, read from disk."""
        unit, inner = self.place(number)
        return np.asarray(unit.entry(inner)["rows"])


Fates = dict[int, tuple[str, str]]
"""Step and reason of each document that the global pass drops."""


def _fates(table: Table, threshold: float) -> Fates:
    fates = {**_over_limit(table), **_repeated(table)}
    alive = np.setdiff1d(np.arange(len(table)), np.fromiter(fates, np.int64, len(fates)))
    index = Index(
        texts=table.column("text")[alive],
        band=lambda band: table.column("bands", band)[alive],
        rows=lambda numbers: np.stack([table.signature(int(alive[number])) for number in numbers]),
        words=lambda number: word_hashes(table.row(int(alive[number])).text.split()),
    )
    for copy in find_copies(index, threshold):
        fates[int(alive[copy.index])] = _copy_fate(copy, table.row(int(alive[copy.keeper])).meta["id"])
    return fates


def _copy_fate(copy: Copy, keeper: str) -> tuple[str, str]:
    if copy.exact:
        return "exact-duplicate", f"same words as another document: {keeper}"
    return "near-duplicate", f"close to another document: {copy.similarity:.3f} {keeper}"


def _repeated(table: Table) -> Fates:
    ids = table.column("id")
    _, firsts = np.unique(ids, return_index=True)
    again = np.setdiff1d(np.arange(len(ids)), firsts)
    return {int(number): ("unique-id", "a document with this id came before") for number in again}


def _over_limit(table: Table) -> Fates:
    fates: Fates = {}
    for source in table.sources:
        ranges = [
            range(start, end)
            for (owner, _), start, end in zip(
                table.units, table.starts[:-1].tolist(), table.starts[1:].tolist(), strict=True
            )
            if owner.name == source.name
        ]
        if source.limit is not None:
            numbers = [number for numbers in ranges for number in numbers][source.limit :]
            fates |= dict.fromkeys(numbers, ("limit", "beyond the limit of this build"))
    return fates


def split_of(id: int, validation: float, test: float) -> Split:
    """The split of a document from the 64-bit hash of its id."""
    point = id / 2**64
    return "test" if point < test else "validation" if point < test + validation else "train"


class _Shards:
    """Writes rows into shards, a new one whenever the last is full."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self.limit = root, limit
        self.counts: dict[str, int] = {}
        self._open: dict[tuple[str, str], tuple[IO[bytes], str, int]] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def add(self, subset: str, split: str, line: bytes) -> None:
        """Append a row."""
        out, name, size = self._current(subset, split)
        out.write(line)
        self.counts[name] = self.counts.get(name, 0) + 1
        if size + len(line) < self.limit:
            self._open[subset, split] = (out, name, size + len(line))
        else:
            out.close()

    def _current(self, subset: str, split: str) -> tuple[IO[bytes], str, int]:
        return self._open.pop((subset, split)) if (subset, split) in self._open else self._next(subset, split)

    def _next(self, subset: str, split: str) -> tuple[IO[bytes], str, int]:
        number = self._numbers.get((subset, split), 0)
        self._numbers[subset, split] = number + 1
        name = layout.shard(subset, split, number)
        return _zst(self.root / name), name, 0

    def close(self) -> dict[str, Count]:
        """Finish all files; documents and file size of each shard."""
        for out, _, _ in self._open.values():
            out.close()
        return {name: Count(count, (self.root / name).stat().st_size) for name, count in sorted(self.counts.items())}


def _zst(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return zstandard.ZstdCompressor(level=3).stream_writer(open(path, "wb"), closefd=True)


def _write(table: Table, fates: Fates, config: CorpusConfig, root: Path, console: Console) -> CorpusStats:
    shards, encoder = _Shards(root, config.shard_bytes), msgspec.json.Encoder()
    schemas = _schemas(table, config)
    tallies = {source.name: _Tally() for source in table.sources}
    with ExitStack() as stack, console.progress("write", len(table), unit="docs") as bar:
        ledgers = {
            source.name: stack.enter_context(_zst(root / layout.ledger(source.name)))
            for source in table.sources
            if not source.skipped
        }
        for (source, unit), start in zip(table.units, table.starts.tolist(), strict=False):
            settings, tally = config.sources[source.name], tallies[source.name]
            shares = split_shares(settings, config)
            tally.unit(unit)
            for dropped in unit.ledger():
                ledgers[source.name].write(encoder.encode(dropped) + b"\n")
            for number, (entry, row) in enumerate(unit.rows(), start=start):
                bar.advance(1)
                if fate := fates.get(number):
                    tally.drop(*fate)
                    ledgers[source.name].write(encoder.encode(Dropped(row.meta["id"], source.name, *fate)) + b"\n")
                    continue
                split = split_of(int(entry["id"]), *shares)
                tally.keep(split, str(row.meta.get("language", "other")), int(entry["bytes"]))
                shards.add(settings.subset, split, encoder.encode(_uniform(row, schemas[settings.subset])) + b"\n")
    return _stats(table.sources, config, tallies, shards.close())


def _schemas(table: Table, config: CorpusConfig) -> dict[str, dict[str, str]]:
    """For each subset the type of each key that any of its documents has.

    Readers infer types from the first rows, and null there is a type of its own. So a key that some document lacks is
    text, empty where it is absent.
    """
    totals: dict[str, int] = {}
    keys: dict[str, dict[str, Key]] = {}
    for source, unit in table.units:
        subset = config.sources[source.name].subset
        totals[subset] = totals.get(subset, 0) + len(unit)
        known = keys.setdefault(subset, {})
        for name, key in unit.record.meta.items():
            before = known.get(name, Key(key.kind, 0))
            known[name] = Key(joined(before.kind, key.kind), before.documents + key.documents)
    return {
        subset: {name: key.kind if key.documents == totals[subset] else "str" for name, key in sorted(known.items())}
        for subset, known in keys.items()
    }


def _uniform(row: Row, schema: dict[str, str]) -> Row:
    """The row with the subset's keys, all of them, in their types."""
    facts: dict[str, Any] = {key: as_type(row.meta.get(key), kind) for key, kind in schema.items()}
    return Row(row.text, {"id": row.meta["id"], "source": row.meta["source"], **facts})


class _Tally:
    """Counts for one source."""

    def __init__(self) -> None:
        self.units, self.dropped = 0, dict[str, dict[str, int]]()
        self.splits, self.languages = dict[str, Count](), dict[str, Count]()

    def unit(self, unit: Staged) -> None:
        self.units += 1
        for step, reasons in unit.record.dropped.items():
            for reason, count in reasons.items():
                self.drop(step, reason, count)

    def drop(self, step: str, reason: str, count: int = 1) -> None:
        reasons = self.dropped.setdefault(step, {})
        reasons[category(reason)] = reasons.get(category(reason), 0) + count

    def keep(self, split: str, language: str, size: int) -> None:
        for counts, key in ((self.splits, split), (self.languages, language)):
            counts[key] = added(counts.get(key, Count()), Count(1, size))

    def stats(self, subset: str, skipped: str) -> SourceStats:
        dropped = {step: dict(sorted(reasons.items())) for step, reasons in sorted(self.dropped.items())}
        kept, languages = added(*self.splits.values()), dict(sorted(self.languages.items()))
        return SourceStats(subset, self.units, kept, _in_order(self.splits), languages, dropped, skipped)


def added(*counts: Count) -> Count:
    """The sum of counts."""
    return Count(sum(count.docs for count in counts), sum(count.bytes for count in counts))


def _in_order(splits: dict[str, Count]) -> dict[str, Count]:
    return {split: splits[split] for split in SPLITS if split in splits}


def _stats(
    sources: Sequence[StagedSource], config: CorpusConfig, tallies: dict[str, _Tally], shards: dict[str, Count]
) -> CorpusStats:
    by_source = {
        source.name: tallies[source.name].stats(config.sources[source.name].subset, source.skipped)
        for source in sources
    }
    subsets: dict[str, dict[str, Count]] = {}
    for stats in by_source.values():
        splits = subsets.setdefault(stats.subset, {})
        for split, count in stats.splits.items():
            splits[split] = added(splits.get(split, Count()), count)
    return CorpusStats(
        work=merge_digest(sources, config),
        kept=added(*(stats.kept for stats in by_source.values())),
        dropped=sum(_numbers(by_source.values())),
        subsets={subset: _in_order(splits) for subset, splits in sorted(subsets.items())},
        sources=by_source,
        shards=shards,
    )


def _numbers(sources: Any) -> Iterator[int]:
    for stats in sources:
        for reasons in stats.dropped.values():
            yield from reasons.values()


def _move(fresh: Path, out: Path, stats: CorpusStats) -> None:
    """Put the new folders in place of the old; without `stats.json` a folder between the two is no corpus."""
    old = set(layout.subsets(out)) if (out / layout.STATS).is_file() else set()
    (out / layout.STATS).unlink(missing_ok=True)
    for name in sorted({*old, *stats.subsets, layout.DROPPED}):
        shutil.rmtree(out / name, ignore_errors=True)
        if (fresh / name).exists():
            (fresh / name).rename(out / name)
