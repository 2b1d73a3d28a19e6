"""What the user sees while work goes on: a live bar on a terminal, plain lines elsewhere, never silence.

Everything here goes to standard error; results go to standard output through `emit` and `table`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

T = TypeVar("T")
HEARTBEAT_SECONDS = 5.0


def duration(seconds: float) -> str:
    """`8s`, `3m05s`, `2h07m`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m{whole % 60:02d}s" if whole < 3600 else f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def count(number: float) -> str:
    """`950`, `12.3k`, `4.1M`, `55.0B`."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:.0f}" if number == int(number) else f"{number:.2f}"


def _exact(number: float) -> str:
    """Whole numbers in full as long as they can be read at a glance."""
    return f"{number:,.0f}" if number < 100_000 else count(number)


class Progress:
    """The state of one piece of work; `advance` and `note` may be called from any thread."""

    def __init__(self, label: str, total: float | None, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done, self.text, self.started = 0.0, "", time.monotonic()
        self.before = 0.0

    def advance(self, n: float = 1, note: str = "") -> None:
        """Count `n` more units as done; `note` replaces the free text at the end of the line."""
        self.done += n
        if note:
            self.text = note

    def resume(self, done: float) -> None:
        """Say how much was done in an earlier session; the rate counts only what comes now."""
        self.done = self.before = done

    def note(self, text: str) -> None:
        """Replace the free text at the end of the line."""
        self.text = text

    def counted(self, items: Iterable[T]) -> Iterator[T]:
        """Pass `items` on, counting each as one unit done."""
        for item in items:
            yield item
            self.advance()

    def line(self) -> str:
        """`train 1200/42000 steps 2.9% | 98.2k/s | eta 5h12m | loss 1.23`."""
        passed = time.monotonic() - self.started
        rate = (self.done - self.before) / passed if passed > 0 else 0.0
        parts = [self.label]
        if self.total:
            parts[0] += f" {_exact(self.done)}/{_exact(self.total)} {self.unit} {100 * self.done / self.total:.0f}%"
        elif self.done:
            parts[0] += f" {count(self.done)} {self.unit}"
        if rate:
            parts.append(f"{count(rate)} {self.unit}/s")
        if self.total and rate:
            parts.append(f"eta {duration(max(0.0, self.total - self.done) / rate)}")
        else:
            parts.append(duration(passed))
        return " | ".join([*parts, self.text] if self.text else parts)


class Console:
    """Where messages go. `quiet` leaves out progress and plain messages, never warnings or errors."""

    def __init__(self, *, quiet: bool = False, json: bool = False, stream: IO[str] | None = None) -> None:
        self.quiet, self.json = quiet, json
        self.stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._live = False
        self._logs: list[Path] = []

    @property
    def terminal(self) -> bool:
        """Whether a person watches: only then lines are drawn over."""
        return self.stream.isatty()

    def say(self, text: str) -> None:
        """A line for the user and the log."""
        self._log(text)
        if not self.quiet:
            self._print(text)

    def warn(self, text: str) -> None:
        """A line that is shown even when quiet."""
        self._log(f"warning: {text}")
        self._print(f"warning: {text}")

    def emit(self, value: Any, text: str) -> None:
        """The result of a command on standard output: `value` as JSON under `--json`, else `text`."""
        print(msgspec.json.encode(value).decode() if self.json else text, flush=True)

    def log_to(self, path: Path) -> None:
        """Write every message to `path` too, with its time."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._logs.append(path)

    @contextmanager
    def progress(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Progress]:
        """Show the work done inside the block; a line at least every `HEARTBEAT_SECONDS` even when it stands still."""
        bar, stopped = Progress(label, total, unit), threading.Event()
        beat = threading.Thread(target=self._beat, args=(bar, stopped), daemon=True)
        if not self.quiet:
            beat.start()
        try:
            yield bar
        finally:
            stopped.set()
            if beat.is_alive():
                beat.join()
        self.say(f"{bar.label}: {self._summary(bar)}")

    def _summary(self, bar: Progress) -> str:
        parts = [f"{count(bar.done)} {bar.unit}"] if bar.done else ["done"]
        parts.append(duration(time.monotonic() - bar.started))
        return ", ".join([*parts, bar.text] if bar.text else parts)

    def _beat(self, bar: Progress, stopped: threading.Event) -> None:
        pause = 0.25 if self.terminal else HEARTBEAT_SECONDS
        while not stopped.wait(pause):
            if self.terminal:
                self._draw(bar.line())
            else:
                self._print(bar.line())

    def _draw(self, line: str) -> None:
        with self._lock:
            self.stream.write("\r\x1b[2K" + line[: _width()])
            self.stream.flush()
            self._live = True

    def _print(self, text: str) -> None:
        with self._lock:
            if self._live:
                self.stream.write("\r\x1b[2K")
                self._live = False
            self.stream.write(text + "\n")
            self.stream.flush()

    def _log(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        for path in self._logs:
            # a full disk stops the work where the work writes, not where it talks
            with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as log:
                log.write(f"{stamp} {text}\n")


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns - 1


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Plain text with aligned columns: the first to the left, the others to the right."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = [_row(row, widths) for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    return "  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]).rstrip()
