"""A session of Coq's editor server `coqidetop`, confined, with a limit on every call.

Sentences are added one after another to the tip of a document; each state of it has a number. `Add` parses, `Goal`
runs. Going back to an earlier state drops what came after: states left behind are gone for good.
A call that takes too long is interrupted as Ctrl-C would; one that does not heed that costs the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Literal

from llemma.core.errors import DataError, LlemmaError
from llemma.tools import coq_xml
from llemma.tools.config import Isolation
from llemma.tools.confined import Confined
from llemma.tools.coq import QUIET, Coq, find_coq
from llemma.tools.coq_xml import Failure, Goals, Message, Reply, Status

REPLY_BYTES = 16 << 20
"""A longer reply ends the session: some tactics make goals that nobody could read."""
_GRACE = 1.0  # wall seconds that an interrupted call has to come back, at least
_END = b"</value>"
# an editor wants to see what follows an error; here a sentence that fails must never pass for one that ran
_STRICT = ("-async-proofs-command-error-resilience", "off", "-async-proofs-tactic-error-resilience", "off")


class SessionError(LlemmaError):
    """The session's process is gone: it did not heed an interrupt, died, ran out of memory, or said too much."""

    def __init__(self, what: str, kind: Literal["timeout", "memory", "crash"] = "crash", where: str = "") -> None:
        super().__init__(what, where=where or "coqidetop", mend="open a new session")
        self.kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        return SessionError, (self.what, self.kind, self.where)


