"""What a change between two models is worth: paired, item by item, wherever both were measured on the same items."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from llemma.core.types import Score
from llemma.report import read

TOTAL = "mathematics"
BITS = "bits_per_byte"
PROVED = "proved"

# What was measured of one item: a value and the size it is a share of. Whether a problem was solved (or the share of
# right samples) over 1; nats of one document over its bytes.
Item: TypeAlias = tuple[float, float]
# (task, kind of metric) -> item's id -> what was measured of it.
Items: TypeAlias = dict[tuple[str, str], dict[str, Item]]


class Change(msgspec.Struct, frozen=True):
    """After minus before, with its 95 % interval.

    `paired` says whether the same items were compared one by one; otherwise the interval is the wider, cautious one.
    `gained` and `lost` count problems that became right or stopped being right.
    """

    value: float
    low: float
    high: float
    paired: bool
    gained: int | None = None
    lost: int | None = None

    @property
    def clear(self) -> bool:
        """Whether there is an interval and it leaves out zero."""
        return self.low < self.high and (self.low > 0 or self.high < 0)


def kind(metric: str) -> str:
    """`greedy`, `maj`, `pass`, `proved` or `bits_per_byte`: the metric without its number."""
    return metric.partition("@")[0]


def items(evaluation: read.Evaluation) -> Items:
    """What was measured of every problem and document of an evaluation."""
    found: Items = defaultdict(dict)
    tasks = {problem.id: problem.task for problem in read.problems(evaluation)}
    samples: dict[str, list[bool]] = defaultdict(list)
    for verdict in read.verdicts(evaluation):
        problem, reading = read.request_parts(verdict.problem)
        right = verdict.outcome == "right"
        if reading == "maj":
            samples[problem].append(right)
        elif problem in tasks:
            found[tasks[problem], "maj" if reading == "vote" else reading][problem] = (float(right), 1.0)
    for problem, rights in samples.items():
        if problem in tasks:
            found[tasks[problem], "pass"][problem] = (sum(rights) / len(rights), 1.0)
    for row in read.likelihoods(evaluation):
        if row.nats is not None:
            names = {row.subset} if row.subset in evaluation.facts.general else {row.subset, TOTAL}
            for name in names:
                found[name, BITS][f"{row.subset}/{row.document}"] = (row.nats, float(row.bytes))
    return dict(found)


def proved(proving: read.Proving) -> Items:
    """Which theorems were proved."""
    return {
        (proving.facts.task, PROVED): {row.id: (float(row.outcome == "right"), 1.0) for row in read.proofs(proving)}
    }


def change(before: Score, after: Score, measured: Sequence[Items]) -> Change:
    """The change of one score; `measured` holds both models' items."""
    key = (before.task, kind(before.metric))
    first, second = (one.get(key, {}) for one in measured)
    same = len(first) == before.n == after.n and first.keys() == second.keys()
    if not same or any(first[name][1] != second[name][1] for name in first):
        return difference(before, after)
    pairs = [(first[name], second[name]) for name in sorted(first)]
    if key[1] not in ("greedy", "maj", PROVED):
        return difference(before, after, correlation(pairs))
    cells = Counter((a[0] == 1, b[0] == 1) for a, b in pairs)
    both, lost, gained = cells[True, True], cells[True, False], cells[False, True]
    rho = phi(both, lost, gained, cells[False, False])
    return msgspec.structs.replace(difference(before, after, rho), gained=gained, lost=lost)


def difference(before: Score, after: Score, correlation: float | None = None) -> Change:
    """After minus before with a 95 % interval made from the two intervals ("square and add").

    Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10, for paired proportions; Zou and Donner 2008,
    Statistics in Medicine 27:1693-1702, for any two estimates. Without `correlation` the estimates are taken as
    independent, which for two models on the same items gives too wide an interval rather than too narrow a one.
    """
    rho = correlation or 0.0
    value = after.value - before.value
    low = value - _root(after.value - after.low, before.high - before.value, rho)
    high = value + _root(after.high - after.value, before.value - before.low, rho)
    return Change(value, low, high, paired=correlation is not None)


def _root(a: float, b: float, rho: float) -> float:
    return math.sqrt(max(0.0, a * a - 2 * rho * a * b + b * b))


def phi(both: int, first: int, second: int, neither: int) -> float:
    """The correlation of two paired yes/no results, with Newcombe's continuity correction; 0 where it is undefined."""
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if not margins:
        return 0.0
    cross = float(both * neither - first * second)
    if cross > 0:
        cross = max(0.0, cross - (both + first + second + neither) / 2)
    return cross / math.sqrt(margins)


def correlation(pairs: Sequence[tuple[Item, Item]]) -> float:
    """The correlation of two ratios (sum of values over sum of sizes) that were measured on the same items.

    It is the correlation of the items' residuals, value minus ratio times size (Cochran 1977, Sampling Techniques,
    section 6.3: a ratio's error is, to first order, the sum of its residuals); 0 where it is undefined.
    """
    first, second = _residuals([a for a, _ in pairs]), _residuals([b for _, b in pairs])
    spread = math.sqrt(math.fsum(a * a for a in first) * math.fsum(b * b for b in second))
    if spread == 0.0:
        return 0.0
    rho = math.fsum(a * b for a, b in zip(first, second, strict=True)) / spread
    return max(-1.0, min(1.0, rho))


def _residuals(measured: Sequence[Item]) -> list[float]:
    sizes = math.fsum(size for _, size in measured)
    ratio = math.fsum(value for value, _ in measured) / sizes if sizes else 0.0
    return [value - ratio * size for value, size in measured]
