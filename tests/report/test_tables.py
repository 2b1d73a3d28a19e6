from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import MissingError
from llemma.core.types import Score
from llemma.report import read, tables


def score(value: float, low: float, high: float) -> Score:
    return Score("t", "greedy", value, low, high, 100)


def wilson(hits: int, n: int) -> Score:
    z, p = 1.959963984540054, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Score("t", "greedy", p, (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n), n)


@pytest.mark.parametrize(
    ("cells", "expected"),
    # Newcombe's 1998 paper on paired data, method 10: (both, first only, second only, neither) and the interval of
    # first minus second.
    [((36, 12, 2, 0), (0.0569, 0.3404)), ((20, 12, 2, 16), (0.0562, 0.3290)), ((53, 0, 0, 1), None)],
)
def test_paired_interval(cells: tuple[int, int, int, int], expected: tuple[float, float] | None) -> None:
    both, first, second, _ = cells
    n = sum(cells)
    change = tables.difference(wilson(both + second, n), wilson(both + first, n), tables.phi(*cells))
    assert change.paired and change.low <= change.value <= change.high
    if expected:
        assert (change.low, change.high) == pytest.approx(expected, abs=5e-4)
    else:
        assert not change.clear


VALUES = st.tuples(*[st.floats(0, 1)] * 3).map(sorted)


@given(VALUES, VALUES, st.floats(-1, 1))
def test_a_change_lies_in_its_interval_and_turns_with_the_order(a: list[float], b: list[float], rho: float) -> None:
    one, two = score(a[1], a[0], a[2]), score(b[1], b[0], b[2])
    there, back = tables.difference(one, two, rho), tables.difference(two, one, rho)
    assert there.low <= there.value <= there.high
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_phi_agrees_with_its_definition_and_is_zero_where_undefined() -> None:
    assert tables.phi(10, 0, 0, 0) == 0
    assert tables.phi(0, 5, 5, 0) == pytest.approx(-1)
    assert 0 < tables.phi(5, 0, 0, 5) < 1  # the continuity correction


def test_before_after_of_a_run(run_folder: Path) -> None:
    table = tables.before_after(run_folder)
    assert table.models == ["Base", "Continued"]
    assert [(row.task, row.metric) for row in table.rows[:2]] == [
        ("generated-math", "greedy"),
        ("generated-math", "maj@8"),
    ]
    assert table.rows[-1].task == "mathematics" and table.rows[-1].better == "lower"
    greedy = table.rows[0]
    assert greedy.change is not None and greedy.change.paired
    assert greedy.gained is not None and greedy.lost is not None
    assert (greedy.gained - greedy.lost) / 24 == pytest.approx(greedy.change.value)
    assert table.rows[-1].helped is True  # fewer bits
    text = table.text()
    assert "majority of 8" in text and "lower is better" in text and "%" in text


def test_scores_on_different_problems_are_not_paired(made: object, tmp_path: Path) -> None:
    import random

    items = made.make_problems(20, random.Random(3))  # type: ignore[attr-defined]
    made.write_evaluation(tmp_path / "eval/base", items[:10], 0.3, random.Random(1))  # type: ignore[attr-defined]
    made.write_evaluation(tmp_path / "eval/math", items[10:], 0.3, random.Random(2))  # type: ignore[attr-defined]
    greedy = tables.before_after(tmp_path).rows[0]
    assert greedy.change is not None and not greedy.change.paired and greedy.gained is None


def test_one_model_alone_has_no_change(run_folder: Path) -> None:
    table = tables.compare(read.run(run_folder).evaluations[:1])
    assert not table.compares and all(row.change is None for row in table.rows)
    assert "change" not in table.text()


def test_no_run_and_no_scores(tmp_path: Path) -> None:
    assert tables.before_after(tmp_path).text() == "no scores yet"
    with pytest.raises(MissingError):
        tables.before_after(tmp_path / "nowhere")


def test_mixture_shows_shares_of_the_whole_and_what_was_drawn() -> None:
    plan = read.TrainPlan(mixture=[read.PlannedPart("a", 1.0, 10), read.PlannedPart("b", 3.0, 30)])
    metrics = [read.Metric(step=1, drawn={"a": 4}), read.Metric(step=2, loss=1.0)]
    rows = tables.mixture(read.Training("math", None, plan, metrics))
    assert [(row.source, row.weight, row.drawn) for row in rows] == [("b", 0.75, None), ("a", 0.25, 4)]


def test_losses_are_sorted_and_add_up() -> None:
    stats = read.CorpusStats(
        sources={"web": read.SourceCount("s", 10, 4, 9, {"one": {"x": 1, "y": 0}, "two": {"z": 5}})}
    )
    (row,) = tables.sources(stats)
    assert row.dropped == 6
    assert [(loss.step, loss.reason) for loss in row.losses] == [("two", "z"), ("one", "x")]
