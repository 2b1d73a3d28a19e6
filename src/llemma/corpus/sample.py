"""A source read for a few seconds in a process of its own: what it gives, what it costs, and how much of it that was.

The process is ended when its time is over, whatever it is doing, and the network is closed to it: what a source would
have to fetch first is told, not fetched.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.console import Console
from llemma.core.errors import LlemmaError
from llemma.core.types import Document, Dropped
from llemma.corpus.blocks import (
    UNTOLD,
    Flow,
    Read,
    Signed,
    Stage,
    Steps,
    Work,
    load_plugins,
    plugin_files,
    plugin_rules,
    work_of,
)
from llemma.corpus.check import open_source
from llemma.corpus.config import SourceConfig
from llemma.corpus.executors import end_with_parent
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.files import expand

PICK_BYTES = 300_000_000
"""Of inputs larger than this only some are looked at: to name its content, a source reads an input once."""
_GRACE = 2.5  # seconds more than asked for: to start, and for a document that takes long
_LEAST = 0.3  # seconds of reading, however long it took to find the units
_MORE = 3.0  # seconds more for the first unit of a source where only whole units say how much of it was read
_START = 30.0  # seconds for a process to start on a busy machine
_BEAT = 0.2  # seconds between two reports
# Nothing answers on the discard port of this machine; pip and huggingface_hub have a word of their own.
_NOWHERE = "http://127.0.0.1:9"
_OFFLINE = {"PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1", "NO_PROXY": ""} | dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _NOWHERE
)


class Sample(msgspec.Struct):
    """What a source gave. `share` of it was read: by bytes of its units, or by their number where those are not files.

    `seconds` are those of one process, `documents` all that were read, `kept` those that the steps kept, `text` their
    bytes in UTF-8, `staged` the bytes of their staged form, `largest` the share that the largest unit is, `memory` the
    most that the process held, in bytes. `note` says what is not known.
    """

    units: int = 0
    bytes: int | None = None
    share: float = 0.0
    seconds: float = 0.0
    documents: int = 0
    kept: int = 0
    text: int = 0
    staged: int = 0
    largest: float = 0.0
    memory: int = 0
    note: str = ""


def sample(
    name: str, config: SourceConfig, ngram: int, cache: Path, folder: Path, seconds: float, signed: Signed = UNTOLD
) -> Sample:
    """Read units of a source for so many seconds and stage them under `folder`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    task = _Task(name, config, ngram, str(cache), str(folder), list(map(str, plugin_files())), seconds, signed)
    process = context.Process(target=_measure, args=(sender, msgspec.json.encode(task)), daemon=True)
    process.start()
    sender.close()
    try:
        return _last(receiver, seconds)
    finally:
        _end(process.pid)
        process.join()


def _last(reports: Connection, seconds: float) -> Sample:
    found = Sample()
    with suppress(EOFError):  # the process ended
        if reports.poll(_START):  # the first word says that it has started
            reports.recv_bytes()
        deadline = time.monotonic() + seconds + _MORE + _GRACE
        while (left := deadline - time.monotonic()) > 0 and reports.poll(left):
            found = msgspec.json.decode(reports.recv_bytes(), type=Sample)
    if found.share == 0 and not found.note:
        found.note = "nothing came within the time of a sample"
    return found


def _end(pid: int | None) -> None:
    """End the process and what it started: it leads a group of its own as soon as it runs our code."""
    assert pid is not None
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


class _Task(msgspec.Struct):
    """What the process is told, as JSON."""

    name: str
    config: SourceConfig
    ngram: int
    cache: str
    folder: str
    plugins: list[str]
    seconds: float
    signed: Signed


def _measure(reports: Connection, data: bytes) -> None:
    os.setpgid(0, 0)
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.update(_OFFLINE)
    task = msgspec.json.decode(data, type=_Task)
    measure = _Measure(reports, task)
    try:
        measure.run()
    except LlemmaError as error:
        measure.sample.note = error.what
    except Exception as error:
        measure.sample.note = f"{type(error).__name__}: {error}"
    measure.report()


