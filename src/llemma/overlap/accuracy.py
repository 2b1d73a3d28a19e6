"""Does a hit make the model right? Accuracy on problems with hits and on the rest, by level, and what chance allows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from llemma.core import jsonl
from llemma.core.intervals import Z95, wilson
from llemma.core.types import Completion, Problem, Verdict
from llemma.overlap.index import Length
from llemma.overlap.items import COMPLETIONS, PROBLEMS, VERDICTS, Item, check_run

GREEDY, VOTED = "greedy", "vote"
EVERY = "all"


class Judged(msgspec.Struct, frozen=True):
    """A problem of a run, and whether the model's answer to it was right."""

    id: str
    task: str
    level: str
    right: bool


class Side(msgspec.Struct, frozen=True):
    """Problems and right answers, the share with its Wilson interval."""

    right: int
    n: int
    low: float
    high: float


class Split(msgspec.Struct, frozen=True):
    """Problems with hits beside the rest. `difference` is accuracy on hits minus that on the rest, with Newcombe's
    interval; `p` is Fisher's. All three are missing where one side is empty."""

    task: str
    kind: str
    n: Length
    level: str
    hits: Side
    rest: Side
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


class Adjusted(msgspec.Struct, frozen=True):
    """The difference at equal level: a mean over the levels with both sides, weighted as Mantel and Haenszel do."""

    task: str
    kind: str
    n: Length
    levels: int
    difference: float
    low: float
    high: float
    p: float


def read_judged(run: Path) -> dict[str, Judged]:
    """The problems of an evaluation folder with their outcomes: of the greedy answer, else of the vote."""
    check_run(run)
    right: dict[str, dict[str, bool]] = {GREEDY: {}, VOTED: {}}
    for verdict in jsonl.read(run / VERDICTS, Verdict):
        name, _, mode = verdict.problem.rpartition("#")
        if mode in right:
            right[mode][name] = verdict.outcome == "right"
    outcomes = right[VOTED] | right[GREEDY]
    return {
        problem.id: Judged(problem.id, problem.task, str(problem.meta.get("level", "")), outcomes[problem.id])
        for problem in jsonl.read(run / PROBLEMS, Problem)
        if problem.id in outcomes
    }


def read_answers(run: Path, problems: set[str]) -> dict[str, str]:
    """The first completion of each of `problems` in a run, which is the greedy one where there is one."""
    found: dict[str, str] = {}
    for completion in jsonl.read(run / COMPLETIONS, Completion):
        name = completion.request.rpartition("#")[0]
        if name in problems:
            found.setdefault(name, completion.text)
    return found


def splits(
    judged: Mapping[str, Judged], items: Iterable[Item], hit: Mapping[tuple[str, Length], set[str]]
) -> list[Split]:
    """By kind of item, n, task and level (`all` first). `hit` holds the ids of the problems with a hit, by kind and n.

    A problem is in the table when it has an item of that kind; those too short to hit are among the rest, as published.
    """
    asked: dict[str, dict[str, Judged]] = {}
    for item in items:
        if item.problem in judged:
            asked.setdefault(item.kind, {})[item.problem] = judged[item.problem]
    return [
        split(task, kind, n, level, members, problems)
        for (kind, n), problems in hit.items()
        for task, level, members in _groups(list(asked.get(kind, {}).values()))
    ]


def _groups(judged: Sequence[Judged]) -> Iterator[tuple[str, str, list[Judged]]]:
    for task in dict.fromkeys(each.task for each in judged):
        mine = [each for each in judged if each.task == task]
        yield task, EVERY, mine
        levels = sorted({each.level for each in mine if each.level})
        for level in levels if len(levels) > 1 else ():
            yield task, level, [each for each in mine if each.level == level]


def split(task: str, kind: str, n: Length, level: str, judged: Sequence[Judged], hit: set[str]) -> Split:
    """One row of the table: `judged` parted by whether their id is in `hit`."""
    hits, rest = (side([each.right for each in judged if (each.id in hit) is wanted]) for wanted in (True, False))
    if not hits.n or not rest.n:
        return Split(task, kind, n, level, hits, rest)
    low, high = newcombe(hits, rest)
    p = fisher(hits.right, hits.n, rest.right, rest.n)
    return Split(task, kind, n, level, hits, rest, hits.right / hits.n - rest.right / rest.n, low, high, p)


def adjusted(rows: Sequence[Split]) -> list[Adjusted]:
    """Of a table with levels, one difference for each task, kind and n: hits are more frequent among easy problems, and
    easy problems are solved more often, so the difference over all levels tells little."""
    groups: dict[tuple[str, str, Length], list[Split]] = {}
    for row in rows:
        if row.level != EVERY and row.hits.n and row.rest.n:
            groups.setdefault((row.task, row.kind, row.n), []).append(row)
    return [Adjusted(*key, len(levels), *mantel_haenszel(levels)) for key, levels in groups.items()]


def mantel_haenszel(rows: Sequence[Split]) -> tuple[float, float, float, float]:
    """(difference, low, high, p) over strata that have both sides.

    The difference is that of N. Mantel and W. Haenszel (Journal of the National Cancer Institute 22, 1959), its 95 %
    interval by the variance of S. Greenland and J. Robins (Biometrics 41, 1985, p. 59), p by the test of Cochran,
    Mantel and Haenszel without correction for continuity; 1 where all strata are all right or all wrong.
    """
    above = below = spread = observed = variance = 0.0
    for hits, rest in ((row.hits, row.rest) for row in rows):
        a, c, n, m = hits.right, rest.right, hits.n, rest.n
        total = n + m
        above += (a * m - c * n) / total
        below += n * m / total
        spread += (a * (n - a) * m**3 + c * (m - c) * n**3) / (n * m * total**2)
        observed += a - n * (a + c) / total
        variance += n * m * (a + c) * (total - a - c) / (total**2 * (total - 1))
    # answers that are all alike have no variance to estimate, which is not the same as certainty
    difference, half = above / below, Z95 * math.sqrt(spread) / below if spread else 2.0
    p = math.erfc(abs(observed) / math.sqrt(2 * variance)) if variance else 1.0
    return difference, max(-1.0, difference - half), min(1.0, difference + half), p


def side(right: Sequence[bool]) -> Side:
    """Answers counted, with Wilson's interval; (0, 1) of none."""
    return Side(sum(right), len(right), *wilson(sum(right), len(right)))


def newcombe(a: Side, b: Side) -> tuple[float, float]:
    """The 95 % interval of the difference of two independent proportions, a minus b: the hybrid of Wilson's intervals
    (R. G. Newcombe, Statistics in Medicine 17, 1998, pp. 873-890, method 10)."""
    p, q = a.right / a.n, b.right / b.n
    return p - q - math.hypot(p - a.low, b.high - q), p - q + math.hypot(a.high - p, q - b.low)


def fisher(right: int, n: int, other_right: int, other_n: int) -> float:
    """Fisher's exact test, two-sided: the probability of all tables with these margins that are no more probable than
    the given one (R. A. Fisher, Journal of the Royal Statistical Society 98, 1935)."""
    total = right + other_right
    whole = _log_choose(n + other_n, total)

    def log_probability(k: int) -> float:
        return _log_choose(n, k) + _log_choose(other_n, total - k) - whole

    limit = log_probability(right) + 1e-7  # equal tables must not be parted by rounding
    tables = (log_probability(k) for k in range(max(0, total - other_n), min(n, total) + 1))
    return min(1.0, math.fsum(math.exp(value) for value in tables if value <= limit))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
