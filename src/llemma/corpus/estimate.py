"""What a build will take, told before it starts: each source is read for a moment and extrapolated by its bytes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import msgspec

from llemma.core.console import Console, count, duration, table
from llemma.corpus.blocks import Signed
from llemma.corpus.build import chosen
from llemma.corpus.check import guarded, open_sources, with_chunks
from llemma.corpus.config import CorpusConfig
from llemma.corpus.decide import StagedSource, decide
from llemma.corpus.sample import Sample, sample
from llemma.corpus.shards import write

SECONDS = 8.0
"""For the samples of all sources together."""
MERGE_BYTES = 8
"""Memory of the global pass, a document, besides its `merge_memory` (`bench/corpus.py merge`)."""
_BASE_MEMORY = 250_000_000  # of the build's own process, libraries loaded


class SourceEstimate(msgspec.Struct, frozen=True):
    """One source. `units` and `bytes` are its input's (None where units are not files), `share` is what was read of it;
    `documents` and `text` bytes are what its steps keep, `kept` their share of the documents; `seconds` are one core's,
    `staged` and `written` bytes on disk, `memory` what one process takes. `note` says what is not known, and why."""

    source: str
    units: int
    bytes: int | None
    share: float
    documents: int
    kept: float
    text: int
    seconds: float
    staged: int
    written: int
    memory: int
    note: str


class Estimate(msgspec.Struct, frozen=True):
    """The whole build with so many `workers`: `read` seconds for the units and `merge` for the global pass, `seconds`
    together; `staging` and `corpus` bytes on disk; `memory` at its peak. Copies are not taken off, except in `corpus`
    as far as the samples have them. `unknown` sources are in none of the sums."""

    sources: list[SourceEstimate]
    workers: int
    read: float
    merge: float
    seconds: float
    staging: int
    corpus: int
    memory: int
    unknown: list[str]


def estimate(
    config: CorpusConfig,
    *,
    cache: Path,
    console: Console,
    only: list[str] | None = None,
    workers: int | None = None,
    seconds: float = SECONDS,
) -> Estimate:
    """Sample the sources for so many seconds in all, and say what the corpus of `config` takes with `workers`."""
    config = guarded(config)
    names = list(chosen(open_sources(config), only))
    with tempfile.TemporaryDirectory(prefix="llemma-plan-") as name:
        folder = Path(name)
        samples = _samples(config, names, cache, folder, console, seconds)
        pace = _merged(config, samples, folder)
    return _summed(config, samples, pace, workers or config.workers)


def _samples(
    config: CorpusConfig, names: list[str], cache: Path, folder: Path, console: Console, seconds: float
) -> dict[str, Sample]:
    """Each source gets an equal part of the time that is left, so that what a short one does not need is not lost."""
    found: dict[str, Sample] = {}
    left = seconds
    with console.progress("sample", len(names), unit="sources") as bar:
        for number, name in enumerate(names):
            started, part = time.monotonic(), max(0.3, left / (len(names) - number))
            units = folder / "units" / name
            settings, signed = with_chunks(config.sources[name], config), Signed(config.dedup, config.tokenizer)
            found[name] = sample(name, settings, config.decontaminate_ngram, cache, units, part, signed)
            left -= time.monotonic() - started
            bar.advance(1, note=name)
    return found


class _Pace(msgspec.Struct, frozen=True):
    """The global pass over the samples: seconds a document to find copies and to write, by one process, and by subset
    the bytes written for a byte of text."""

    find: float
    write: float
    packed: dict[str, float]


def _merged(config: CorpusConfig, samples: dict[str, Sample], folder: Path) -> _Pace:
    staged = [
        StagedSource(name, sorted(path for path in (folder / "units" / name).glob("[!.]*") if path.is_dir()))
        for name in samples
    ]
    quiet, times = Console(quiet=True), [time.perf_counter()]
    decide(staged, config, folder / "scratch", quiet)
    times.append(time.perf_counter())
    stats = write(staged, config, folder / "scratch", folder / "corpus", quiet, 1)
    times.append(time.perf_counter())
    texts: dict[str, int] = {}
    for name, found in samples.items():
        subset = config.sources[name].subset
        texts[subset] = texts.get(subset, 0) + found.text
    packed = {
        subset: sum(shard.bytes for file, shard in stats.shards.items() if file.startswith(f"{subset}/")) / text
        for subset, text in texts.items()
        if text
    }
    documents = max(1, sum(found.kept for found in samples.values()))
    return _Pace((times[1] - times[0]) / documents, (times[2] - times[1]) / documents, packed)


def _summed(config: CorpusConfig, samples: dict[str, Sample], pace: _Pace, workers: int) -> Estimate:
    sources = [_source(name, found, pace.packed.get(config.sources[name].subset, 0)) for name, found in samples.items()]
    longest = max((s.seconds * samples[s.source].largest for s in sources), default=0.0)
    read = max(sum(s.seconds for s in sources) / workers, longest)
    documents = sum(s.documents for s in sources)
    reading = sum(sorted((s.memory for s in sources), reverse=True)[:1]) * workers
    merging = documents * (pace.find + pace.write / workers)
    return Estimate(
        sources=sources,
        workers=workers,
        read=read,
        merge=merging,
        seconds=read + merging,
        staging=sum(s.staged for s in sources),
        corpus=sum(s.written for s in sources),
        memory=_BASE_MEMORY + max(reading, config.merge_memory + documents * MERGE_BYTES),
        unknown=[s.source for s in sources if not s.share],
    )


def _source(name: str, found: Sample, packed: float) -> SourceEstimate:
    share = min(1.0, found.share)
    factor = 1 / share if share else 0.0
    return SourceEstimate(
        source=name,
        units=found.units,
        bytes=found.bytes,
        share=share,
        documents=round(found.kept * factor),
        kept=found.kept / found.documents if found.documents else 0.0,
        text=round(found.text * factor),
        seconds=found.seconds * factor,
        staged=round(found.staged * factor),
        written=round(found.text * factor * packed),
        memory=found.memory,
        note=found.note,
    )


_COLUMNS = ("source", "units", "bytes", "sampled", "documents", "kept", "text", "core time", "staged", "memory", "")


def estimate_text(found: Estimate) -> str:
    """The estimate as a table and the sums below it."""
    rows = [_row(source) for source in found.sources]
    without = f"; without {', '.join(found.unknown)}" if found.unknown else ""
    return "\n".join(
        [
            table(_COLUMNS, rows),
            f"time: {duration(found.seconds)} with {found.workers} workers "
            f"({duration(found.read)} to read, {duration(found.merge)} to remove copies and write){without}",
            f"disk: {_size(found.staging)} staged, {_size(found.corpus)} corpus; "
            f"memory: {_size(found.memory)} at the peak, provers and the like not counted",
        ]
    )


def _row(source: SourceEstimate) -> tuple[str, ...]:
    size = "-" if source.bytes is None else _size(source.bytes)
    if not source.share:
        return (source.source, str(source.units), size, *"-------", source.note)
    return (
        source.source,
        f"{source.units:,}",
        size,
        f"{source.share:.1%}" if source.share < 1 else "all",
        count(source.documents),
        f"{source.kept:.0%}",
        _size(source.text),
        duration(source.seconds),
        _size(source.staged),
        _size(source.memory),
        source.note,
    )


def _size(number: float) -> str:
    """`1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
