"""A server from the outside: its process, and the children it forks for us."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

from llemma.core.errors import LlemmaError
from llemma.tools.execution import Ended, Ending
from llemma.tools.inside.server import HELLO, STATUS
from llemma.tools.launch import Image, Launch

START_SECONDS = 60.0  # a cold disk may take long to import sympy
GRACE = 2.0  # seconds a server has to report the end of a child it was told to kill
FAREWELL = 1.0  # seconds for a server to leave by itself
ANSWER_BYTES = 4 << 20  # three texts of 65,536 characters, each written as an escape
_CHUNK = 65_536


class Server:
    """A running server. It dies with this object's `kill`, with this process, and by itself only if broken."""

    def __init__(self, launch: Launch, image: Image, folder: str) -> None:
        self.image = image
        self.walled = launch.settings["mode"] == "full"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                launch.arguments(image, theirs.fileno()),
                env=launch.environment,
                user=launch.user,
                group=launch.user,
                extra_groups=None if launch.user is None else [],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for us, not for it
            )
        self.control = ours
        self._numbers = itertools.count()
        self.ready: Child | None = None
        self.image_mb = 0.0

    def greet(self) -> None:
        """Wait until the server is warm; a `LlemmaError` with its last words where it is not."""
        self.control.settimeout(START_SECONDS)
        try:
            message = self.control.recv(HELLO.size)
        except OSError:
            message = b""
        self.control.settimeout(None)
        if len(message) != HELLO.size:
            words = self.kill()
            raise LlemmaError(f"the sandbox's server did not start: {words}")
        self.image_mb = HELLO.unpack(message)[0] / 1024
        self.prepare()

    def prepare(self) -> None:
        """Have the next child forked and confined, so that its program need not wait for that."""
        if self.process.poll() is None:
            self.ready = Child(self, next(self._numbers))

    def take(self) -> Child:
        """The child that is ready."""
        child, self.ready = self.ready, None
        if child is None:
            child = Child(self, next(self._numbers))
        return child

    def kill(self) -> str:
        """End the server and, with its pid namespace, everything in it; returns its last words."""
        if self.ready is not None:
            self.ready.close()
            self.ready = None
        self.control.close()  # a sound server leaves at once
        try:
            _, errors = self.process.communicate(timeout=FAREWELL)
        except subprocess.TimeoutExpired:
            self._kill_inside()
            _, errors = self.process.communicate()
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else f"exit status {self.process.returncode}"

    def _kill_inside(self) -> None:
        """Kill the process behind the walls rather than the bubblewrap before them, which then can still reap it."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for target in map(int, children) if self.walled and children else [pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)


class Child:
    """The pipes of one child; closing them ends nothing, `stop` does."""

    def __init__(self, server: Server, number: int) -> None:
        self.server, self.number = server, number
        theirs_request, self.request = os.pipe()
        self.output, theirs_output = os.pipe()
        self.answer, theirs_answer = os.pipe()
        self.status, theirs_status = os.pipe()
        theirs = [theirs_request, theirs_output, theirs_answer, theirs_status]
        self._open = {self.request, self.output, self.answer, self.status}
        try:
            socket.send_fds(server.control, [b"fork %d" % number], theirs, socket.MSG_DONTWAIT)
        except OSError:
            pass  # the server is dead, which shows in the status pipe
        finally:
            for pipe in theirs:
                os.close(pipe)
        for pipe in self._open:
            os.set_blocking(pipe, False)

    def stop(self) -> None:
        """Have the server kill the child; its end is reported as any other."""
        with contextlib.suppress(OSError):
            self.server.control.send(b"kill %d" % self.number, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Close our ends of the pipes."""
        for pipe in self._open:
            os.close(pipe)
        self._open.clear()


class Exchange:
    """One request to a child, sent at once, and all that comes back until its deadline."""

    def __init__(self, child: Child, request: bytes, seconds: float, cap: int, *, last: bool) -> None:
        self.child, self.request, self.cap, self.last = child, memoryview(request), cap, last
        self.began = time.monotonic()
        self.deadline = self.began + seconds
        self.stdout, self.sent, self.report = bytearray(), bytearray(), bytearray()
        self.stopped: Ending | None = None
        self.over = False
        self._send()

    def run(self) -> Ended:
        """Pump until the child has ended, or has answered and may be asked again."""
        child, poll = self.child, select.poll()
        for pipe in (child.output, child.answer, child.status):
            poll.register(pipe, select.POLLIN)
        if self.request:
            poll.register(child.request, select.POLLOUT)
        while not self.over:
            left = self.deadline - time.monotonic()
            if left <= 0:
                if self.stopped is not None:
                    break  # the server does not obey
                self._stop("timeout")
                continue
            for pipe, _ in poll.poll(1000 * left + 1):
                if (self._flooded() and pipe != child.status) or not self._pump(pipe):
                    poll.unregister(pipe)
            if not self.over:
                self._check()
        return self._ended()

    def _flooded(self) -> bool:
        return len(self.stdout) > self.cap or len(self.sent) > ANSWER_BYTES

    def _pump(self, pipe: int) -> bool:
        """Move what there is to move; False when no more will come."""
        if pipe == self.child.request:
            self._send()
            return bool(self.request)
        into = {self.child.output: self.stdout, self.child.answer: self.sent}.get(pipe, self.report)
        more = _read(pipe, into)
        if pipe == self.child.status:
            self.over = True
        return more

    def _send(self) -> None:
        try:
            self.request = self.request[os.write(self.child.request, self.request) :]
        except BlockingIOError:
            return
        except OSError:  # the child is gone, which shows in the status pipe
            self.request = self.request[:0]

    def _check(self) -> None:
        if self._flooded():
            self._stop("output_capped")
        elif not self.last and b"\n" in self.sent and self.stopped is None:
            self.over = True

    def _stop(self, why: Ending) -> None:
        if self.stopped is None:
            self.stopped = why
            self.child.stop()
            self.deadline = time.monotonic() + GRACE

    def _ended(self) -> Ended:
        seconds = time.monotonic() - self.began
        for pipe, into, most in (
            (self.child.output, self.stdout, self.cap),
            (self.child.answer, self.sent, ANSWER_BYTES),
        ):
            while len(into) <= most and _read(pipe, into):
                pass
        if len(self.report) == STATUS.size:
            code, cpu, peak = STATUS.unpack(self.report)
            if code < 0:
                return self._record(seconds, None, lost=f"no process for the program: {os.strerror(-code)}")
            return self._record(seconds, code, cpu / 1e6, peak / 1024)
        if not self.last and self.over and b"\n" in self.sent:
            return self._record(seconds, None)
        return self._record(seconds, None, lost="the sandbox's server died")

    def _record(self, seconds: float, code: int | None, cpu: float = 0.0, peak: float = 0.0, lost: str = "") -> Ended:
        return Ended(self.stopped, bytes(self.stdout), bytes(self.sent), seconds, code, cpu, peak, lost)


def _read(pipe: int, into: bytearray) -> bool:
    """Append what is in the pipe; False when there is nothing, or never will be again."""
    try:
        part = os.read(pipe, _CHUNK)
    except BlockingIOError:
        return False
    into += part
    return bool(part)
