"""The first Ctrl-C asks, the second insists."""

from __future__ import annotations

import os
import signal
import threading
from io import StringIO

import pytest

from llemma.core.console import Console
from llemma.core.interrupt import deferred


def test_the_first_asks_and_the_second_insists() -> None:
    stream, before = StringIO(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), deferred(Console(stream=stream)) as pending:
        assert not pending.requested
        os.kill(os.getpid(), signal.SIGINT)
        assert pending.requested
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second Ctrl-C was swallowed")
    assert "Ctrl-C again" in stream.getvalue()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_do_without() -> None:
    seen: list[bool] = []

    def work() -> None:
        with deferred(Console(quiet=True)) as pending:
            seen.append(pending.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
