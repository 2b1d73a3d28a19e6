"""The second half of the global pass: every shard and every ledger is written by itself, by any process.

Which documents a shard has is planned from the index alone, so the bytes do not depend on who writes what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from llemma.core.console import Console
from llemma.core.types import SPLITS, Dropped
from llemma.corpus import layout
from llemma.corpus.check import split_shares
from llemma.corpus.config import CorpusConfig
from llemma.corpus.copies import COPY
from llemma.corpus.decide import FATES, StagedSource, Table, merge_digest
from llemma.corpus.executors import apart
from llemma.corpus.languages.paper_counts import estimated_tokens
from llemma.corpus.layout import CorpusStats, Count, Row, SourceStats, added
from llemma.corpus.staging import Key, Staged, as_type, category, joined

_ALONE = 64_000_000  # bytes of text that one process writes before another one has started


class Span(msgspec.Struct, frozen=True):
    """Documents of a unit from `start` to before `end`; those of the shard's split that are kept are meant."""

    unit: int
    start: int
    end: int


class Shard(msgspec.Struct):
    """A shard to be written: its number among those of its subset and split, and where its documents are."""

    subset: str
    split: int
    number: int
    spans: list[Span]


class Setting(msgspec.Struct, frozen=True):
    """What every writer knows: what was staged, the recipe's section, where `decide` left its files, where to write."""

    sources: list[StagedSource]
    config: CorpusConfig
    scratch: Path
    root: Path
    schemas: dict[str, dict[str, str]]


class Written(msgspec.Struct):
    """What a writer found: documents and bytes by source and split, by source and language; drops by source, step and
    reason; documents and file size of each shard."""

    splits: dict[str, dict[str, Count]] = {}
    languages: dict[str, dict[str, Count]] = {}
    dropped: dict[str, dict[str, dict[str, int]]] = {}
    shards: dict[str, Count] = {}


