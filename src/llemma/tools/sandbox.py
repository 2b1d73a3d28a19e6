"""Untrusted Python, run apart: `with Sandbox() as box: box.run("2 + 2").value == "4"`."""

from __future__ import annotations

import json
import math
import queue
import re
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from llemma.core.errors import LlemmaError, MissingError
from llemma.tools import launch
from llemma.tools.config import SandboxConfig
from llemma.tools.execution import Ended, Execution, conclude, setup_failure
from llemma.tools.launch import Image
from llemma.tools.worker import Child, Exchange, Server

# which image to fork: a program that names a library gets the one that has it loaded, any other the one that is
# four times cheaper to fork. A wrong guess costs time, never a result: every package can be imported in both.
_LIBRARY = re.compile(r"\b(?:sympy|numpy|mpmath|scipy)\b")


class Sandbox:
    """A pool of confined processes for untrusted programs; a context manager, usable from several threads.

    A `MissingError` on entry says that this machine lacks a layer of the mode asked for; nothing weaker is taken.
    A program that breaks, hangs or kills its server changes nothing for any other.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self._slots: queue.LifoQueue[_Slot] = queue.LifoQueue()
        self._all: list[_Slot] = []
        self._open = False

    def __enter__(self) -> Sandbox:
        return self.open()

    def open(self) -> Sandbox:
        """Start, and run one harmless program to see that every layer holds; `close` ends it."""
        if self._open:
            raise LlemmaError("the sandbox is open already", mend="enter it once, or make another")
        # where programs of a weaker mode work; behind walls they have a /tmp of their own
        weak = self.config.mode != "full"
        self._folder = tempfile.TemporaryDirectory(prefix="llemma-sandbox-") if weak else None
        # bubblewrap dies with the thread that started it, so that thread must live as long as this object
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")
        self._open = True
        try:
            self._launch = launch.plan(self.config)
            folder = self._folder.name if self._folder else "/"
            self._all = [_Slot(self._launch, self._starter, folder) for _ in range(self.config.workers)]
            self._probe(self._all[0])
        except BaseException:
            self.close()
            raise
        for slot in self._all:
            self._slots.put(slot)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every server and whatever still runs in it."""
        if not self._open:
            return
        self._open = False
        for slot in self._all:
            slot.close()
        self._starter.shutdown()
        if self._folder is not None:
            self._folder.cleanup()

    def _probe(self, slot: _Slot) -> None:
        """Run a harmless program, which needs every layer; say which one is missing where it does not come back."""
        mend = launch.mend() if self.config.mode == "full" else "`-v` shows more"
        try:
            ended = slot.run("light", _request("6 * 7", None, 10, last=True), 10.0, self.config.output_bytes)
        except LlemmaError as error:
            raise MissingError(error.what, where=f"mode '{self.config.mode}'", mend=mend) from error
        reason = setup_failure(ended) or ended.lost
        if reason or self._conclude(ended, slot, "light", 10.0).value != "42":
            what = f"the sandbox does not hold on this machine: {reason or 'a harmless program did not come back'}"
            raise MissingError(what, where=f"mode '{self.config.mode}'", mend=mend)

    def run(self, program: str, call: str | None = None, *, timeout: float | None = None) -> Execution:
        """Run one program in a process of its own and wait for its end, whatever that is.

        The value is that of the variable `answer` where the program sets it, else of `call()` where `call` names a
        function of the program, else of the last statement if that is an expression. `timeout` (wall seconds) overrides
        the configuration's.
        """
        seconds = self.config.timeout if timeout is None else timeout
        image: Image = "full" if _LIBRARY.search(program) else "light"
        request = _request(program, call, _cpu(seconds), last=True)
        slot = self._take()
        try:
            ended = slot.run(image, request, seconds, self.config.output_bytes)
            return self._conclude(ended, slot, image, seconds)
        finally:
            self._slots.put(slot)

    def _take(self) -> _Slot:
        if self._open:
            slot = self._slots.get()
            if self._open:
                return slot
            self._slots.put(slot)  # closed while we waited; the next in the queue shall see it too
        raise LlemmaError("the sandbox is closed", mend="use it inside its `with` block")

    def _conclude(self, ended: Ended, slot: _Slot, image: Image, seconds: float) -> Execution:
        full = slot.image_mb(image) + self.config.memory_mb
        cap, mode = self.config.output_bytes, self.config.mode
        return conclude(ended, mode, cap=cap, cpu_limit=_cpu(seconds), full_mb=full)

    def map(self, programs: Iterable[str], call: str | None = None) -> Iterator[Execution]:
        """Run programs on all workers; results come in the order of the programs, which are read as they are needed."""
        workers = self.config.workers
        pool, waiting = ThreadPoolExecutor(workers, thread_name_prefix="sandbox"), deque[Future[Execution]]()
        try:
            for program in programs:
                waiting.append(pool.submit(self.run, program, call))
                while len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # after an interrupt what runs ends with the sandbox; waiting for it here would only delay that
            pool.shutdown(wait=False, cancel_futures=True)

    def session(self, seconds: float | None = None) -> Session:
        """A dialogue of code blocks that share their names; `seconds` of wall time for all blocks together.

        Without `seconds`, four times the timeout of one block. A session has its own process and holds no worker
        between blocks.
        """
        slot = self._take()
        try:
            child = slot.take("full")
            return Session(self, slot, child, 4 * self.config.timeout if seconds is None else seconds)
        finally:
            self._slots.put(slot)


