"""Build a corpus: read every unit through its steps, then remove copies, split and write.

A finished unit is kept under the digest of its work: a second run does only what is missing, and gives the same bytes.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from llemma.core.console import Console
from llemma.core.errors import BusyError, LlemmaError, MissingError, UsageError, suggest
from llemma.core.files import digest, disk_error
from llemma.core.types import Problem
from llemma.corpus import executors, layout
from llemma.corpus.blocks import Read, Stage, Steps, Work, plugin_files, work_of
from llemma.corpus.check import open_sources
from llemma.corpus.config import CorpusConfig
from llemma.corpus.layout import CorpusStats
from llemma.corpus.merge import StagedSource, merge, merge_digest
from llemma.corpus.source import Context, Source
from llemma.corpus.sources.archive import DAMAGE


def build(
    config: CorpusConfig,
    out: Path,
    *,
    cache: Path,
    protected: Sequence[Problem] = (),
    console: Console,
    only: list[str] | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> CorpusStats:
    """Build the corpus of `config` in `out` and return its statistics.

    `cache` keeps what sources fetch. `protected` are problems that no document may contain. `only` restricts the
    build to these sources, `limit` to so many documents of each. Raises `RecipeError` for a wrong section,
    `MissingError` where a source that is not optional needs something, `BusyError` while another build works in `out`.
    """
    sources = _chosen(open_sources(config), only)
    staging = out / layout.STAGING
    with _alone(staging):
        job = _Job(config, staging, sorted(protected, key=lambda problem: problem.id), console, limit)
        job.plan(sources, Context(cache, console))
        job.read(workers or config.workers)
        staged = job.staged()
        stats = _finished(out, merge_digest(staged, config)) or merge(staged, config, out, console)
        if only is None and limit is None:
            _prune(staging, {unit.name for source in staged for unit in source.units})
    _tell_damage(stats, console)
    console.say(
        f"corpus: {stats.kept.docs:,} documents, {stats.kept.bytes / 1e6:,.1f} MB in {out}; {stats.dropped:,} dropped"
    )
    return stats


def _tell_damage(stats: CorpusStats, console: Console) -> None:
    """Warn of what the ledger alone would tell too quietly."""
    for name, source in stats.sources.items():
        for reason in DAMAGE:
            if count := source.dropped.get("read", {}).get(reason):
                console.warn(f"source {name}: {reason}, {count} times; {layout.ledger(name)} says where")
        if not source.kept.docs and not source.skipped:
            console.warn(f"source {name} gave no document; `llemma corpus stats` says what was dropped and why")


def _chosen(sources: dict[str, Source], only: list[str] | None) -> dict[str, Source]:
    for name in only or []:
        if name not in sources:
            raise UsageError(
                f"no source '{name}' in the recipe", mend=suggest(name, sources) or f"it has {', '.join(sources)}"
            )
    return {name: source for name, source in sources.items() if only is None or name in only}


@contextmanager
def _alone(staging: Path) -> Iterator[None]:
    """Hold the folder's lock: two builds in one folder would undo each other's work."""
    try:
        staging.mkdir(parents=True, exist_ok=True)
        lock = open(staging / "lock", "w")
    except OSError as error:
        raise disk_error(error, staging) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                "another build works in this folder",
                where=str(staging.parent),
                mend="wait for it, or choose another --out",
            ) from error
        _clean(staging)
        yield


def _clean(staging: Path) -> None:
    """Remove what a build that was killed left half written."""
    for folder in staging.glob("units/.*.tmp"):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (layout.CARD, layout.STATS):
        for file in staging.parent.glob(f".{name}.*.tmp"):
            file.unlink(missing_ok=True)


class _Job:
    """The units of one build: planned, read, and where they lie."""

    def __init__(
        self, config: CorpusConfig, staging: Path, problems: list[Problem], console: Console, limit: int | None
    ) -> None:
        self.config, self.staging, self.problems, self.console, self.limit = config, staging, problems, console, limit
        self.works: dict[str, list[Work]] = {}
        self.skipped: dict[str, str] = {}

    def plan(self, sources: dict[str, Source], context: Context) -> None:
        """Find out all units; what is not there is an error, or a warning for an optional source."""
        protection = digest(self.problems, self.config.decontaminate_ngram) if self.problems else ""
        with self.console.progress("find inputs", len(sources), unit="sources") as bar:
            for name, source in sources.items():
                settings = self.config.sources[name]
                try:
                    units = source.units(context)
                    self.works[name] = [work_of(name, settings, unit, self.limit, protection) for unit in units]
                except MissingError as error:
                    self._skip(name, error)
                bar.advance(1, note=name)

    def _skip(self, name: str, error: MissingError) -> None:
        if not self.config.sources[name].optional:
            raise error
        why = error.what + (f" (to add it: {error.mend})" if error.mend else "")
        self.works[name], self.skipped[name] = [], why
        self.console.warn(f"source {name} is left out: {why}")

    def read(self, workers: int) -> None:
        """Stage every unit that is not staged yet; the first error is raised after the other units are done."""
        missing = self._missing()
        if not missing:
            return
        errors: dict[int, Exception] = {}
        with self.console.progress("read", len(missing), unit="units") as bar:

            def done(rank: int, error: Exception | None) -> None:
                if error is not None:
                    errors[rank] = error
                bar.advance(1, note=missing[rank].unit.name)

            executors.run(
                self.config.executor, self._pipeline(missing), len(missing), workers, self._logs(missing), done
            )
        for rank, error in sorted(errors.items()):
            self._failed(missing[rank], error)

    def _missing(self) -> list[Work]:
        """What is still to do, each work once; the largest first, so that none is begun when all others end."""
        by_digest = {work.digest: work for works in self.works.values() for work in works}
        missing = [
            work for name, work in by_digest.items() if not (self.staging / "units" / name / "unit.json").is_file()
        ]
        return sorted(missing, key=lambda work: -_size(Path(work.unit.path)))

    def _pipeline(self, works: list[Work]) -> list[object]:
        problems = msgspec.json.encode(self.problems)
        stage = Stage(works, self.staging / "units", problems, self.config.decontaminate_ngram)
        plugins = plugin_files()
        return [Read(works, plugins), Steps(works, plugins), stage]

    def _logs(self, works: list[Work]) -> Path:
        return self.staging / "logs" / digest([work.digest for work in works])

    def _failed(self, work: Work, error: Exception) -> None:
        if isinstance(error, MissingError):
            self._skip(work.source, error)
        elif isinstance(error, LlemmaError):
            raise error
        elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise disk_error(error, self.staging) from error
        else:
            where = f"source {work.source}, unit {work.unit.name}"
            mend = "the other units are kept; run the same command again after mending it"
            raise LlemmaError(f"{type(error).__name__}: {error}", where=where, mend=mend) from error

    def staged(self) -> list[StagedSource]:
        """Every source with its units' folders, in the order of the recipe."""
        return [
            StagedSource(
                name, [self.staging / "units" / work.digest for work in works], self.limit, self.skipped.get(name, "")
            )
            for name, works in self.works.items()
        ]


def _size(path: Path) -> float:
    return path.stat().st_size if path.is_file() else float("inf")


def _finished(out: Path, work: str) -> CorpusStats | None:
    """The statistics of the corpus in `out` if it is this one, whole."""
    try:
        stats = layout.read_stats(out)
    except LlemmaError:
        return None
    return stats if stats.work == work and layout.is_complete(out, stats) else None


def _prune(staging: Path, used: set[str]) -> None:
    """Forget staged units that this recipe has no use for, and the logs."""
    for folder in (staging / "units").glob("*"):
        if folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(staging / "logs", ignore_errors=True)
