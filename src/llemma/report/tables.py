"""The numbers of a run as tables: plain records that a page, a terminal or a paper can show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from llemma.core.console import table as plain_table
from llemma.core.types import OUTCOMES, SPLITS, Score
from llemma.report import read
from llemma.report.changes import BITS, PROVED, TOTAL, Change, Items, change, items, kind, proved

Better = Literal["higher", "lower"]


class Row(msgspec.Struct, frozen=True):
    """One measurement of the models; `scores` has one entry a column, None where it was not measured.

    `general` marks text that is no mathematics: there a model that loses nothing has done well.
    """

    task: str
    metric: str
    better: Better
    scores: list[Score | None]
    change: Change | None = None
    general: bool = False
    no_model: Score | None = None
    """Of theorems: what closing tactics prove without a model."""

    @property
    def is_share(self) -> bool:
        """Whether values are proportions of problems, to be shown in per cent."""
        return self.better == "higher"

    @property
    def n(self) -> int:
        """Problems or documents behind the scores."""
        return max((score.n for score in self.scores if score), default=0)

    @property
    def label(self) -> str:
        """How a person calls the metric."""
        kind, _, number = self.metric.partition("@")
        if kind == "maj":
            return f"majority of {number}"
        return "one sample (mean)" if self.metric == "pass@1" else self.metric.replace("_", " ")

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
        if row.no_model is not None:
            cells[1] += f" (without a model {number(row.no_model.value, True)})"
        cells += [number(score.value, row.is_share) if score else "-" for score in row.scores]
        if self.compares:
            cells += (
                [signed(row.change.value, row.is_share), span(row.change, row.is_share)] if row.change else ["-", "-"]
            )
        return [*cells, str(row.n)]


def before_after(run: Path) -> BeforeAfter:
    """The before/after table of the run folder `run`. MissingError if there is no such folder."""
    found = read.run(run)
    return compare(found.evaluations, found.provings)


def compare(evaluations: Sequence[read.Evaluation], provings: Sequence[read.Proving] = ()) -> BeforeAfter:
    """One row for each task and metric that any evaluation, or run over theorems, has a score for."""
    names = list(dict.fromkeys([*(one.name for one in evaluations), *(one.name for one in provings)]))
    scores: dict[str, dict[tuple[str, str], Score]] = {name: {} for name in names}
    for evaluation in evaluations:
        scores[evaluation.name] |= {(score.task, score.metric): score for score in evaluation.facts.scores}
    for proving in provings:
        scores[proving.name][proving.facts.task, PROVED] = proving.facts.score
    general = {subset for evaluation in evaluations for subset in evaluation.facts.general}
    measured = [_measured(name, evaluations, provings) for name in names[:2]]
    keys = sorted({key for table in scores.values() for key in table}, key=lambda key: _reading_order(key, general))
    rows = [_row(key, [table.get(key) for table in scores.values()], measured, general) for key in keys]
    alone = {one.facts.task: one.facts.baseline.score for one in provings if one.facts.baseline is not None}
    rows = [msgspec.structs.replace(row, no_model=alone.get(row.task)) if row.metric == PROVED else row for row in rows]
    return BeforeAfter(models=[read.label(name) for name in names], rows=rows)


def _measured(name: str, evaluations: Sequence[read.Evaluation], provings: Sequence[read.Proving]) -> Items:
    """The items of a model, over all that it was asked."""
    found: Items = {}
    for evaluation in evaluations:
        found |= items(evaluation) if evaluation.name == name else {}
    for proving in provings:
        found |= proved(proving) if proving.name == name else {}
    return found


def _reading_order(key: tuple[str, str], general: Collection[str]) -> tuple[bool, int, str, int, str]:
    """Problem solving first, task by task: greedy, votes, one sample; then bits per byte: the subsets of mathematics,
    their total, other text."""
    task, metric = key
    if metric == BITS:
        return (True, 2 if task in general else 1 if task == TOTAL else 0, task, 0, metric)
    kinds = ("greedy", "maj", "pass")
    if metric == PROVED:
        return (False, 1, task, 0, metric)
    return (False, 0, task, kinds.index(kind(metric)) if kind(metric) in kinds else len(kinds), metric)


def _row(key: tuple[str, str], scores: list[Score | None], measured: Sequence[Items], general: Collection[str]) -> Row:
    task, metric = key
    better: Better = "lower" if metric == BITS else "higher"
    moved = None
    if len(scores) > 1 and scores[0] is not None and scores[1] is not None:
        moved = change(scores[0], scores[1], measured)
    return Row(task, metric, better, scores, moved, general=better == "lower" and task in general)


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
    """`+1.2 to +11.7`; one item tells no spread."""
    if change.low == change.high:
        return "no interval"
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
            store = run.stores.get(subset, {}).get(split)
            size = counted.get(subset, {}).get(split)
            if size is None:
                size = read.Count(store.documents, store.text_bytes) if store else read.Count()
            rows.append(SubsetRow(subset, split, size.docs, size.bytes, store.tokens if store else None))
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
    kept: int
    bytes: int
    losses: list[Loss]

    @property
    def dropped(self) -> int:
        """Documents dropped by any step."""
        return sum(loss.documents for loss in self.losses)

    @property
    def read(self) -> int:
        """Documents that the source gave."""
        return self.kept + self.dropped


def sources(stats: read.CorpusStats) -> list[SourceRow]:
    """Kept and dropped by source, the reasons with most documents first; sources that were left out are not here."""
    return [
        SourceRow(name, one.subset, one.kept.docs, one.kept.bytes, _losses(one.dropped))
        for name, one in sorted(stats.sources.items(), key=lambda item: (item[1].subset, item[0]))
        if not one.skipped
    ]


def skipped(stats: read.CorpusStats) -> list[tuple[str, str]]:
    """Sources that could not be read, with the reason."""
    return sorted((name, one.skipped) for name, one in stats.sources.items() if one.skipped)


def _losses(dropped: dict[str, dict[str, int]]) -> list[Loss]:
    losses = [Loss(step, reason, n) for step, reasons in dropped.items() for reason, n in reasons.items() if n]
    return sorted(losses, key=lambda loss: (-loss.documents, loss.step, loss.reason))


class MixtureRow(msgspec.Struct, frozen=True):
    """A source of a training run: its share of the tokens, what the plan draws from how much, and how often it is seen.

    `drawn` is what was drawn so far, where the run counted it.
    """

    source: str
    share: float
    tokens: int
    available: int
    epochs: float
    drawn: int | None


def mixture(training: read.Training) -> list[MixtureRow]:
    """The mixture of a training run, the largest share first."""
    parts = training.plan.mixture if training.plan else []
    total = sum(part.tokens for part in parts) or 1
    drawn: dict[str, int] = {}
    for row in training.metrics:
        drawn = row.drawn or drawn
    rows = [
        MixtureRow(part.source, part.tokens / total, part.tokens, part.available, part.epochs, drawn.get(part.source))
        for part in parts
    ]
    return sorted(rows, key=lambda row: (-row.tokens, row.source))


def tally(outcomes: Iterable[str] | dict[str, int]) -> list[tuple[str, int]]:
    """Outcomes with their counts in the fixed order of outcomes, zeros left out."""
    counts = Counter(outcomes)
    known = [(name, counts[name]) for name in OUTCOMES if counts[name]]
    return known + sorted((name, n) for name, n in counts.items() if name not in OUTCOMES and n)


def summary(table: BeforeAfter) -> list[str]:
    """The table's main changes as sentences: each task's greedy and voted accuracy, and the total bits per byte."""
    if not table.compares:
        return []
    solved = [row for row in table.rows if row.change and kind(row.metric) in ("greedy", "maj")]
    theorems = [row for row in table.rows if row.change and row.metric == PROVED]
    total = [row for row in table.rows if row.change and row.metric == BITS and row.task == TOTAL]
    return [_sentence(row) for row in [*solved[:4], *theorems, *total]]


def _sentence(row: Row) -> str:
    before, after = row.scores[0], row.scores[1]
    assert before is not None and after is not None and row.change is not None
    what = f"Accuracy on {row.task}, {row.label}," if row.is_share else "Bits per byte over all held-out mathematics"
    if row.metric == PROVED:
        alone = f", without a model {number(row.no_model.value, True)}" if row.no_model else ""
        what = f"The share of proved theorems ({row.task}{alone})"
    moved = f"{what} went from {number(before.value, row.is_share)} to {number(after.value, row.is_share)}"
    unit = " points" if row.is_share else ""
    change = f"{signed(row.change.value, row.is_share)}{unit}, 95 % interval {span(row.change, row.is_share)}"
    verdict = {True: "", False: "; this is worse", None: f"; {after.n} items cannot tell it from no change"}[row.helped]
    return f"{moved} ({change}{verdict}).".replace(" %", "\u00a0%").replace(" points", "\u00a0points")