class Session:
    """Code blocks run one after another in one confined process; a context manager.

    A block that fails with an exception leaves the names it set, as in an interactive interpreter; one that runs out of
    time, memory or output ends the session, and each further block is `killed` with that reason.
    """

    def __init__(self, box: Sandbox, slot: _Slot, child: Child, seconds: float) -> None:
        self._box, self._slot, self._child = box, slot, child
        self._cpu, self.seconds_left = _cpu(seconds), seconds
        self.ended: str | None = None
        """Why no further block can run, or None."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self.ended is None:
            self.ended = "the session is closed"
            self._child.stop()
        self._child.close()

    def run(self, block: str) -> Execution:
        """Run one block; the value of a last expression is echoed to `stdout` as an interactive interpreter does."""
        config = self._box.config
        if self.ended is None and self.seconds_left <= 0:
            self._child.stop()
            self.ended = "the session's time is spent"
        if self.ended is not None:
            return Execution("killed", error=self.ended, mode=config.mode)
        request = _request(block, None, self._cpu, last=False)
        seconds = min(config.timeout, self.seconds_left)
        ended = Exchange(self._child, request, seconds, config.output_bytes, last=False).run()
        self.seconds_left -= ended.seconds
        result = self._box._conclude(ended, self._slot, "full", self._cpu)
        if ended.lost:
            self._slot.replace("full", self._child.server)
        if ended.code is not None or ended.lost or ended.stopped:
            self.ended = f"the session ended by an earlier block: {result.outcome}"
        return result


class _Slot:
    """One worker: a server for each image, started when first needed and again after a death."""

    def __init__(self, plan: launch.Launch, starter: ThreadPoolExecutor, folder: str) -> None:
        self.plan, self.starter, self.folder = plan, starter, folder
        self.servers: dict[Image, Server] = {}
        self.lock, self.closed = threading.Lock(), False

    def take(self, image: Image) -> Child:
        """A confined child that waits for its program; a dead server is replaced first."""
        with self.lock:
            if self.closed:
                raise LlemmaError("the sandbox was closed meanwhile")
            server = self.servers.get(image)
            if server is not None and server.process.poll() is not None:
                self._drop(image, server)
                server = None
            if server is None:
                server = self.starter.submit(Server, self.plan, image, self.folder).result()
                server.greet()
                self.servers[image] = server
            return server.take()

    def run(self, image: Image, request: bytes, seconds: float, cap: int) -> Ended:
        """One program in one child. A server that dies or hangs meanwhile is replaced before the next."""
        child = self.take(image)
        try:
            exchange = Exchange(child, request, seconds, cap, last=True)
            child.server.prepare()
            ended = exchange.run()
        except BaseException:  # interrupted: nobody waits for this program any more
            child.stop()
            raise
        finally:
            child.close()
        if ended.lost:
            self.replace(image, child.server)
        return ended

    def replace(self, image: Image, server: Server) -> None:
        """End a server that died or hangs; the next program starts another."""
        with self.lock:
            self._drop(image, server)

    def image_mb(self, image: Image) -> float:
        """MiB that a child of this image starts with."""
        server = self.servers.get(image)
        return server.image_mb if server is not None else 0.0

    def _drop(self, image: Image, server: Server) -> None:
        if self.servers.get(image) is server:
            del self.servers[image]
            server.kill()

    def close(self) -> None:
        """End this worker's servers."""
        with self.lock:
            self.closed = True
            for image, server in list(self.servers.items()):
                self._drop(image, server)


def _cpu(seconds: float) -> int:
    """Whole seconds of processor time for `seconds` of wall time: threads of native code may compute at once."""
    return math.ceil(2 * seconds) + 1


def _request(program: str, call: str | None, cpu: int, *, last: bool) -> bytes:
    return json.dumps({"program": program, "call": call, "seconds": cpu, "last": last}).encode() + b"\n"
