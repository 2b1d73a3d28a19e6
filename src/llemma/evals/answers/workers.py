"""Mathematics in processes that can be killed: parsers and simplifiers hang, crash and eat memory.

A `Pool` keeps a few processes that run `serve.py`. Each question has a limit in wall time, after which the process
(with all its children) is killed; while a question takes suspiciously long, a spare is already starting. Questions may
be asked from any thread and after a fork; there are no alarms, no pickles and no forks of the caller. Nothing is
started before the first question, and nothing survives the caller, also when that is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from llemma.core.types import Outcome
from llemma.evals.answers.serve import OUT_OF_MEMORY

SECONDS = 4.5
"""Wall seconds for a question, the start of a worker included, so that with the kill a verdict stays below 5."""

SUSPICIOUS = 0.3
"""Wall seconds after which a question may be one that never ends: a spare worker is started."""

MEGABYTES = 2048
"""Address space of a worker (RLIMIT_AS); with sympy loaded it uses about 100."""

_IDLE = 4  # workers kept for later; one for each of as many threads as ask at once
_QUESTION = 60_000  # bytes: fits a pipe, so writing never waits for a worker that does not read


class Undecided(Exception):
    """No answer to a question: `outcome` is `timeout` or `error`, `why` says what happened."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome: Outcome = outcome
        self.why = why


