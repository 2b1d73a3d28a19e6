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
from llemma.corpus.blocks import Read, Signed, Stage, Steps, Work, plugin_files, plugin_rules, work_of
from llemma.corpus.check import guarded, open_sources, with_chunks
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.decide import StagedSource, merge_digest
from llemma.corpus.layout import CorpusStats
from llemma.corpus.merge import merge
from llemma.corpus.naming import remembering
from llemma.corpus.source import Context, Source
from llemma.corpus.sources.archive import DAMAGE


class Job(msgspec.Struct, frozen=True):
    """All that one build does, found out once. Whoever holds it and sees the inputs can do a share of the work."""

    out: str
    """The corpus folder."""
    config: CorpusConfig
    works: dict[str, list[Work]]
    """The units of every source, in the order of the corpus."""
    skipped: dict[str, str]
    """Why sources were left out."""
    problems: list[Problem]
    """What no document may contain, by id."""
    limit: int | None
    whole: bool
    """Whether all of the recipe is built; staged units that no source names are then forgotten."""

    @property
    def staging(self) -> Path:
        """Where the units wait for the global pass."""
        return Path(self.out) / layout.STAGING

    def missing(self) -> list[Work]:
        """What is still to do, each work once; the largest first, so that none is begun when all others end."""
        by_digest = {work.digest: work for works in self.works.values() for work in works}
        return sorted(
            (work for work in by_digest.values() if not is_staged(self.staging, work)),
            key=lambda work: (-_size(Path(work.unit.path)), work.digest),
        )


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
    config = guarded(config)
    sources = chosen(open_sources(config), only)
    with alone(out / layout.STAGING):
        job = plan(config, out, sources, Context(cache, console), protected, only, limit)
        return _completed(job, console, config.executor, workers or config.workers)


def finish(job: Job, console: Console, workers: int) -> CorpusStats:
    """Read the units of a job that are still missing, then write the corpus: what its last machine does."""
    with alone(job.staging):
        return _completed(job, console, "local", workers)


def share(job: Job, works: Sequence[Work], console: Console, workers: int) -> int:
    """Read those of a job's `works` that are not staged, beside others that read theirs; how many it read."""
    with _beside(job.staging):
        missing = [work for work in works if not is_staged(job.staging, work)]
        _Reading(job, console).read(missing, "local", workers)
    return len(missing)


def with_executor(config: CorpusConfig, name: str) -> CorpusConfig:
    """The section with another executor; an unknown name is a `UsageError`."""
    if name not in executors.EXECUTORS:
        known = ", ".join(executors.EXECUTORS)
        raise UsageError(f"no executor '{name}'", mend=suggest(name, executors.EXECUTORS) or f"there are {known}")
    return msgspec.structs.replace(config, executor=name)


def _completed(job: Job, console: Console, executor: str, workers: int) -> CorpusStats:
    reading, out = _Reading(job, console), Path(job.out)
    reading.read(job.missing(), executor, workers)
    staged = reading.staged()
    stats = _whole(out, merge_digest(staged, job.config)) or merge(staged, job.config, out, console, workers)
    if job.whole:
        _prune(job.staging, {unit.name for source in staged for unit in source.units})
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


def chosen(sources: dict[str, Source], only: list[str] | None) -> dict[str, Source]:
    """The sources that are wanted; an unknown name is a `UsageError`."""
    for name in only or []:
        if name not in sources:
            raise UsageError(
                f"no source '{name}' in the recipe", mend=suggest(name, sources) or f"it has {', '.join(sources)}"
            )
    return {name: source for name, source in sources.items() if only is None or name in only}


@contextmanager
def alone(staging: Path) -> Iterator[None]:
    """Hold the folder's lock: two builds in one folder would undo each other's work."""
    with _locked(staging, fcntl.LOCK_EX):
        _clean(staging)
        yield


