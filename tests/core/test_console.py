"""Progress is told in plain lines where nobody watches, and never stops for long."""

from __future__ import annotations

import time
from io import StringIO

import pytest

from llemma.core import console as consoles
from llemma.core.console import Console, Progress, count, duration, table


@pytest.mark.parametrize(("n", "text"), [(0, "0"), (950, "950"), (12_345, "12.3k"), (4.1e6, "4.1M"), (0.5, "0.50")])
def test_counts(n: float, text: str) -> None:
    assert count(n) == text


@pytest.mark.parametrize(("s", "text"), [(0.2, "0s"), (59.6, "1m00s"), (185, "3m05s"), (7620, "2h07m")])
def test_durations(s: float, text: str) -> None:
    assert duration(s) == text


def test_a_block_that_stands_still_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "HEARTBEAT_SECONDS", 0.05)
    stream = StringIO()
    with Console(stream=stream).progress("work", 10, "docs") as bar:
        bar.advance(4, "note")
        time.sleep(0.3)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 3
    assert lines[0].startswith("work 4/10 docs 40%") and lines[0].endswith("note")
    assert "\x1b" not in stream.getvalue()


def test_quiet_says_warnings_only() -> None:
    stream = StringIO()
    quiet = Console(quiet=True, stream=stream)
    quiet.say("hello")
    with quiet.progress("work"):
        pass
    quiet.warn("careful")
    assert stream.getvalue() == "warning: careful\n"


def test_the_rate_of_resumed_work_counts_only_what_is_new() -> None:
    bar = Progress("work", 100, "steps")
    bar.resume(50)
    bar.started -= 10
    bar.advance(10)
    assert "1.00 steps/s" in bar.line() and "eta 40s" in bar.line()


def test_tables_are_aligned() -> None:
    assert table(("a", "n"), [("xyz", 1), ("y", 100)]).splitlines() == ["a      n", "--------", "xyz    1", "y    100"]
