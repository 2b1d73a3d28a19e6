"""Run folders: what was asked, what is finished, and who is at work in them.

    run.json       RunRecord: recipe digest, inputs, packages, device, times, state
    recipe.toml    the resolved recipe
    marks/X.json   unit X is finished; holds the digest of its work (inputs + parameters + step version)
    log.txt        every message with its time, and the traceback of every failure
    .lock          held (flock) while a process works here

A mark is written last and by rename, so its presence means that the unit's output is whole. A rerun does what has no
mark with the right digest, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import shutil
import time
import tomllib
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.console import Console
from llemma.core.errors import BusyError, DataError, Interrupted, LlemmaError, RecipeError
from llemma.core.files import digest, disk_error, read_json, sweep, write_bytes, write_json
from llemma.core.recipe import difference, to_toml
from llemma.core.types import RunRecord

PACKAGES = ("llemma", "torch", "numpy", "tokenizers", "datatrove", "fastwarc", "resiliparse", "lxml")


WITHOUT_FRESH = ("train", "sweep")
"""Kinds of runs whose commands have no --fresh: such a run is long, and one word must not remove it."""


class Mark(msgspec.Struct, frozen=True):
    """A finished unit: the digest of its work, how long it took, and what it found out (small facts only)."""

    unit: str
    digest: str
    seconds: float
    facts: dict[str, Any] = {}


class Run:
    """An open run folder; make one with `open_run`."""

    def __init__(self, path: Path, record: RunRecord, console: Console) -> None:
        self.path, self.record, self.console = path, record, console

    def mark(self, unit: str, key: str) -> Mark | None:
        """The mark of `unit` if its work had the digest `key`, else None. A damaged mark counts as none."""
        try:
            mark = read_json(self._mark_path(unit), Mark)
        except LlemmaError:
            return None
        return mark if mark.digest == key else None

    def finish(self, unit: str, key: str, seconds: float, facts: dict[str, Any] | None = None) -> Mark:
        """Record that `unit` is whole on disk."""
        mark = Mark(unit, key, seconds, facts or {})
        write_json(self._mark_path(unit), mark)
        return mark

    def _mark_path(self, unit: str) -> Path:
        return self.path / "marks" / f"{unit}.json"


@contextmanager
def open_run(
    path: Path, kind: str, recipe: Any, console: Console, *, fresh: bool = False, free: Collection[str] = ()
) -> Iterator[Run]:
    """Open or continue the run folder `path` for the resolved `recipe` (a record).

    Raises `RecipeError` when the folder holds a run of another recipe (with the differences), `BusyError` when
    another process is at work there. Settings named in `free`, which change no number, may differ: the new ones hold
    from now on. `fresh` clears the folder first. On the way out `run.json` says how it ended.
    """
    _make_folder(path)
    with locked(path):
        if fresh:
            _clear(path)
        _refuse_changed(path, kind, recipe, free)
        sweep(path)
        record = _begin(path, kind, recipe)
        console.log_to(path / "log.txt")
        run = Run(path, record, console)
        try:
            yield run
        except BaseException as error:
            _end(run, "interrupted" if isinstance(error, (KeyboardInterrupt, Interrupted)) else "failed", error)
            raise
        _end(run, "done", None)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error
    foreign = [entry.name for entry in path.iterdir() if entry.name != ".lock"]
    if foreign and not (path / "run.json").exists() and not (path / "recipe.toml").exists():
        raise DataError(
            f"the folder holds something that is no run: {', '.join(sorted(foreign)[:3])}",
            where=str(path),
            mend="choose another folder with --out",
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a folder (made if need be) for this process; `BusyError` if another one does.

    The lock goes with the process, however it ends.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = open(path / ".lock", "a+", encoding="utf-8")
    except OSError as error:
        raise disk_error(error, path) from error
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise BusyError(
                f"another process ({lock.read().strip() or 'unknown'}) is at work in this folder",
                where=str(path),
                mend="wait for it, or choose another folder with --out",
            ) from error
        lock.truncate(0)
        lock.write(f"pid {os.getpid()}")
        lock.flush()
        yield


def _clear(path: Path) -> None:
    for entry in path.iterdir():
        if entry.name != ".lock":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _refuse_changed(path: Path, kind: str, recipe: Any, free: Collection[str]) -> None:
    saved = path / "recipe.toml"
    if not saved.exists():
        return
    try:
        old = tomllib.loads(saved.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"the saved recipe is damaged: {error}", where=str(saved), mend="start anew with --fresh or another --out"
        ) from error
    found = difference(old, tomllib.loads(to_toml(recipe)))
    changes = [line for line in found if line.partition(":")[0].rpartition(".")[2] not in free]
    if changes:
        raise RecipeError(
            f"this folder holds a {kind} run of another recipe; {len(changes)} differences:\n  "
            + "\n  ".join(changes[:12]),
            where=str(path),
            mend="keep both: add --out ANOTHER_FOLDER; or replace the old run: "
            + ("remove its folder" if kind in WITHOUT_FRESH else "add --fresh"),
        )
    if found:
        write_bytes(saved, to_toml(recipe).encode())


def _begin(path: Path, kind: str, recipe: Any) -> RunRecord:
    # recipe.toml goes first: from then on a changed recipe is refused, even after a kill right here
    if not (path / "recipe.toml").exists():
        write_bytes(path / "recipe.toml", to_toml(recipe).encode())
    record = RunRecord(
        id=path.name,
        kind=kind,
        recipe_digest=digest(recipe),
        inputs={},
        packages=_packages(),
        device=device(),
        started=_now(),
    )
    write_json(path / "run.json", record)
    return record


def _end(run: Run, state: str, error: BaseException | None) -> None:
    record = msgspec.structs.replace(run.record, ended=_now(), state=state)
    if error is None:
        write_json(run.path / "run.json", record)
        return
    # the error that is on its way must not be hidden by a second one (the disk may be full)
    with contextlib.suppress(OSError, LlemmaError):
        with open(run.path / "log.txt", "a", encoding="utf-8") as log:
            log.write(f"{_now()} {''.join(traceback.format_exception(error))}\n")
        write_json(run.path / "run.json", record)


def device() -> str:
    """The processor in words; no torch is loaded to find out."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = models[0] if models else name
    return f"{os.cpu_count()} x {name}"


def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
