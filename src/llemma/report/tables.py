"""The numbers of a run as tables: plain records that a page, a terminal or a paper can show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from llemma.core.console import table as plain_table
from llemma.core.types import OUTCOMES, SPLITS, Score
from llemma.report import read

TOTAL = "mathematics"
Better = Literal["higher", "lower"]


class Change(msgspec.Struct, frozen=True):
    """After minus before, with its 95 % interval.

    `paired` says whether the same items were compared one by one; otherwise the interval is the wider, cautious one.
    """

    value: float
    low: float
    high: float
    paired: bool

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


class Row(msgspec.Struct, frozen=True):
    """One measurement of the models; `scores` has one entry a column, None where it was not measured."""

    task: str
    metric: str
    better: Better
    scores: list[Score | None]
    change: Change | None = None
    gained: int | None = None
    lost: int | None = None

    @property
    def is_share(self) -> bool:
        """Whether values are proportions of problems, to be shown in per cent."""
        return self.better == "higher"

    @property
    def label(self) -> str:
        """How a person calls the metric."""
        if self.metric == "greedy":
            return "greedy"
        votes = self.metric.removeprefix("maj@")
        return f"majority of {votes}" if votes != self.metric else self.metric.replace("_", " ")

    @property
    def helped(self) -> bool | None:
        """True or False where the change is clear and good or bad, else None."""
        if self.change is None or not self.change.clear:
            return None
        return (self.change.value > 0) == (self.better == "higher")


class BeforeAfter(msgspec.Struct, frozen=True):
    """Every score of a run, one row a task and metric, one column a model (the first two are compared)."""

    models: list[str]
    rows: list[Row]

    def text(self) -> str:
        """The table for a terminal."""
        if not self.rows:
            return "no scores yet"
        heads = ["task", "metric", *self.models, *(["change", "95 % interval"] if self.compares else []), "n"]
        return plain_table(heads, [self._line(row) for row in self.rows])

    @property
    def compares(self) -> bool:
        """Whether there are two models to compare."""
        return len(self.models) > 1

    def _line(self, row: Row) -> list[str]:
        cells = [row.task, row.label + (" (lower is better)" if row.better == "lower" else "")]
        cells += [number(score.value, row.is_share) if score else "-" for score in row.scores]
        if self.compares:
            cells += (
                [signed(row.change.value, row.is_share), span(row.change, row.is_share)] if row.change else ["-", "-"]
            )
        return [*cells, str(max((score.n for score in row.scores if score), default=0))]


def before_after(run: Path) -> BeforeAfter:
    """The before/after table of the run folder `run`. MissingError if there is no such folder."""
    return compare(read.run(run).evaluations)


def compare(evaluations: Sequence[read.Evaluation]) -> BeforeAfter:
    """One row for each task and metric that any evaluation has a score for."""
    scores = [{(s.task, s.metric): s for s in evaluation.scores} for evaluation in evaluations]
    keys = sorted({key for table in scores for key in table}, key=_reading_order)
    right = [greedy_outcomes(evaluation) for evaluation in evaluations[:2]]
    rows = [_row(key, [table.get(key) for table in scores], right) for key in keys]
    return BeforeAfter(models=[read.label(e.name) for e in evaluations], rows=rows)


def _reading_order(key: tuple[str, str]) -> tuple[bool, bool, str, int, str]:
    """Problem solving first, task by task, greedy before votes; then bits per byte by subset, the total last."""
    task, metric = key
    votes = metric.removeprefix("maj@")
    size = int(votes) if votes.isdigit() else 0
    return (metric == "bits_per_byte", task == TOTAL, task, size, metric)


def _row(key: tuple[str, str], scores: list[Score | None], outcomes: list[dict[str, tuple[str, str]]]) -> Row:
    task, metric = key
    better: Better = "lower" if metric == "bits_per_byte" else "higher"
    before, after = scores[0], scores[1] if len(scores) > 1 else None
    if before is None or after is None:
        return Row(task, metric, better, scores)
    if metric != "greedy":
        return Row(task, metric, better, scores, difference(before, after))
    pairs = Counter(
        (outcome == "right", outcomes[1][request][1] == "right")
        for request, (of_task, outcome) in outcomes[0].items()
        if request in outcomes[1] and of_task in (task, "")
    )
    if pairs.total() != before.n or before.n != after.n:  # not the same problems: nothing to pair
        return Row(task, metric, better, scores, difference(before, after))
    change = difference(
        before, after, phi(pairs[True, True], pairs[True, False], pairs[False, True], pairs[False, False])
    )
    return Row(task, metric, better, scores, change, gained=pairs[False, True], lost=pairs[True, False])


def greedy_outcomes(evaluation: read.Evaluation) -> dict[str, tuple[str, str]]:
    """Problem id -> (task, outcome) of its greedy completion; the task is empty where the problem is not on disk."""
    tasks = {problem.id: problem.task for problem in read.problems(evaluation)}
    outcomes: dict[str, tuple[str, str]] = {}
    for verdict in read.verdicts(evaluation):
        problem, reading = read.request_parts(verdict.problem)
        if reading == "greedy":
            outcomes[problem] = (tasks.get(problem, ""), verdict.outcome)
    return outcomes


def difference(before: Score, after: Score, correlation: float | None = None) -> Change:
    """After minus before with a 95 % interval made from the two intervals ("square and add").

    Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10, for paired proportions; Zou and Donner 2008,
    Statistics in Medicine 27:1693-1702, for any two estimates. Without `correlation` the estimates are taken as
    independent, which for two models on the same items gives too wide an interval rather than too narrow a one.
    """
    rho = correlation or 0.0
    value = after.value - before.value
    down, up = after.value - after.low, before.high - before.value
    low = value - _root(down, up, rho)
    down, up = before.value - before.low, after.high - after.value
    return Change(value, low, value + _root(up, down, rho), paired=correlation is not None)


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


def number(value: float, share: bool) -> str:
    """`18.5 %` for a proportion, `2.310` for bits per byte; `-` where there is no finite value."""
    if not math.isfinite(value):
        return "-"
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def signed(value: float, share: bool) -> str:
    """`+6.5` (points) for a proportion, `−0.470` for bits per byte, with a true minus sign."""
    text = f"{100 * value:+.1f}" if share else f"{value:+.3f}"
    return text.replace("-", "−")


def span(change: Change, share: bool) -> str:
    """`+1.2 to +11.7`."""
    return f"{signed(change.low, share)} to {signed(change.high, share)}"


class SubsetRow(msgspec.Struct, frozen=True):
    """Size of one subset and split; `tokens` is None before tokenisation."""

    subset: str
    split: str
    documents: int
    bytes: int
    tokens: int | None


def subsets(run: read.Run) -> list[SubsetRow]:
    """Documents, bytes and tokens by subset and split, of the corpus and the token stores."""
    counted = run.stats.subsets if run.stats else {}
    rows = []
    for subset in sorted({*counted, *run.stores}):
        splits = {*counted.get(subset, {}), *run.stores.get(subset, {})}
        for split in sorted(splits, key=_split_order):
            size, store = counted.get(subset, {}).get(split), run.stores.get(subset, {}).get(split)
            documents = size.documents if size else store.documents if store else 0
            rows.append(SubsetRow(subset, split, documents, size.bytes if size else 0, store.tokens if store else None))
    return rows


def _split_order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


class Loss(msgspec.Struct, frozen=True):
    """Documents of one source that one step dropped for one reason."""

    step: str
    reason: str
    documents: int


class SourceRow(msgspec.Struct, frozen=True):
    """What was kept of a source, and why the rest was not."""

    source: str
    subset: str
    read: int
    kept: int
    bytes: int
    losses: list[Loss]

    @property
    def dropped(self) -> int:
        """Documents dropped by any step."""
        return sum(loss.documents for loss in self.losses)


def sources(stats: read.CorpusStats) -> list[SourceRow]:
    """Kept and dropped by source, the reasons with most documents first."""
    return [
        SourceRow(name, one.subset, one.read, one.kept, one.bytes, _losses(one.dropped))
        for name, one in sorted(stats.sources.items(), key=lambda item: (item[1].subset, item[0]))
    ]


def _losses(dropped: dict[str, dict[str, int]]) -> list[Loss]:
    losses = [Loss(step, reason, n) for step, reasons in dropped.items() for reason, n in reasons.items() if n]
    return sorted(losses, key=lambda loss: (-loss.documents, loss.step, loss.reason))


class MixtureRow(msgspec.Struct, frozen=True):
    """A source of a training run: planned share, tokens and epochs, and the tokens drawn where the run counted them."""

    source: str
    weight: float
    tokens: int
    epochs: float
    drawn: int | None


def mixture(training: read.Training) -> list[MixtureRow]:
    """The mixture of a training run, the largest share first."""
    parts = training.plan.mixture if training.plan else []
    total = sum(part.weight for part in parts) or 1.0
    drawn: dict[str, int] = {}
    for row in training.metrics:
        drawn = row.drawn or drawn
    rows = [MixtureRow(p.source, p.weight / total, p.tokens, p.epochs, drawn.get(p.source)) for p in parts]
    return sorted(rows, key=lambda row: (-row.weight, row.source))


def tally(outcomes: Iterable[str] | dict[str, int]) -> list[tuple[str, int]]:
    """Outcomes with their counts in the fixed order of outcomes, zeros left out."""
    counts = Counter(outcomes)
    known = [(name, counts[name]) for name in OUTCOMES if counts[name]]
    return known + sorted((name, n) for name, n in counts.items() if name not in OUTCOMES and n)


def summary(table: BeforeAfter) -> list[str]:
    """The table's main changes as sentences: each task's greedy and voted accuracy, and the total bits per byte."""
    if not table.compares:
        return []
    rows = [row for row in table.rows if row.change and (row.is_share or row.task == TOTAL)]
    return [_sentence(row) for row in rows[:4]]


def _sentence(row: Row) -> str:
    before, after = row.scores[0], row.scores[1]
    assert before is not None and after is not None and row.change is not None
    what = f"Accuracy on {row.task}, {row.label}," if row.is_share else "Bits per byte over all held-out mathematics"
    moved = f"{what} went from {number(before.value, row.is_share)} to {number(after.value, row.is_share)}"
    unit = " points" if row.is_share else ""
    change = f"{signed(row.change.value, row.is_share)}{unit}, 95 % interval {span(row.change, row.is_share)}"
    verdict = {True: "", False: "; this is worse", None: f"; {after.n} items cannot tell it from no change"}[row.helped]
    return f"{moved} ({change}{verdict}).".replace(" %", "\u00a0%").replace(" points", "\u00a0points")
