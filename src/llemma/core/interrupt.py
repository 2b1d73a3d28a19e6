"""Ctrl-C, politely: the first one lets a loop finish its unit, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from llemma.core.console import Console


class Pending:
    """`requested` turns true at the first Ctrl-C."""

    requested = False


@contextmanager
def deferred(console: Console) -> Iterator[Pending]:
    """Inside the block the first Ctrl-C only sets `requested`; the second raises KeyboardInterrupt."""
    pending = Pending()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield pending
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if pending.requested:
            raise KeyboardInterrupt
        pending.requested = True
        console.warn("stopping after this step; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield pending
    finally:
        signal.signal(signal.SIGINT, before)
