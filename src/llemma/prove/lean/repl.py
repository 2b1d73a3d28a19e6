"""One Lean REPL process: a request at a time, each under a limit of wall time, of memory and of what it may say.

Whatever goes wrong with the process is a `Stopped`, and after it the process is gone: an answer that came too late, or
that nobody asked for, can never be taken for the answer to something else.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from typing import Any, TypeVar

import msgspec

from llemma.prove.lean.framing import Blocks, Damaged, reply_in
from llemma.prove.lean.install import Installation
from llemma.prove.lean.messages import (
    CommandReply,
    Failure,
    ForCommand,
    ForTactic,
    PickleEnv,
    Request,
    TacticReply,
)
from llemma.prove.prover import Trouble
from llemma.tools.confined import Confined

MOST_BYTES = 64 << 20
"""How much a process may say in answer to one request: whole files with all their tactics take some megabytes."""

_POLL = 0.5  # seconds between two looks at the memory
_CHUNK = 1 << 16
_LAST_WORDS = 1.0  # seconds that a process which has closed its output may take to end
_TAIL = 2000  # bytes of what the process wrote to its standard error that are kept

Reply = TypeVar("Reply", CommandReply, TacticReply)


class Stopped(Exception):
    """The process is gone: `kind` says why, in words `why`."""

    def __init__(self, kind: Trouble, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


class Repl:
    """A running REPL. Raises `MissingError` where it cannot be started."""

    def __init__(self, installation: Installation, *, most_bytes: int = MOST_BYTES) -> None:
        reading, writing = os.pipe()
        try:
            self._program = Confined(installation.command, installation.walls, stderr=writing)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._errors: int | None = reading
        self._tail = b""
        self._most_bytes = most_bytes
        self._limit_mb = installation.limit_mb
        self._blocks = Blocks()
        self._last_env = self._last_state = -1
        for descriptor in (self._program.stdin.fileno(), self._program.stdout.fileno(), reading):
            os.set_blocking(descriptor, False)

    def alive(self) -> bool:
        """Whether requests can be made."""
        return self._errors is not None and self._program.alive()

    def resident_mb(self) -> float:
        """MiB of memory that the process holds, library files that it reads included."""
        return self._program.resident_mb()

    def command(self, request: ForCommand, seconds: float) -> CommandReply | Failure:
        """Ask for an environment within `seconds`; raises `Stopped`."""
        return self._typed(request, CommandReply, seconds)

    def tactic(self, request: ForTactic, seconds: float) -> TacticReply | Failure:
        """Ask for a proof state within `seconds`; raises `Stopped`."""
        return self._typed(request, TacticReply, seconds)

    def close(self) -> None:
        """End the process and all it started."""
        self._program.kill()
        if self._errors is not None:
            os.close(self._errors)
            self._errors = None

    def _typed(self, request: Request, kind: type[Reply], seconds: float) -> Reply | Failure:
        try:
            answer = self._ask(msgspec.json.encode(request) + b"\n\n", time.monotonic() + seconds)
            if answer.keys() == {"message"}:
                return msgspec.convert(answer, Failure)
            reply = msgspec.convert(answer, kind)
            self._in_step(request, reply)
            return reply
        except (Damaged, msgspec.ValidationError) as error:
            self.close()
            raise Stopped("crash", f"a damaged reply: {error}") from error
        except BaseException:
            self.close()  # also when we are interrupted: the next reply would be the one to this request
            raise

    def _in_step(self, request: Request, reply: CommandReply | TacticReply) -> None:
        """A reply tells of something new. A number that was there before is an answer to something else."""
        if isinstance(request, PickleEnv):
            return
        if isinstance(reply, TacticReply):
            self._newer("proof state", reply.proof_state, self._last_state)
            self._last_state = reply.proof_state
            return
        self._newer("environment", reply.env, self._last_env)
        self._last_env = reply.env
        gaps = [gap.proof_state for gap in reply.sorries if gap.proof_state is not None]
        self._last_state = max([self._last_state, *gaps])

    def _newer(self, what: str, number: int, last: int) -> None:
        if number <= last:
            raise Stopped("crash", f"out of step: {what} {number} came after {last}")

    def _ask(self, message: bytes, deadline: float) -> dict[str, Any]:
        if not self.alive():
            raise Stopped("crash", self._ended())
        with selectors.DefaultSelector() as selector:
            # standard output first: what lies there already was not asked for
            self._unasked()
            selector.register(self._program.stdout, selectors.EVENT_READ, "reply")
            selector.register(self._program.stdin, selectors.EVENT_WRITE, "request")
            assert self._errors is not None
            selector.register(self._errors, selectors.EVENT_READ, "errors")
            return self._exchange(selector, memoryview(message), deadline)

    def _exchange(self, selector: selectors.BaseSelector, message: memoryview, deadline: float) -> dict[str, Any]:
        said, look = 0, time.monotonic() + _POLL
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise Stopped("timeout", "no answer in time")
            if now >= look:
                look = now + _POLL
                self._look_at_memory()
            for key, _ in selector.select(min(deadline, look) - now):
                if key.data == "request":
                    message = self._write(message)
                    if not message:
                        selector.unregister(self._program.stdin)
                elif key.data == "errors":
                    self._read_errors(selector)
                else:
                    data = self._read()
                    said += len(data)
                    if said > self._most_bytes:
                        raise Stopped("crash", f"it wrote more than {self._most_bytes >> 20} MiB")
                    answers = [reply for block in self._blocks.feed(data) if (reply := reply_in(block)) is not None]
                    if answers:
                        if len(answers) > 1 or message:
                            raise Stopped("crash", "out of step: it answered what was not asked")
                        return answers[0]

    def _unasked(self) -> None:
        """Drop noise that came since the last answer; an answer among it means that we are out of step."""
        said = 0
        while said <= self._most_bytes:
            try:
                data = self._program.stdout.read(_CHUNK)
            except OSError:
                return
            if not data:  # None: nothing there; empty: the end, which the next read tells
                break
            said += len(data)
            if any(reply_in(block) is not None for block in self._blocks.feed(data)):
                raise Stopped("crash", "out of step: it answered what was not asked")
        if said > self._most_bytes:
            raise Stopped("crash", "it wrote without end")

    def _write(self, message: memoryview) -> memoryview:
        try:
            return message[os.write(self._program.stdin.fileno(), message[:_CHUNK]) :]
        except BlockingIOError:
            return message
        except BrokenPipeError:
            raise Stopped(*self._death()) from None

    def _read(self) -> bytes:
        try:
            data = os.read(self._program.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            raise Stopped(*self._death())
        return data

    def _read_errors(self, selector: selectors.BaseSelector | None) -> None:
        assert self._errors is not None
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._errors, _CHUNK)
            if not data and selector is not None:
                selector.unregister(self._errors)
        self._tail = (self._tail + data)[-_TAIL:]

    def _look_at_memory(self) -> None:
        held = self._program.resident_mb()
        if held > self._limit_mb:
            raise Stopped("memory", f"it held {held:.0f} MiB, allowed are {self._limit_mb}")

    def _death(self) -> tuple[Trouble, str]:
        """Why the process ended. One that may not have more memory says so, or is killed for it."""
        with contextlib.suppress(OSError):
            self._read_errors(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._program.process.wait(_LAST_WORDS)
        why = self._ended()
        lacked = any(words in why for words in ("memory", "bad_alloc", "code 137", "code -9"))
        return ("memory" if lacked else "crash"), why

    def _ended(self) -> str:
        if self._program.alive():
            return "the process closed its output"
        tail = self._tail.decode(errors="replace").strip()
        return f"the process ended with code {self._program.process.returncode}" + (f": {tail}" if tail else "")
