"""Work for the workers of `test_workers`: pieces that sleep, grow, crash or fail, by what they say."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import time
from collections.abc import Callable


def make(options: bytes) -> Callable[[bytes], bytes]:
    """A function that obeys its piece and says it back behind `options`."""

    def work(piece: bytes) -> bytes:
        order, _, rest = piece.partition(b" ")
        if order in ORDERS:
            ORDERS[order](rest)
        return options + piece

    return work


def spin(rest: bytes) -> None:
    """Be busy in C, where no Python signal handler could run."""
    re.match(rb"(a+)+$", b"a" * 60 + b"b")


def grow(rest: bytes) -> None:
    """Ask for more and more memory."""
    held = []
    while True:
        held.append(bytearray(64 << 20))


def crash(rest: bytes) -> None:
    """Read from address 0."""
    ctypes.string_at(0)


def once(rest: bytes) -> None:
    """Crash a worker that has done something before, as broken memory would."""
    if os.environ.get("WORKED"):
        os.kill(os.getpid(), signal.SIGSEGV)


def fail(rest: bytes) -> None:
    """Raise."""
    raise ValueError("no such thing")


def mark(rest: bytes) -> None:
    """Remember that this worker has worked."""
    os.environ["WORKED"] = "1"


def noise(rest: bytes) -> None:
    """Write where the frames went before."""
    os.write(1, b"noise" * 1000)
    print("noise")


def leave(rest: bytes) -> None:
    """End as if nothing were wrong."""
    os._exit(0)


def nap(rest: bytes) -> None:
    """Sleep so many seconds."""
    time.sleep(float(rest))


ORDERS = {name.__name__.encode(): name for name in (spin, grow, crash, once, fail, mark, noise, leave, nap)}