@contextmanager
def _beside(staging: Path) -> Iterator[None]:
    """Hold the lock together with other shares. What lies half written here may be theirs and stays."""
    with _locked(staging, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(staging: Path, how: int) -> Iterator[None]:
    try:
        staging.mkdir(parents=True, exist_ok=True)
        lock = open(staging / "lock", "a+")  # over NFS a shared lock needs a file that can be read
    except OSError as error:
        raise disk_error(error, staging) from error
    with lock:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except OSError as error:
            raise _not_locked(error, staging.parent) from error
        yield


def _not_locked(error: OSError, out: Path) -> LlemmaError:
    if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
        return BusyError(
            "another build works in this folder", where=str(out), mend="wait for it, or choose another --out"
        )
    return LlemmaError(
        f"the file system refuses locks: {error.strerror}",
        where=str(out),
        mend="mount it with locks (Lustre: -o flock), or choose another --out",
    )


def _clean(staging: Path) -> None:
    """Remove what a build that was killed left half written."""
    for folder in staging.glob("units/.*.tmp"):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (layout.CARD, layout.STATS):
        for file in staging.parent.glob(f".{name}.*.tmp"):
            file.unlink(missing_ok=True)


def plan(
    config: CorpusConfig,
    out: Path,
    sources: dict[str, Source],
    context: Context,
    protected: Sequence[Problem],
    only: list[str] | None,
    limit: int | None,
) -> Job:
    """Find out all units; what is not there is an error, or a warning for an optional source."""
    problems = sorted(protected, key=lambda problem: problem.id)
    protection = digest(problems, config.decontaminate_ngram) if problems else ""
    signed = Signed(config.dedup, config.tokenizer).key
    works: dict[str, list[Work]] = {}
    skipped: dict[str, str] = {}
    memory = out / layout.STAGING / "digests.sqlite"
    with remembering(memory), context.console.progress("find inputs", len(sources), unit="sources") as bar:
        for name, source in sources.items():
            settings = with_chunks(config.sources[name], config)
            rules = plugin_rules(settings)
            try:
                units = source.units(context)
                works[name] = [work_of(name, settings, unit, limit, protection, rules, signed) for unit in units]
            except MissingError as error:
                works[name], skipped[name] = [], _left_out(name, settings, error, context.console)
            bar.advance(1, note=name)
    return Job(str(out), config, works, skipped, problems, limit, only is None and limit is None)


def _left_out(name: str, settings: SourceConfig, error: MissingError, console: Console) -> str:
    """Why an optional source is left out, said aloud; for another source, the error."""
    if not settings.optional:
        raise error
    why = error.what + (f" (to add it: {error.mend})" if error.mend else "")
    console.warn(f"source {name} is left out: {why}")
    return why


def is_staged(staging: Path, work: Work) -> bool:
    """Whether a work was done before, here or by another machine."""
    return (staging / "units" / work.digest / "unit.json").is_file()


class _Reading:
    """Units of one job being read, and the sources that turn out to be missing meanwhile."""

    def __init__(self, job: Job, console: Console) -> None:
        self.job, self.console, self.skipped = job, console, dict(job.skipped)

    def read(self, missing: list[Work], executor: str, workers: int) -> None:
        """Stage these units; the first error in the order of the recipe is raised after the other units are done."""
        if not missing:
            return
        in_order = (work.digest for works in self.job.works.values() for work in works)
        places = {name: place for place, name in enumerate(in_order)}
        errors: dict[int, Exception] = {}
        with self.console.progress("read", len(missing), unit="units") as bar:

            def done(rank: int, error: Exception | None) -> None:
                if error is not None:
                    errors[rank] = error
                bar.advance(1, note=missing[rank].unit.name)

            logs = self.job.staging / "logs" / digest([work.digest for work in missing])
            executors.run(executor, self._pipeline(missing), len(missing), workers, logs, done)
        for rank in sorted(errors, key=lambda rank: places[missing[rank].digest]):
            self._failed(missing[rank], errors[rank])
        self._check([work for rank, work in enumerate(missing) if rank not in errors])

    def _check(self, works: list[Work]) -> None:
        """What other machines wrote must be here."""
        lost = [work.unit.name for work in works if not is_staged(self.job.staging, work)]
        if lost:
            raise LlemmaError(
                f"{len(lost)} units were read but are not in the corpus folder, {lost[0]} first",
                where=str(self.job.staging / "units"),
                mend="choose an --out on a file system that all machines share, under the same path",
            )

    def _pipeline(self, works: list[Work]) -> list[object]:
        problems = msgspec.json.encode(self.job.problems)
        config = self.job.config
        signed = Signed(config.dedup, config.tokenizer)
        stage = Stage(works, self.job.staging / "units", problems, config.decontaminate_ngram, signed)
        plugins = plugin_files()
        return [Read(works, plugins), Steps(works, plugins), stage]

    def _failed(self, work: Work, error: Exception) -> None:
        where = f"source {work.source}, unit {work.unit.name}"
        if isinstance(error, MissingError):
            settings = self.job.config.sources[work.source]
            self.skipped[work.source] = _left_out(work.source, settings, error, self.console)
        elif isinstance(error, LlemmaError):
            error.where = error.where or where
            raise error
        elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise disk_error(error, self.job.staging) from error
        else:
            mend = "the other units are kept; run the same command again after mending it"
            raise LlemmaError(f"{type(error).__name__}: {error}", where=where, mend=mend) from error

    def staged(self) -> list[StagedSource]:
        """Every source with its units' folders, in the order of the recipe."""
        units, limit = self.job.staging / "units", self.job.limit
        return [
            StagedSource(
                name,
                [units / work.digest for work in works if name not in self.skipped],
                limit,
                self.skipped.get(name, ""),
            )
            for name, works in self.job.works.items()
        ]


def _size(path: Path) -> float:
    return path.stat().st_size if path.is_file() else float("inf")


def finished(job: Job) -> CorpusStats | None:
    """The statistics of the corpus where a job has nothing left to do."""
    return _whole(Path(job.out), merge_digest(_Reading(job, Console(quiet=True)).staged(), job.config))


def _whole(out: Path, work: str) -> CorpusStats | None:
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
