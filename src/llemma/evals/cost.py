"""What an evaluation has cost: tokens, seconds in the backend, seconds a problem had to wait, seconds of judging."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from llemma.core.types import Completion


class Latency(msgspec.Struct, frozen=True):
    """Seconds that the backend says one request took, over the requests of one reading of a task.

    Where a backend answers many requests in one batch, it is the request's share of the batch. Requests that ended in
    an error are left out.
    """

    requests: int
    median: float
    p99: float


class Cost(msgspec.Struct, frozen=True):
    """What one task has cost. `seconds` is wall time in the backend, over all attempts; `judging` is that of judges."""

    task: str
    seconds: float = 0.0
    samples: int = 0
    tokens: int = 0
    latencies: dict[str, Latency] = {}
    """By reading: `greedy` (one sample a problem), `maj` (k samples a problem)."""
    judging: float = 0.0
    cut: int = 0
    """Prompts that lost their beginning, being too long for the model's context."""

    @property
    def tokens_per_second(self) -> float | None:
        """New tokens a second of wall time; None where no time was measured."""
        return self.tokens / self.seconds if self.seconds > 0 and self.tokens else None


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least the share `q` of the sorted `values` does not exceed (nearest rank)."""
    return values[max(0, math.ceil(q * len(values)) - 1)]


@dataclass
class _Open:
    samples: int = 0
    tokens: int = 0
    judging: float = 0.0
    waited: dict[str, list[float]] = field(default_factory=dict)
    cut: Counter[str] = field(default_factory=Counter)


class Meter:
    """Counts completions and verdicts of all tasks as they stream by; what it holds is one number a request."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Open] = {}
        self._request = ""

    def completion(self, task: str, mode: str, completion: Completion) -> None:
        """Count one sample; the samples of a request are neighbours."""
        found = self._tasks.setdefault(task, _Open())
        found.samples += 1
        found.tokens += completion.tokens
        first, self._request = completion.request != self._request, completion.request
        waited = found.waited.setdefault(mode, [])
        if first:
            waited.append(math.nan)  # until a sample of it is no error
            found.cut[mode] += bool(completion.cut)
        if completion.finish != "error" and waited:
            waited[-1] = max(completion.seconds, 0.0 if math.isnan(waited[-1]) else waited[-1])

    def judged(self, task: str, seconds: float) -> None:
        """Count what one verdict took."""
        self._tasks.setdefault(task, _Open()).judging += seconds

    def costs(self, tasks: Iterable[str], walls: Mapping[str, float]) -> Iterator[Cost]:
        """The cost of each of `tasks`; `walls` are their seconds in the backend."""
        for task in tasks:
            found = self._tasks.get(task, _Open())
            latencies = {mode: made for mode, times in found.waited.items() if (made := _latency(times)) is not None}
            wall, judging = walls.get(task, 0.0), round(found.judging, 3)
            cut = max(found.cut.values(), default=0)  # every reading asks the same prompts
            yield Cost(task, round(wall, 3), found.samples, found.tokens, latencies, judging, cut)


def _latency(times: Sequence[float]) -> Latency | None:
    known = sorted(time for time in times if not math.isnan(time))
    if not known or known[-1] == 0.0:  # a recording, which has no times
        return None
    return Latency(len(known), quantile(known, 0.5), quantile(known, 0.99))