class _Measure:
    """Reads units in an order that does not depend on what they are, until the time is over."""

    def __init__(self, reports: Connection, task: _Task) -> None:
        self.reports, self.task, self.sample = reports, task, Sample()
        self.until = time.perf_counter() + task.seconds
        self.begun = self.told = 0.0

    def run(self) -> None:
        """All units, or as many as the time allows."""
        task = self.task
        self.report()
        load_plugins([Path(path) for path in task.plugins])
        config, part = picked(task.config)
        source = open_source(config, f"corpus.sources.{task.name}")
        before = _bytes_read()
        units = source.units(Context(Path(task.cache), Console(quiet=True, stream=io.StringIO())))
        weights, known = unit_weights(units, _bytes_read() - before)
        total = sum(weights)
        self.sample.units = round(len(units) / part.share)
        self.sample.bytes = part.bytes if part.bytes is not None else int(total) if known else None
        if not units:
            self.sample.note = "it has no unit"
            return
        self.sample.largest = max(weights) / total * part.share
        works = [work_of(task.name, config, unit, None, "", plugin_rules(config)) for unit in units]
        self._warm(works[0])
        self.begun = time.perf_counter()
        end = max(self.until, self.begun + _LEAST)
        self.until = end if known else end + _MORE
        for number in sorted(range(len(units)), key=lambda number: _lot(units[number].name)):
            self._unit(works[number], weights[number] / total * part.share, int(weights[number]) if known else None)
            self.until = end
            if self._over():
                return

    def _warm(self, work: Work) -> None:
        """The first document once before the clock runs: modules are loaded, provers and tables are started."""
        self.report()
        flow = Steps([work], []).run(Read([work], []).run())
        next(flow, None)
        if close := getattr(flow, "close", None):
            close()

    def _unit(self, work: Work, share: float, size: int | None) -> None:
        folder, before, read = Path(self.task.folder), self.sample.share, _bytes_read()
        documents = self.sample.documents

        def passed() -> float:
            """How much of the unit went by: of its bytes, else of the documents that the units before it had."""
            if size:
                return min(1.0, (_bytes_read() - read) / size)
            return min(1.0, (self.sample.documents - documents) * before / share / documents) if documents else 0.0

        def counted(data: Flow) -> Flow:
            for item in data:
                yield item
                self.sample.documents += 1
                self.sample.seconds = time.perf_counter() - self.begun
                self.sample.share = before + share * passed()
                self._beat()
                if self._over():
                    return

        flow = counted(Read([work], []).run())
        stage = Stage([work], folder, b"[]", self.task.ngram, self.task.signed)
        for _ in stage.run(self._kept(Steps([work], []).run(flow))):
            pass
        unsure = self._over() and not size and not documents
        if unsure:
            self.sample.note = "at least: no unit ended within the time of a sample"
        self.sample.share = before + share * (passed() if self._over() and not unsure else 1.0)
        self.sample.seconds = time.perf_counter() - self.begun
        self.sample.staged += sum(file.stat().st_size for file in (folder / work.digest).iterdir())
        self.report()

    def _kept(self, data: Flow) -> Iterator[Document | Dropped]:
        for item in data:
            if isinstance(item, Document):
                self.sample.kept += 1
                self.sample.text += len(item.text.encode("utf-8", "replace"))
            yield item

    def _over(self) -> bool:
        return time.perf_counter() > self.until

    def _beat(self) -> None:
        if time.perf_counter() - self.told > _BEAT:
            self.report()

    def report(self) -> None:
        """Tell what is known so far: this may be the last word."""
        self.told = time.perf_counter()
        self.sample.memory = _peak_memory()
        self.reports.send_bytes(msgspec.json.encode(self.sample))


class Part(msgspec.Struct, frozen=True):
    """Which share of a source's inputs is looked at, and the bytes of all of them (None where all are)."""

    share: float = 1.0
    bytes: int | None = None


def picked(config: SourceConfig) -> tuple[SourceConfig, Part]:
    """The source with some of its `inputs` where all of them are much, and which share of their bytes those are."""
    inputs = config.options.get("inputs")
    if not isinstance(inputs, list):
        return config, Part()
    sizes: dict[str, int] = {str(path): size_of(path) or 0 for path in expand(inputs)}
    total = sum(sizes.values())
    if total <= PICK_BYTES or len(sizes) < 2:
        return config, Part()
    some: list[str] = []
    for name in sorted(sizes, key=_lot):
        if not some or sum(sizes[path] for path in some) + sizes[name] <= PICK_BYTES:
            some.append(name)
    share = sum(sizes[path] for path in some) / total
    options: dict[str, Any] = {**config.options, "inputs": sorted(some)}
    return msgspec.structs.replace(config, options=options), Part(share, total)


def unit_weights(units: Sequence[Unit], named: int) -> tuple[list[float], bool]:
    """The size of each unit, and whether it is in bytes; units that are not files count as one each.

    A source may want only some files of a folder. It read those to name their content: `named` bytes for all units.
    """
    sizes = [size_of(Path(unit.path)) or _installed(unit.path) for unit in units]
    if not all(sizes):
        return [1.0] * len(units), False
    known = [float(size) for size in sizes if size]
    folders = any(Path(unit.path).is_dir() for unit in units)
    scale = named / sum(known) if folders and 0 < named < sum(known) else 1.0
    return [size * scale for size in known], True


def size_of(path: Path) -> int | None:
    """Bytes of a file or of all files below a folder; None where there is nothing."""
    if path.is_file():
        return path.stat().st_size
    if not path.is_absolute() and not path.is_dir():
        return None
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) or None


def _installed(name: str) -> int | None:
    """Bytes of the Python files of an installed package, where a unit is one."""
    try:
        files = importlib.metadata.files(name.removeprefix("installed:")) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    return sum(file.size or 0 for file in files if file.suffix == ".py") or None


def _lot(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def _bytes_read() -> int:
    """Bytes that this process has read so far, from whatever files."""
    try:
        return int(Path("/proc/self/io").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _peak_memory() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0