class Coqidetop:
    """One session. Calls raise `SessionError` when its process is gone; `close` ends it, and so does `with`."""

    def __init__(
        self,
        *,
        memory_mb: int = 4096,
        isolation: Isolation = "full",
        seconds: float = 30.0,
        coq: Coq | None = None,
        options: Sequence[str] = (),
        readable: Mapping[str, str] | None = None,
    ) -> None:
        """Start Coq, which has `seconds` to answer. Raises `MissingError` where Coq or bubblewrap is not there.

        `options` go to coqidetop (`-Q /theory Theory`), which may read the paths of `readable` (path behind the walls
        -> what lies there) beside its own libraries.
        """
        coq = coq or find_coq()
        self.messages: list[Message] = []
        """What the last call printed."""
        self._errors = tempfile.TemporaryFile()
        self._buffer = bytearray()
        command = [coq.coqidetop, "-main-channel", "stdfds", *_STRICT, *QUIET, *options]
        walls = coq.walls(memory_mb=memory_mb, isolation=isolation, readable=readable)
        self._process = Confined(command, walls, stderr=self._errors)
        self._poll = select.poll()
        self._poll.register(self._process.stdout, select.POLLIN)
        try:
            self.root = coq_xml.read_state(self._call(coq_xml.init_call(), seconds).value)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Coqidetop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, sentence: str, state: int, seconds: float) -> int | Failure:
        """The state after `sentence`, which is parsed only (commands that change the syntax are run). Coq takes the
        first sentence of the text and drops the rest. `state` must be the tip."""
        reply = self._call(coq_xml.add_call(sentence, state), seconds)
        return _in_characters(sentence, reply.failure()) or coq_xml.read_state(reply.value)

    def goals(self, seconds: float) -> Goals | Failure | None:
        """Run what was added and show all goals; None outside a proof. After a failure go back with `edit_at`."""
        reply = self._call(coq_xml.goal_call(), seconds)
        return reply.failure() or coq_xml.read_goals(reply.value)

    def finished(self, seconds: float) -> bool | Failure:
        """Run what was added; whether a proof is open with no goal left. Cheaper than `goals` in large contexts."""
        reply = self._call(coq_xml.subgoals_call(), seconds)
        goals = reply.failure() or coq_xml.read_goals(reply.value)
        return goals if isinstance(goals, Failure) else goals is not None and goals.finished

    def edit_at(self, state: int, seconds: float) -> Failure | None:
        """Go back to `state`, an ancestor of the tip."""
        return self._call(coq_xml.edit_call(state), seconds).failure()

    def query(self, command: str, state: int, seconds: float) -> list[Message] | Failure:
        """What a command prints at `state` (`Print Assumptions x.`), leaving the document as it is."""
        reply = self._call(coq_xml.query_call(command, state), seconds)
        return _in_characters(command, reply.failure()) or list(self.messages)

    def status(self, seconds: float) -> Status | Failure:
        """Where the session stands."""
        reply = self._call(coq_xml.status_call(), seconds)
        return reply.failure() or coq_xml.read_status(reply.value)

    def interrupt(self) -> None:
        """Stop the running call from another thread: it fails as `interrupted`, or the next one does."""
        self._process.interrupt()

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.alive()

    def resident_mb(self) -> float:
        """MiB of memory the process holds."""
        return self._process.resident_mb()

    def close(self) -> None:
        """End the process; again does no harm."""
        self._process.kill()
        self._errors.close()

    def _call(self, call: str, seconds: float) -> Reply:
        deadline = time.monotonic() + seconds
        self._write(call)
        data = self._read(deadline)
        late = data is None
        if data is None:
            self._process.interrupt()
            data = self._read(time.monotonic() + max(_GRACE, seconds))
        if data is None:
            self.close()
            raise SessionError(f"no answer within {seconds:g} s, nor after an interrupt", "timeout")
        reply = self._parsed(data)
        self.messages = reply.messages()
        if late:
            self._settle()
            return _timed_out(reply, seconds)
        return reply

    def _settle(self) -> None:
        """An interrupt that came just after the answer is kept for the next call: let that be an idle one."""
        for _ in range(3):
            self._write(coq_xml.about_call())
            data = self._read(time.monotonic() + _GRACE)
            if data is not None and self._parsed(data).failure() is None:
                return
        self.close()
        raise SessionError("no idle state after an interrupt", "timeout")

    def _parsed(self, data: bytes) -> Reply:
        try:
            return coq_xml.read_reply(data)
        except DataError as error:
            self.close()
            raise SessionError(error.what, where=error.where) from error

    def _write(self, call: str) -> None:
        """All of a call. The server reads it whole before it answers, so this cannot lock."""
        try:
            view = memoryview(call.encode())
            while view:
                view = view[self._process.stdin.write(view) or 0 :]
        except (OSError, ValueError) as error:
            raise self._died() from error

    def _read(self, deadline: float) -> bytes | None:
        """Up to the end of a value; None at the deadline."""
        looked = 0
        while (end := self._buffer.find(_END, looked)) < 0:
            looked = max(0, len(self._buffer) - len(_END))
            left = deadline - time.monotonic()
            if not self._poll.poll(max(0.0, left) * 1000):
                return None
            self._more()
        end += len(_END)
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        return data

    def _more(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            self._buffer += data
            if data:
                if len(self._buffer) > REPLY_BYTES:
                    self.close()
                    raise SessionError(f"an answer of more than {REPLY_BYTES >> 20} MiB", "memory")
                return
        raise self._died()

    def _died(self) -> SessionError:
        """The process is gone: say why, as far as its last words tell."""
        words = ""
        with contextlib.suppress(ValueError):
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - 2000))
            words = self._errors.read().decode("utf-8", "replace").replace("Skipping rcfile loading.", "").strip()
        self.close()
        if "out of memory" in words.lower():
            return SessionError("out of memory", "memory")
        return SessionError(f"coqidetop ended: {words[-300:]}" if words else "coqidetop ended without a word")


def _timed_out(reply: Reply, seconds: float) -> Reply:
    """The reply to a call that we interrupted: a failure for want of time, unless it came through all the same."""
    if reply.value.get("val") == "good":
        return reply
    text = next(iter(reply.value.iter("richpp")), None)
    if text is not None:
        text.clear()
        text.text = f"Timeout! (interrupted after {seconds:g} s)"
    return reply


def _in_characters(sentence: str, failure: Failure | None) -> Failure | None:
    """Coq counts bytes; we count characters."""
    if failure is None or failure.start < 0 or sentence.isascii():
        return failure
    data = sentence.encode()
    start, stop = (len(data[:place].decode("utf-8", "ignore")) for place in (failure.start, failure.stop))
    return Failure(failure.kind, failure.why, start, stop, failure.state)
