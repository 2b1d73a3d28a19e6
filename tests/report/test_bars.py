from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.types import Score
from llemma.report import bars
from llemma.report.tables import Row


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted), st.booleans())
def test_every_interval_fits_its_scale(values: list[float], share: bool) -> None:
    score = Score("t", "m", values[1], values[0], values[2], 9)
    row = Row("t", "m", "higher" if share else "lower", [score])
    axis = bars.scale([row])
    assert axis.low <= values[0] + 1e-9 and axis.high >= values[2] - 1e-9
    assert not share or axis.low == 0
    (bar,) = bars.bars(row.scores, axis)
    assert 0 <= bar.low <= bar.value <= bar.high <= bars.WIDTH


def test_a_strip_fills_the_width_in_the_order_of_outcomes() -> None:
    parts = bars.strip({"error": 1, "right": 3, "wrong": 4, "timeout": 0})
    assert [part.outcome for part in parts] == ["right", "wrong", "error"]
    assert parts[-1].start + parts[-1].width == pytest.approx(bars.WIDTH)


def test_no_scores_give_a_scale_and_no_bars() -> None:
    row = Row("t", "m", "higher", [None])
    assert bars.bars(row.scores, bars.scale([row])) == []
