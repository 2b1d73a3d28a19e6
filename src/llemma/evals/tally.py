"""Verdicts counted as they stream by, and the scores of all problems of a task or of any part of them.

What is kept of a problem is one small row, whatever its completions were: a thousand problems with 256 samples each
are a few megabytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llemma.core.intervals import bootstrap_mean, bootstrap_means, wilson
from llemma.core.types import OUTCOMES, Outcome, Problem, Score, Verdict
from llemma.evals.answers import Judge
from llemma.evals.curves import Samples, ladder, majority_curve, pass_curve
from llemma.evals.vote import clusters

GREEDY, SAMPLED, VOTED = "greedy", "maj", "vote"
"""What follows the `#` of a request's or verdict's id: the greedy sample, the k samples, the vote over these."""

FACTS = ("subject", "level")
"""Facts of a problem (`Problem.meta`) by which scores are broken down, where a task's problems have them."""

MOST_PARTS = 64
"""A fact with more values than this describes single problems, not groups of them (the largest benchmark has 18)."""

UNKNOWN = "unknown"
"""The part of the problems without a fact that others of their task have: parts add up to the whole."""


class Draw(NamedTuple):
    """The k samples of one problem: their vote's outcome, their own outcomes counted, and what the curves need."""

    vote: Outcome
    outcomes: Counter[str]
    samples: Samples


@dataclass
class Row:
    """What became of one problem."""

    greedy: Outcome | None = None
    drawn: Draw | None = None


@dataclass
class Tally:
    """The verdicts of one task, by problem, in the order in which they came."""

    judge: Judge
    rows: dict[str, Row] = field(default_factory=dict)
    _open: list[Verdict] = field(default_factory=list)

    def add(self, problem: str, verdict: Verdict, mode: str) -> None:
        """Count one verdict; the samples of a problem come before its vote."""
        row = self.rows.setdefault(problem, Row())
        if mode == GREEDY:
            row.greedy = verdict.outcome
        elif mode == SAMPLED:
            self._open.append(verdict)
        else:
            counted = Counter[str](sample.outcome for sample in self._open)
            row.drawn = Draw(verdict.outcome, counted, _samples(self._open, verdict, self.judge))
            self._open = []

    def scores(self, task: str, k: int, seed: int, problems: Sequence[str] | None = None) -> list[Score]:
        """`greedy`, and with k samples `maj@k` and `pass@1` (the mean share of right samples), over `problems`, by
        default all; each problem counts once, as in the paper's totals."""
        rows = list(self.rows.values()) if problems is None else [self.rows[name] for name in problems]
        return list(_scores(rows, task, k, seed))

    def curves(self, task: str, k: int, seed: int) -> list[Score]:
        """maj@j for 1 < j < k and pass@j for 1 < j <= k; see `curves` for the estimators.

        A judge with a vote of its own has no maj@j but the voted one: its clusters depend on the order of all samples.
        """
        drawn = [row.drawn.samples for row in self.rows.values() if row.drawn is not None]
        if not drawn:
            return []
        fewest = min(len(samples.right) for samples in drawn)
        ks = [j for j in ladder(k) if 1 < j <= fewest]
        smaller = [j for j in ks if j < k] if self.judge.vote is None else []
        values = np.hstack([majority_curve(drawn, smaller, seed), pass_curve(drawn, ks)])
        return _curve(task, [*(f"maj@{j}" for j in smaller), *(f"pass@{j}" for j in ks)], values, seed)

    def parts(self, problems: Mapping[str, Problem]) -> Iterator[tuple[str, str, list[str]]]:
        """(fact, value, ids of the problems that have it) for each fact of `FACTS` that any problem has."""
        for fact in FACTS:
            found: dict[str, list[str]] = {}
            for name in self.rows:
                found.setdefault(str(problems[name].meta.get(fact, UNKNOWN)), []).append(name)
            if set(found) != {UNKNOWN} and len(found) <= MOST_PARTS:
                for value in sorted(found, key=_reading_order):
                    yield fact, value, found[value]


def _reading_order(value: str) -> tuple[bool, int, str]:
    return value == UNKNOWN, int(value) if value.isdecimal() and len(value) < 9 else 0, value


def _scores(rows: Sequence[Row], task: str, k: int, seed: int) -> Iterator[Score]:
    greedy = Counter[str](row.greedy for row in rows if row.greedy is not None)
    drawn = [row.drawn for row in rows if row.drawn is not None]
    if greedy:
        yield _proportion(task, GREEDY, greedy, wilson(greedy["right"], sum(greedy.values())))
    if drawn:
        won = [float(draw.vote == "right") for draw in drawn]
        votes = Counter[str](draw.vote for draw in drawn)
        yield _proportion(task, f"maj@{k}", votes, _mean_interval(won, seed))
        shares = [sum(draw.samples.right) / len(draw.samples.right) for draw in drawn]
        outcomes = sum((draw.outcomes for draw in drawn), Counter[str]())
        interval = _mean_interval(shares, seed)
        yield Score(task, "pass@1", math.fsum(shares) / len(shares), *interval, len(shares), ordered(outcomes))


def _samples(sampled: Sequence[Verdict], vote: Verdict, judge: Judge) -> Samples:
    rights = [verdict.outcome == "right" for verdict in sampled]
    if judge.vote is not None or vote.outcome in ("error", "timeout"):  # no clusters of its own, or none
        return Samples(rights, [None] * len(rights))
    return Samples(rights, clusters([verdict.answer for verdict in sampled], judge.canonical))


def _curve(task: str, names: Sequence[str], values: NDArray[np.float64], seed: int) -> list[Score]:
    found = []
    for name, column, spread in zip(names, values.T, bootstrap_means(values, seed), strict=True):
        low, high = _wilson_of_equal(column.tolist()) or spread
        found.append(Score(task, name, float(column.mean()), low, high, len(column)))
    return found


def _mean_interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    return _wilson_of_equal(values) or bootstrap_mean(values, seed)


def _wilson_of_equal(values: Sequence[float]) -> tuple[float, float] | None:
    # resampling equal values shows no spread, however few they are; Wilson's interval does
    extreme = len(set(values)) == 1 and values[0] in (0.0, 1.0)
    return wilson(round(sum(values)), len(values)) if extreme else None


def _proportion(task: str, metric: str, outcomes: Counter[str], interval: tuple[float, float]) -> Score:
    n = sum(outcomes.values())
    return Score(task, metric, outcomes["right"] / n, *interval, n, ordered(outcomes))


def ordered(outcomes: Counter[str]) -> dict[str, int]:
    """Outcomes with their counts in the fixed order of outcomes, zeros left out."""
    return {name: outcomes[name] for name in OUTCOMES if outcomes[name]}
