"""Files of programs in, files of results out: the work behind `llemma exec`.

Every input row gives one output row, in the same order; a row that cannot be read is an `error` row that says why.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.tools.config import Mode, SandboxConfig
from llemma.tools.execution import Ending, Execution
from llemma.tools.sandbox import Sandbox

_NOTHING = "None"  # a program for rows without one, so that rows and results stay in step


class Executed(msgspec.Struct, frozen=True):
    """A row of results: that of the input row with this `id`. See `Execution` for the fields."""

    id: Any
    outcome: Ending
    stdout: str
    value: str | None
    seconds: float
    memory_mb: float
    srepr: str | None
    error: str | None
    mode: Mode


class Summary(msgspec.Struct, frozen=True):
    """How many rows there were, how they ended, and the isolation that ran."""

    rows: int
    outcomes: dict[str, int]
    mode: Mode

    def text(self) -> str:
        """One line: `5 programs (full isolation): 4 ok, 1 timeout`."""
        parts = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())
        name = "full isolation" if self.mode == "full" else f"weaker mode '{self.mode}'"
        return f"{self.rows} programs ({name})" + (f": {parts}" if parts else "")


class _Row(msgspec.Struct, frozen=True):
    id: Any
    program: str
    why: str | None


def execute(source: Path, out: Path, config: SandboxConfig, console: Console) -> Summary:
    """Run the programs of rows `{id, program}`; see `Executed`. A sandbox that cannot hold here is a `MissingError`."""
    outcomes: Counter[str] = Counter()
    first = next(lines := jsonl.lines(source), None)  # a missing file is refused before anything starts
    rows = (_row(line) for line in chain([] if first is None else [first], lines))
    with Sandbox(config) as box, console.progress("exec", unit="programs") as bar:
        results = bar.counted(_results(box, rows))
        count = jsonl.write(out, _tallied(results, outcomes))
    return Summary(count, dict(outcomes.most_common()), config.mode)


def _results(box: Sandbox, rows: Iterator[_Row]) -> Iterator[Executed]:
    running: deque[_Row] = deque()

    def programs() -> Iterator[str]:
        for row in rows:
            running.append(row)
            yield row.program

    for result in box.map(programs()):
        yield _executed(running.popleft(), result)


def _executed(row: _Row, result: Execution) -> Executed:
    if row.why is not None:
        result = Execution("error", error=row.why, mode=result.mode)
    return Executed(
        row.id,
        result.outcome,
        result.stdout,
        result.value,
        result.seconds,
        result.memory_mb,
        result.srepr,
        result.error,
        result.mode,
    )


def _tallied(results: Iterator[Executed], outcomes: Counter[str]) -> Iterator[Executed]:
    for result in results:
        outcomes[result.outcome] += 1
        yield result


def _row(line: bytes) -> _Row:
    try:
        # not msgspec: what models write holds lone surrogates, which Python's reader takes and ours refuses
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _Row(None, _NOTHING, f"the row is no JSON: {str(error)[:100]}")
    if not isinstance(row, dict):
        return _Row(None, _NOTHING, f"the row is {type(row).__name__}, not an object")
    name, program = _id(row.get("id")), row.get("program")
    if not isinstance(program, str):
        missing = (
            "the row has no 'program'" if "program" not in row else f"'program' is {type(program).__name__}, not a text"
        )
        return _Row(name, _NOTHING, missing)
    return _Row(name, program, None)


def _id(value: Any) -> Any:
    """The id as it stands where it can be written again; larger whole numbers than JSON readers take become text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value if isinstance(value, (int, float)) else None