class _Late(Exception):
    """The deadline is over."""


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self, module: str, megabytes: int) -> None:
        # -P: a sympy.py in the current folder is not ours; the fixed hash seed makes sympy take the same way each time
        source = str(Path(__file__).parents[3])
        paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "llemma.evals.answers.serve", module, str(os.getpid()), str(megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._from, select.POLLIN)
        self._read = b""
        self.ready = False

    def wait_ready(self, deadline: float) -> None:
        """Wait for the first line. Raises `_Late`, `EOFError` if the worker died, `Undecided` if it cannot work."""
        if not self.ready:
            reply = json.loads(self._line(deadline))
            if "error" in reply:
                raise Undecided("error", f"a worker cannot start: {reply['error']}")
            self.ready = True

    def ask(self, question: bytes, deadline: float, suspicious: Callable[[], None]) -> dict[str, Any]:
        """The reply; calls `suspicious` if it takes long. Raises `_Late`, and `EOFError` if the worker died."""
        try:
            os.write(self._to, question)
        except BrokenPipeError as error:
            raise EOFError from error
        try:
            line = self._line(min(deadline, time.monotonic() + SUSPICIOUS))
        except _Late:
            suspicious()
            line = self._line(deadline)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise _Late
            piece = os.read(self._from, 1 << 16)
            if not piece:
                raise EOFError
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line

    def kill(self) -> int:
        """End the process and its children now; its exit status as `subprocess` gives it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        self.forget()
        return status

    def forget(self) -> None:
        """Close our ends of the pipes."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Pool:
    """Workers that answer questions to the functions in `module.ANSWERS` (see `serve.py`); thread-safe."""

    def __init__(self, module: str, megabytes: int = MEGABYTES) -> None:
        self.module = module
        self.megabytes = megabytes
        self._changed = threading.Condition()
        self._all: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._orders: SimpleQueue[bool] | None = None  # of the keeper; False ends it
        self._failure = ""  # why the last worker could not be started
        _POOLS.add(self)

    def ask(self, function: str, *arguments: Any, seconds: float | None = None, deadline: float | None = None) -> Any:
        """The value of `function(*arguments)` in a worker; both must be expressible in JSON.

        `seconds` of wall time (`SECONDS` without it) count from now, or, if there is a `deadline` (a time of
        `time.monotonic`), from when a worker is ready. Raises `Undecided`: `timeout` at the limit, `error` if the
        worker or the function fails.
        """
        question = json.dumps([function, *arguments]).encode() + b"\n"
        if len(question) > _QUESTION:
            raise Undecided("error", f"a question of {len(question)} bytes is too long")
        seconds = SECONDS if seconds is None else seconds
        limit = time.monotonic() + seconds if deadline is None else deadline
        worker = self._take(limit)
        try:
            if deadline is not None:
                limit = min(deadline, time.monotonic() + seconds)
            reply = worker.ask(question, limit, self._order_spare)
        except _Late:
            self._discard(worker)
            raise Undecided("timeout", f"no verdict within {seconds:g} s") from None
        except EOFError:
            raise _death(self._discard(worker)) from None
        except BaseException:  # Ctrl-C: the answer would be read as that of the next question
            self._discard(worker)
            raise
        self._give_back(worker)
        if "error" in reply:
            raise Undecided("error", f"the worker failed: {reply['error']}")
        return reply["value"]

    def close(self) -> None:
        """Kill all workers; a later question starts new ones."""
        with self._changed:
            workers, orders = list(self._all), self._orders
            self._all.clear()
            self._idle.clear()
            self._orders = None
        for worker in workers:
            worker.kill()
        if orders is not None:
            orders.put(False)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _take(self, deadline: float) -> _Worker:
        """A worker that is ready and nobody else's."""
        with self._changed:
            if not self._idle:
                self._order()
            if not self._changed.wait_for(lambda: self._idle or self._failure, max(0, deadline - time.monotonic())):
                raise Undecided("error", "no worker could be started in time")
            if self._failure:
                why, self._failure = self._failure, ""
                raise Undecided("error", why)
            worker = max(self._idle, key=lambda idle: idle.ready)
            self._idle.remove(worker)
        try:
            worker.wait_ready(deadline)
        except _Late:
            self._give_back(worker)
            raise Undecided("error", "the worker was still starting at the limit") from None
        except Undecided:
            self._discard(worker)
            raise
        except EOFError:
            raise _death(self._discard(worker)) from None
        if worker.process.poll() is not None:  # killed while it had nothing to do
            self._discard(worker)
            return self._take(deadline)
        return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._changed:
            if worker in self._all and len(self._idle) < _IDLE:
                self._idle.append(worker)
                self._changed.notify()
                return
        self._discard(worker)

    def _discard(self, worker: _Worker) -> int:
        with self._changed:
            self._all.discard(worker)
        return worker.kill()

    def _order_spare(self) -> None:
        with self._changed:
            if not self._idle:
                self._order()

    def _order(self) -> None:
        """Have the keeper start a worker; the lock is held."""
        if self._orders is None:
            self._orders = SimpleQueue()
            threading.Thread(target=self._keep, args=(self._orders,), name="workers", daemon=True).start()
        self._orders.put(True)

    def _keep(self, orders: SimpleQueue[bool]) -> None:
        """The keeper: starts workers, and lives as long as they may, for the kernel kills them when it ends."""
        while orders.get():
            try:
                worker = _Worker(self.module, self.megabytes)
            except OSError as error:
                with self._changed:
                    self._failure = f"no worker could be started: {error}"
                    self._changed.notify()
                continue
            with self._changed:
                wanted = self._orders is orders
                if wanted:
                    self._all.add(worker)
                    self._idle.append(worker)
                    self._changed.notify()
            if not wanted:  # closed meanwhile
                worker.kill()

    def _forget(self) -> None:
        """Begin without workers: they, the keeper and the state of the lock belong to the process before the fork."""
        for worker in self._all:
            worker.process.returncode = 0  # not our child: nothing to wait for
            worker.forget()
        self._changed = threading.Condition()
        self._all, self._idle, self._orders, self._failure = set(), [], None, ""


def _death(status: int) -> Undecided:
    """Why a worker that was asked something is gone."""
    if status == OUT_OF_MEMORY:
        return Undecided("error", "the worker ran out of memory")
    if status == -signal.SIGXCPU:
        return Undecided("timeout", "the worker used up its processor time")
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return Undecided("error", f"the worker {how}")


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


def _forget_all() -> None:
    for pool in list(_POOLS):
        pool._forget()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
