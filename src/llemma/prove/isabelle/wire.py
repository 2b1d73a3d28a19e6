"""Messages of the Isabelle server: their frames, and a pipe of them with limits in time and size.

A message is `NAME ARGUMENT` with the argument in JSON, on one line; or, when it is longer than 100 bytes, a line with a
number and that many bytes (isabelle system manual, section 4.2.2; `src/Pure/PIDE/byte_message.scala`).
"""

from __future__ import annotations

import json
import os
import re
import select
import time
from typing import IO, Any, Literal

import msgspec

LARGEST = 64 << 20
"""Bytes of the largest message that is read."""

_SHORT = 100
_LONGEST_LINE = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9_.]*")


class Message(msgspec.Struct, frozen=True):
    """`OK`, `ERROR`, `FINISHED`, `FAILED` or `NOTE` from a server, a command to it; `argument` is JSON, or None."""

    name: str
    argument: Any = None


class WireError(Exception):
    """The conversation is over: `crash` the other side ended or broke the rules, `timeout` it was silent."""

    def __init__(self, kind: Literal["crash", "timeout"], why: str) -> None:
        super().__init__(why)
        self.kind: Literal["crash", "timeout"] = kind
        self.why = why


def frame(message: Message) -> bytes:
    """The bytes of a message; its argument goes as ASCII, so it can hold no line break."""
    text = message.name if message.argument is None else f"{message.name} {json.dumps(message.argument)}"
    body = text.encode()
    head = b"%d\n" % (len(body) + 1) if len(body) > _SHORT else b""
    return head + body + b"\n"


class Frames:
    """Takes bytes as they come, in any pieces, and gives messages when they are whole."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._length: int | None = None

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that `piece` completes. Raises `WireError` at a malformed or too large one."""
        self._held += piece
        whole: list[Message] = []
        while (body := self._next()) is not None:
            whole.append(parse(body))
        return whole

    def _next(self) -> bytes | None:
        if self._length is None:
            end = self._held.find(b"\n")
            if end < 0:
                if len(self._held) > _LONGEST_LINE:
                    raise WireError("crash", "a line without end")
                return None
            line = bytes(self._held[:end]).removesuffix(b"\r")
            del self._held[: end + 1]
            if not line.isdigit():
                return line
            if len(line) > 12 or int(line) > LARGEST:
                raise WireError("crash", f"a message of {line[:20].decode()} bytes")
            self._length = int(line)
        if len(self._held) < self._length:
            return None
        body = bytes(self._held[: self._length])
        del self._held[: self._length]
        self._length = None
        return body.removesuffix(b"\n").removesuffix(b"\r")


def parse(body: bytes) -> Message:
    """The message in `body`. Raises `WireError` where it is none."""
    try:
        text = body.decode()
        found = _NAME.match(text)
        name = found.group() if found else ""
        argument = text[len(name) :].strip()
        return Message(name, msgspec.json.decode(argument) if argument else None)
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise WireError("crash", f"not a message: {body[:60]!r}") from None


class Wire:
    """Messages over two pipes, each call with a deadline (of `time.monotonic`)."""

    def __init__(self, outgoing: IO[bytes], incoming: IO[bytes]) -> None:
        self._out, self._in = outgoing.fileno(), incoming.fileno()
        self._frames = Frames()
        self._waiting: list[Message] = []
        os.set_blocking(self._out, False)

    def send(self, message: Message, deadline: float) -> None:
        """Write one message. Raises `WireError`."""
        rest = frame(message)
        while rest:
            self._wait(self._out, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._out, rest) :]
            except OSError as error:
                raise WireError("crash", f"the server is gone: {error}") from None

    def receive(self, deadline: float) -> Message:
        """The next message. Raises `WireError`."""
        while not self._waiting:
            self._wait(self._in, select.POLLIN, deadline)
            piece = os.read(self._in, 1 << 16)
            if not piece:
                raise WireError("crash", "the server ended")
            self._waiting = self._frames.feed(piece)
        if time.monotonic() > deadline:  # a flood of notes must not outlast the limit
            raise WireError("timeout", "no answer in time")
        return self._waiting.pop(0)

    @staticmethod
    def _wait(descriptor: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise WireError("timeout", "no answer in time")
