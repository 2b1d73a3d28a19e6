"""The geometry of interval bars and outcome strips: where things lie, in drawing units, for the templates to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from llemma.core.types import Score
from llemma.report.tables import Row, tally

WIDTH = 200.0  # drawing units from the left to the right end of a scale


class Scale(msgspec.Struct, frozen=True):
    """An axis from `low` to `high`, shared by all rows that can be compared."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where `value` lies, in drawing units, kept inside the axis."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return round(WIDTH * min(1.0, max(0.0, share)), 2)


class Bar(msgspec.Struct, frozen=True):
    """A value with its interval; `y` separates the models of one row."""

    low: float
    high: float
    value: float
    y: int
    model: int


class Segment(msgspec.Struct, frozen=True):
    """A stretch of an outcome strip."""

    outcome: str
    n: int
    start: float
    width: float


def scale(rows: Sequence[Row]) -> Scale:
    """The common axis of `rows`: proportions start at 0, bits per byte around their values; ends are round numbers."""
    scores = [score for row in rows for score in row.scores if score and math.isfinite(score.value)]
    ends = [x for s in scores for x in (s.low, s.high, s.value) if math.isfinite(x)]
    if not ends:
        return Scale(0.0, 1.0)
    low = 0.0 if rows[0].is_share else min(ends)
    step = _round_step(max(max(ends) - low, 1e-3))  # nothing finer is worth an axis
    bottom = math.floor(low / step + 1e-9) * step
    top = max(math.ceil(max(ends) / step - 1e-9) * step, bottom + step)
    return Scale(bottom, min(1.0, top) if rows[0].is_share else top)


def _round_step(size: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that cuts `size` into at least four."""
    power = 10.0 ** math.floor(math.log10(size / 4))
    return max(step * power for step in (1, 2, 5) if step * power <= size / 4 + 1e-12)


def bars(scores: Sequence[Score | None], axis: Scale) -> list[Bar]:
    """One bar a model, from above to below."""
    return [
        Bar(axis.place(s.low), axis.place(s.high), axis.place(s.value), 8 + 12 * number, number)
        for number, s in enumerate(scores)
        if s is not None and math.isfinite(s.value)
    ]


def strip(outcomes: dict[str, int]) -> list[Segment]:
    """Outcomes as neighbouring stretches over the whole width."""
    total, start, segments = sum(outcomes.values()), 0.0, []
    for outcome, n in tally(outcomes):
        width = WIDTH * n / total
        segments.append(Segment(outcome, n, round(start, 2), round(width, 2)))
        start += width
    return segments
