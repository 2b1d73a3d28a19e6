"""The process that `corpus.workers` starts: it does one piece of work after another, and may be killed at any of them.

Frames travel over a pipe and back over a socket: four bytes of length, then as many bytes. The first frame in is the
`Start`, the first out an empty one; then each frame in is one piece of work, and each frame out is `DONE` and what the
work gave, or `FAILED` and why it gave nothing. Nothing is ever unpickled.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

DONE, FAILED = b"\0", b"\1"
OUT_OF_MEMORY = 77
"""Exit code of a worker that was refused memory."""
LENGTH = struct.Struct("<I")
PATIENCE = 4
"""The wall clock's limit as a multiple of the limit of CPU time: on a busy machine a page may have to wait."""

_PDEATHSIG = 1  # prctl(2): the signal to get when the parent ends


class Start(msgspec.Struct, frozen=True):
    """What a worker is told first: the function that makes its work (`module:name`, called with `options`), CPU
    seconds a piece, MiB it may take beyond what it needs to start, and the process that it must not outlive."""

    function: str
    options: str
    seconds: float
    memory_mb: int
    parent: int


def main() -> None:
    """Serve until the pipe in ends."""
    source, sink = _pipes()
    start = msgspec.json.decode(_read(source) or b"", type=Start)
    _end_with(start.parent)
    module, _, name = start.function.partition(":")
    work = getattr(importlib.import_module(module), name)(start.options.encode())
    _limit_memory(start.memory_mb)
    _write(sink, b"")
    while (piece := _read(source)) is not None:
        _clocks(start.seconds)
        answer = _answer(work, piece)
        _clocks(0)
        _write(sink, answer)


def _answer(work: Callable[[bytes], bytes], piece: bytes) -> bytes:
    try:
        return DONE + work(piece)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # what is left of this process cannot be trusted to have room for the next piece
    except Exception as error:
        return FAILED + f"{type(error).__name__}: {str(error)[:200]}".encode("utf-8", "replace")


def _clocks(seconds: float) -> None:
    """Start (or, with 0, stop) the two clocks. Their signals end the process, whatever it is busy with: no handler
    could run while C code computes."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * PATIENCE)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Our ends of the pipes, moved away from 0 and 1, where a library that prints would write among the frames."""
    source, sink = os.fdopen(os.dup(0), "rb", buffering=1 << 20), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return source, sink


def _end_with(parent: int) -> None:
    """Be killed when the parent ends; a worker that only waits would end anyway, with its pipe."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before it was asked for
            os._exit(0)


def _limit_memory(mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux
        held = 1 << 30
    limit = held + (mb << 20)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _read(source: IO[bytes]) -> bytes | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    size = LENGTH.unpack(head)[0]
    piece = source.read(size)
    return piece if len(piece) == size else None


def _write(sink: IO[bytes], frame: bytes) -> None:
    data = memoryview(LENGTH.pack(len(frame)) + frame)
    while data:
        data = data[sink.write(data) :]


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent is gone
