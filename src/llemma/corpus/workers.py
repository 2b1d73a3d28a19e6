"""Worker processes that can be killed: whatever an input does to one, it costs that input alone.

A piece of work that takes too much time or memory, or that crashes the interpreter, gives `Lost` with the reason; its
worker is replaced and the others' work goes on. Results come in the order of the pieces, however many workers work.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import msgspec

import llemma
from llemma.core.errors import LlemmaError
from llemma.corpus.worker import DONE, LENGTH, OUT_OF_MEMORY, PATIENCE, Start

K = TypeVar("K")

_PIPE = 1 << 20  # bytes a pipe may hold: fewer turns of the loop (the system's default is 64 KiB)
_RECEIVED = 1 << 16  # bytes taken at a time
_AHEAD = 32  # pieces that wait in a worker's queue, so that it never waits for us
_AHEAD_BYTES = 4 << 20
_WINDOW = 64  # pieces a worker, begun or done, that may wait for an earlier one
_WINDOW_BYTES = 256 << 20
_GRACE = 30.0  # seconds beyond its own clock after which a worker that says nothing is ended


class Task(msgspec.Struct, frozen=True):
    """What the workers do: `function` ("module:name") is called with `options` once a worker and gives a function
    from the bytes of a piece to the bytes of its result."""

    function: str
    options: str = ""


class Limits(msgspec.Struct, frozen=True):
    """What a piece of work may take: seconds of CPU time (and `worker.PATIENCE` times as many by the clock), and MiB
    of memory beyond what a worker needs to start."""

    seconds: float = 20.0
    memory_mb: int = 2048


class Lost(msgspec.Struct, frozen=True):
    """Why a piece has no result; `step` is `timeout`, `memory`, `crashed` or `error`."""

    step: str
    reason: str


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    task: Task, pieces: Iterable[tuple[K, bytes | None]], *, workers: int, limits: Limits
) -> Iterator[tuple[K, bytes | Lost | None]]:
    """Each key with what its piece gave, in the order of `pieces`; a piece that is None passes by the workers.

    `pieces` is read a bounded way ahead. The workers end with the iterator, however it ends.
    """
    pool = Pool(task, workers, limits)
    try:
        yield from pool.map(pieces)
    finally:
        pool.close()


_SHARED: dict[tuple[Task, Limits, int], Pool] = {}


def shared(
    task: Task, pieces: Iterable[tuple[K, bytes | None]], limits: Limits
) -> Iterator[tuple[K, bytes | Lost | None]]:
    """As `run` with one worker, which stays for the next call of this process: many small units share one start."""
    key = (task, limits, os.getpid())
    pool = _SHARED.pop(key, None) or Pool(task, 1, limits)
    try:
        yield from pool.map(pieces)
    finally:
        if key in _SHARED or pool.busy():  # another thread was here meanwhile, or this call was given up
            pool.close()
        else:
            _SHARED[key] = pool


@atexit.register
def _close_shared() -> None:
    for (_, _, process), pool in _SHARED.items():
        if process == os.getpid():
            pool.close()


class _Slot(Generic[K]):
    """A piece on its way: its result stands here until the earlier ones are handed out."""

    __slots__ = ("done", "key", "piece", "result", "retried", "size")

    def __init__(self, key: K, piece: bytes | None) -> None:
        self.key, self.piece, self.done, self.retried = key, piece, piece is None, False
        self.result: bytes | Lost | None = None
        self.size = len(piece or b"")

    def finish(self, result: bytes | Lost) -> None:
        self.result, self.piece, self.done = result, None, True


class Pool:
    """So many workers for one task; started when there is work, restarted when they die."""

    def __init__(self, task: Task, workers: int, limits: Limits) -> None:
        self.task, self.limits = task, limits
        self.workers: list[_Worker] = []
        self.most, self.held = workers, 0  # `held`: bytes of the pieces that are not handed out
        self.waiting = selectors.DefaultSelector()

    def busy(self) -> bool:
        """Whether pieces are under way."""
        return any(worker.queue for worker in self.workers)

    def map(self, pieces: Iterable[tuple[K, bytes | None]]) -> Iterator[tuple[K, bytes | Lost | None]]:
        """Each key with its result, in order."""
        feed, window, more, self.held = iter(pieces), deque[_Slot[K]](), True, 0
        while more or window:
            more = more and self._fill(feed, window)
            while window and window[0].done:
                slot = window.popleft()
                self.held -= slot.size
                yield slot.key, slot.result
            if window and not window[0].done:
                self._turn()

    def close(self) -> None:
        """End all workers now."""
        for worker in self.workers:
            worker.kill()
        self.workers.clear()
        self.waiting.close()

    def _fill(self, feed: Iterator[tuple[K, bytes | None]], window: deque[_Slot[K]]) -> bool:
        """Give pieces to workers while there is room; False when there are no more."""
        while len(window) < _WINDOW * self.most and self.held < _WINDOW_BYTES:
            worker = self._free()
            if worker is None:
                return True
            following = next(feed, None)
            if following is None:
                return False
            slot = _Slot(*following)
            window.append(slot)
            self.held += slot.size
            if not slot.done:
                self._give(worker, slot)
        return True

    def _free(self) -> _Worker | None:
        """The worker with the least to do, if it has room; a new one rather than one that is busy."""
        least = min(self.workers, key=_Worker.load, default=None)
        if (least is None or least.queue) and len(self.workers) < self.most:
            least = _Worker(self.task, self.limits)
            self.workers.append(least)
            self.waiting.register(least.source, selectors.EVENT_READ, least)
        return least if least is not None and least.has_room() else None

    def _give(self, worker: _Worker, slot: _Slot[Any]) -> None:
        if not worker.queue and worker.process.poll() is not None:  # it died idle: no piece is to blame
            worker = self._replaced(worker)
        worker.add(slot)
        self._send(worker)

    def _send(self, worker: _Worker) -> None:
        """Write what the pipe takes; be told when it takes more."""
        left = worker.send()
        if left and not worker.watched:
            self.waiting.register(worker.sink, selectors.EVENT_WRITE, worker)
        elif worker.watched and not left:
            self.waiting.unregister(worker.sink)
        worker.watched = left

    def _turn(self) -> None:
        """Wait for something to happen, and see to it."""
        for key, events in self.waiting.select(timeout=5.0):
            worker: _Worker = key.data
            if worker.over:
                continue
            if events & selectors.EVENT_WRITE:
                self._send(worker)
            elif not worker.receive():
                self._died(worker)
        for worker in list(self.workers):
            if worker.silent() > self.limits.seconds * PATIENCE + _GRACE:
                worker.kill()
                self._died(worker)

    def _died(self, worker: _Worker) -> None:
        """Replace a worker. The piece it was at is lost if a fresh worker cannot do it either: what came before may
        have left too little memory, or broken something. Time is counted by piece, and needs no second try."""
        lost, queue = worker.verdict(), worker.queue
        if not worker.ready:
            raise LlemmaError(f"a worker did not start: {lost.reason}", where=self.task.function, mend=worker.said())
        following = self._replaced(worker)
        if queue:
            first = queue[0]
            if lost.step == "timeout" or first.retried or not worker.answered:
                queue.popleft().finish(lost)
            else:
                first.retried = True
        for slot in queue:
            following.add(slot)
        self._send(following)

    def _replaced(self, worker: _Worker) -> _Worker:
        self.waiting.unregister(worker.source)
        if worker.watched:
            self.waiting.unregister(worker.sink)
        worker.kill()
        following = _Worker(self.task, self.limits)
        self.workers[self.workers.index(worker)] = following
        self.waiting.register(following.source, selectors.EVENT_READ, following)
        return following


class _Worker:
    """One process, its pipes, and the pieces it has not answered, in order."""

    def __init__(self, task: Task, limits: Limits) -> None:
        self.limits, self.queue = limits, deque[_Slot[Any]]()
        self.errors = tempfile.TemporaryFile()
        # A socket rather than a pipe: what is read of files tells an estimate how far a source has come, and for the
        # system a pipe is a file.
        self.source, theirs = socket.socketpair()
        with theirs:
            self.process = _started(theirs, self.errors)
        assert self.process.stdin
        self.sink = self.process.stdin
        for end in (self.sink, self.source):
            os.set_blocking(end.fileno(), False)
        with suppress(OSError, AttributeError):  # the user's share of pipe memory may be used up
            fcntl.fcntl(self.sink.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self.ready = self.watched = self.over = self.silenced = False
        self.answered, self.bytes, self.since = 0, 0, time.monotonic()
        self.out, self.inbox = deque[memoryview](), bytearray()
        start = Start(task.function, task.options, limits.seconds, limits.memory_mb, os.getpid())
        self._frame(msgspec.json.encode(start))

    def load(self) -> int:
        """Pieces that it has still to answer."""
        return len(self.queue)

    def has_room(self) -> bool:
        """Whether another piece may be queued."""
        return len(self.queue) < _AHEAD and self.bytes < _AHEAD_BYTES

    def add(self, slot: _Slot[Any]) -> None:
        """Queue a piece."""
        assert slot.piece is not None
        if not self.queue:
            self.since = time.monotonic()
        self.queue.append(slot)
        self.bytes += len(slot.piece)
        self._frame(slot.piece)

    def _frame(self, data: bytes) -> None:
        self.out.append(memoryview(LENGTH.pack(len(data))))
        self.out.append(memoryview(data))

    def send(self) -> bool:
        """Write as much as goes; whether something is left."""
        with suppress(BlockingIOError, BrokenPipeError):  # a worker that died is found out by reading
            while self.out:
                sent = os.writev(self.sink.fileno(), list(self.out)[:64])
                while self.out and sent >= len(self.out[0]):
                    sent -= len(self.out.popleft())
                if sent:
                    self.out[0] = self.out[0][sent:]
            return False
        return bool(self.out)

    def receive(self) -> bool:
        """Take what came; False when the process has ended."""
        try:
            data = self.source.recv(_RECEIVED)
        except BlockingIOError:
            return True
        except ConnectionError:  # it died with something unread
            data = b""
        self.inbox += data
        at = 0
        while len(self.inbox) - at >= LENGTH.size:
            size = LENGTH.unpack_from(self.inbox, at)[0]
            if len(self.inbox) - at - LENGTH.size < size:
                break
            at += LENGTH.size
            self._frame_in(bytes(self.inbox[at : at + size]))
            at += size
        del self.inbox[:at]
        return bool(data)

    def _frame_in(self, frame: bytes) -> None:
        self.since = time.monotonic()
        if not self.ready:
            self.ready = True
            return
        slot = self.queue.popleft()
        self.bytes -= len(slot.piece or b"")
        self.answered += 1
        failed = Lost("error", frame[1:].decode("utf-8", "replace"))
        slot.finish(frame[1:] if frame[:1] == DONE else failed)

    def silent(self) -> float:
        """Seconds since it began the piece it is at."""
        return time.monotonic() - self.since if self.queue else 0.0

    def kill(self) -> None:
        """End the process; returns when it has ended."""
        self.silenced = self.silenced or self.process.poll() is None
        self.process.kill()
        self.process.wait()
        self.over = True
        for end in (self.sink, self.source):
            with suppress(OSError):
                end.close()

    def verdict(self) -> Lost:
        """How it ended, as the reason for the loss of the piece it was at."""
        code = self.process.wait()
        if code == -signal.SIGPROF:
            return Lost("timeout", f"more than {self.limits.seconds:g} s of CPU time")
        if code == -signal.SIGALRM or self.silenced:
            return Lost("timeout", f"more than {self.limits.seconds * PATIENCE:g} s")
        if code == OUT_OF_MEMORY or "bad_alloc" in self.said():
            return Lost("memory", f"more than {self.limits.memory_mb} MB")
        return Lost("crashed", f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")

    def said(self) -> str:
        """The last that it wrote to standard error."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 2000))
        return self.errors.read().decode("utf-8", "replace").strip()


def _started(answers: socket.socket, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    root = str(Path(llemma.__file__).parents[1])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return subprocess.Popen(
        [sys.executable, "-m", "llemma.corpus.worker"],
        stdin=subprocess.PIPE,
        stdout=answers.fileno(),
        stderr=errors,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for us, not for it
    )