def write(
    sources: Sequence[StagedSource], config: CorpusConfig, scratch: Path, root: Path, console: Console, workers: int
) -> CorpusStats:
    """Write shards and ledgers below `root` after `decide` has filled `scratch`; the statistics of the corpus."""
    table = Table(sources)
    setting = Setting(list(sources), config, scratch, root, _schemas(table, config))
    plan, size = _plan(table, config, scratch)
    jobs: list[tuple[Setting, Shard | str]] = [
        *((setting, shard) for shard in plan),
        *((setting, name) for name in _sources_with_ledgers(sources)),
    ]
    total = Written({}, {}, {}, {})
    with console.progress("write", len(jobs), unit="files") as bar:
        for found in apart(_work, jobs, min(workers, 1 + size // _ALONE)):
            _add(total, found)
            bar.advance(1)
    return _stats(table, config, total)


def _sources_with_ledgers(sources: Sequence[StagedSource]) -> list[str]:
    return [source.name for source in sources if not source.skipped]


def _work(job: tuple[Setting, Shard | str]) -> Written:
    setting, what = job
    return _write_ledger(setting, what) if isinstance(what, str) else _write_shard(setting, what)


_last: tuple[list[StagedSource], Table] | None = None


def _known(setting: Setting) -> Table:
    """The table of all documents, made once a process."""
    global _last
    if _last is None or _last[0] != setting.sources:
        _last = (setting.sources, Table(setting.sources))
    return _last[1]


def split_codes(index: NDArray[np.void], shares: tuple[float, float]) -> NDArray[np.uint8]:
    """The split of each document, as its number in `SPLITS`: the one it must go to, else by the hash of its id.

    `shares` are those of validation and test.
    """
    validation, test = shares
    point = index["id"] / 2.0**64
    drawn = np.where(point < test, 2, np.where(point < test + validation, 1, 0))
    return np.where(index["split"] > 0, index["split"] - 1, drawn).astype(np.uint8)


def _kept(table: Table, unit: int, scratch: Path) -> NDArray[np.bool_]:
    start, count = table.starts[unit], len(table.units[unit][1])
    return ~np.fromfile(scratch / "dropped", bool, count, offset=start)


def _plan(table: Table, config: CorpusConfig, scratch: Path) -> tuple[list[Shard], int]:
    """All shards, and the bytes of text in them. A new one begins with each `shard_bytes` of text."""
    shards: list[Shard] = []
    sizes: dict[tuple[str, int], int] = {}
    current: dict[tuple[str, int], tuple[int, Shard]] = {}
    for unit, (source, staged) in enumerate(table.units):
        settings, index = config.sources[source.name], staged.index()
        codes, kept = split_codes(index, split_shares(settings, config)), _kept(table, unit, scratch)
        for split in np.unique(codes[kept]).tolist():
            key = (settings.subset, split)
            numbers = np.flatnonzero(kept & (codes == split))
            ends = sizes.get(key, 0) + np.cumsum(index["bytes"][numbers], dtype=np.int64)
            windows = (ends - index["bytes"][numbers]) // config.shard_bytes
            for window in np.unique(windows).tolist():
                some = numbers[windows == window]
                if key not in current or current[key][0] != window:
                    number = current[key][1].number + 1 if key in current else 0
                    current[key] = (window, Shard(*key, number, []))
                    shards.append(current[key][1])
                current[key][1].spans.append(Span(unit, int(some[0]), int(some[-1]) + 1))
            sizes[key] = int(ends[-1])
    return shards, sum(sizes.values())


def _write_shard(setting: Setting, shard: Shard) -> Written:
    table, encoder, found = _known(setting), msgspec.json.Encoder(), Written({}, {}, {}, {})
    name = layout.shard(shard.subset, SPLITS[shard.split], shard.number)
    schema = setting.schemas[shard.subset]
    count = 0
    with _zst(setting.root / name) as out:
        for span in shard.spans:
            source, unit = table.units[span.unit]
            for entry, row in _rows(setting, table, shard, span, unit):
                out.write(encoder.encode(_uniform(row, schema)) + b"\n")
                size = int(entry["bytes"])
                one = Count(1, size, int(entry["tokens"]) if setting.config.tokenizer else estimated_tokens(size))
                language = str(row.meta.get("language", "other"))
                for counts, key in ((found.splits, SPLITS[shard.split]), (found.languages, language)):
                    by_key = counts.setdefault(source.name, {})
                    by_key[key] = added(by_key.get(key, Count()), one)
                count += 1
    found.shards[name] = Count(count, (setting.root / name).stat().st_size)
    return found


def _rows(setting: Setting, table: Table, shard: Shard, span: Span, unit: Staged) -> Iterator[tuple[np.void, Row]]:
    """Record and row of the shard's documents in a span."""
    source = table.units[span.unit][0]
    index = unit.index()
    codes = split_codes(index, split_shares(setting.config.sources[source.name], setting.config))
    wanted = _kept(table, span.unit, setting.scratch) & (codes == shard.split)
    wanted[: span.start] = wanted[span.end :] = False
    entries = index[wanted]
    yield from zip(entries, unit.rows(entries), strict=True)


def _zst(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return zstandard.ZstdCompressor(level=3).stream_writer(open(path, "wb"), closefd=True)


def _write_ledger(setting: Setting, name: str) -> Written:
    """What was dropped of a source: unit after unit, first what the unit itself dropped."""
    table, encoder = _known(setting), msgspec.json.Encoder()
    counts: dict[str, dict[str, int]] = {}
    with _zst(setting.root / layout.ledger(name)) as out:
        for dropped in _drops(setting, table, name):
            out.write(encoder.encode(dropped) + b"\n")
            reasons = counts.setdefault(dropped.step, {})
            reason = category(dropped.reason)
            reasons[reason] = reasons.get(reason, 0) + 1
    return Written({}, {}, {name: counts}, {})


def _drops(setting: Setting, table: Table, name: str) -> Iterator[Dropped]:
    start, end = next((start, end) for source, start, end in table.ranges() if source.name == name)
    fates = [(fate, _slice(setting.scratch / fate, start, end)) for fate in FATES]
    for unit, (source, staged) in enumerate(table.units):
        if source.name != name:
            continue
        yield from staged.ledger()
        first, last = table.starts[unit], table.starts[unit + 1]
        for number, keeper, similarity, fate in _fated(fates, first, last):
            facts = {"keeper": table.row(keeper).meta["id"] if keeper != number else "", "similarity": similarity}
            reason = FATES[fate].reason.format(**facts)
            yield Dropped(staged.row(number - first).meta["id"], name, FATES[fate].step, reason)


def _slice(file: Path, start: int, end: int) -> NDArray[np.void]:
    """The `COPY` rows of documents from `start` to before `end`."""
    if not file.is_file() or not file.stat().st_size:
        return np.zeros(0, COPY)
    rows = np.memmap(file, COPY, mode="r")
    low, high = np.searchsorted(rows["number"], [start, end])
    return np.array(rows[low:high])


def _fated(fates: list[tuple[str, NDArray[np.void]]], start: int, end: int) -> list[tuple[int, int, float, str]]:
    found = []
    for fate, rows in fates:
        low, high = np.searchsorted(rows["number"], [start, end])
        found += [(*row, fate) for row in rows[low:high].tolist()]
    return sorted(found)


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


def _add(total: Written, found: Written) -> None:
    for whole, part in ((total.splits, found.splits), (total.languages, found.languages)):
        for source, counts in part.items():
            known = whole.setdefault(source, {})
            for key, count in counts.items():
                known[key] = added(known.get(key, Count()), count)
    total.dropped |= found.dropped
    total.shards |= found.shards


def _stats(table: Table, config: CorpusConfig, total: Written) -> CorpusStats:
    by_source = {source.name: _source_stats(source, config, total) for source in table.sources}
    subsets: dict[str, dict[str, Count]] = {}
    for stats in by_source.values():
        splits = subsets.setdefault(stats.subset, {})
        for split, count in stats.splits.items():
            splits[split] = added(splits.get(split, Count()), count)
    return CorpusStats(
        work=merge_digest(table.sources, config),
        kept=added(*(stats.kept for stats in by_source.values())),
        dropped=sum(count for s in by_source.values() for reasons in s.dropped.values() for count in reasons.values()),
        subsets={subset: _in_order(splits) for subset, splits in sorted(subsets.items())},
        sources=by_source,
        shards=dict(sorted(total.shards.items())),
        tokenizer=Path(config.tokenizer).name,
    )


def _source_stats(source: StagedSource, config: CorpusConfig, total: Written) -> SourceStats:
    splits = total.splits.get(source.name, {})
    dropped = total.dropped.get(source.name, {})
    return SourceStats(
        subset=config.sources[source.name].subset,
        units=len(source.units),
        kept=added(*splits.values()),
        splits=_in_order(splits),
        languages=dict(sorted(total.languages.get(source.name, {}).items())),
        dropped={step: dict(sorted(reasons.items())) for step, reasons in sorted(dropped.items())},
        skipped=source.skipped,
    )


def _in_order(splits: dict[str, Count]) -> dict[str, Count]:
    return {split: splits[split] for split in SPLITS if split in splits}
