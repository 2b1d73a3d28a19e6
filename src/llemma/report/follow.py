"""The pages that `llemma view` shows, and how they follow a run that is still going on.

Each build has a number and a folder of its own, and the last two are kept: a page that was loaded before a build still
finds the files it belongs to. What did not change between two builds is not made again (`explorer.Kept`), and after a
build the follower rests five times as long as it took.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.report import explorer, journal, pages, read

LOOK_SECONDS = 1.0  # between two looks at the run folder
REST = 5.0  # of the time that a build took
KEPT = 2  # builds
WATCHED = (
    "run.json",
    "recipe.toml",
    "metrics.jsonl",
    "*/metrics.jsonl",
    "*/plan.json",
    "*/run.json",
    "marks/**/*.json",
    "corpus/stats.json",
    "overlap/*.json*",
    "*.summary.json",
    "prove/*/*.json*",
    *(
        f"{home}{name}"
        for home in ("", "eval/*/")
        for name in ("run.json", "results.json", "proofs.jsonl", "*.jsonl.zst", "parts/*.jsonl")
    ),
)
"""What a report reads of a run, but for corpus and tokens, whose statistics are written last."""

Signature = frozenset[tuple[str, int, int]]


class Live(msgspec.Struct, frozen=True):
    """`live.json`: the number of the build that is shown, whether the run is going on, and what went wrong."""

    version: int
    running: bool
    note: str = ""


def signature(run: Path) -> Signature:
    """Name, size and time of every file that a report is made of."""
    return frozenset(_files(run))


def _files(run: Path) -> Iterator[tuple[str, int, int]]:
    for pattern in WATCHED:
        for path in run.glob(pattern):
            try:
                facts = path.stat()
            except OSError:  # a temporary file that was just renamed
                continue
            yield str(path.relative_to(run)), facts.st_size, facts.st_mtime_ns


def is_running(run: Path) -> bool:
    """Whether the run, or an evaluation in it, says that it is going on."""
    return any(journal.is_running(home) for home in (run, *sorted(run.glob("eval/*"))))


def is_fresh(run: Path, report: Path) -> bool:
    """Whether `report` was made after the last change of `run`, which has ended."""
    if not (report / pages.MARK).is_file() or is_running(run):
        return False
    made = (report / pages.MARK).stat().st_mtime_ns
    return all(changed <= made for _, _, changed in signature(run))


class Follower:
    """Builds the pages of `run` below `cache`, again whenever the run has changed. `report`: pages to begin with."""

    def __init__(self, run: Path, cache: Path, report: Path | None = None) -> None:
        self.run, self.cache = run, cache
        self.seen = signature(run)
        self.folders: dict[int, Path] = {}
        self.version, self.note = 0, ""
        self.kept = explorer.Kept()
        self.stop = threading.Event()
        if not self.seen:
            raise MissingError(
                f"no report and no run in {run}", mend=f"check the path, or make one with `llemma report {run}`"
            )
        if report is not None:
            self.folders[0] = report
        else:
            self._build()

    def live(self) -> Live:
        """What the pages ask for."""
        return Live(self.version, is_running(self.run), self.note)

    def folder(self, version: int | None = None) -> Path:
        """The pages of a build, of the newest where that is gone."""
        found = self.folders
        return found.get(self.version if version is None else version) or found[self.version]

    def follow(self, told: Callable[[str], None]) -> None:
        """Look and build until `stop` is set; an error is told and shown, and the old pages stay."""
        rest = 0.0
        while not self.stop.wait(LOOK_SECONDS + rest):
            rest, found = 0.0, signature(self.run)
            if found == self.seen:
                continue
            begun = time.monotonic()
            try:
                self.seen = found
                self._build()
                self.note = ""
            except (LlemmaError, OSError, ValueError, msgspec.MsgspecError) as error:
                self.note = f"the run could not be read: {error}"
                told(self.note)
            rest = REST * (time.monotonic() - begun)

    def _build(self) -> None:
        version = self.version + 1
        target = self.cache / str(version)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        pages.write_run(read.run(self.run), target, kept=self.kept)
        self.folders = {**self.folders, version: target}
        self.version = version
        for old in [number for number in self.folders if number <= version - KEPT]:
            gone = self.folders.pop(old)
            if gone.is_relative_to(self.cache):
                shutil.rmtree(gone, ignore_errors=True)
