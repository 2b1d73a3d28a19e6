from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core.errors import MissingError
from llemma.report import read, tables


def test_before_after_of_a_run(run_folder: Path) -> None:
    table = tables.before_after(run_folder)
    assert table.models == ["Base", "Continued"]
    assert [row.metric for row in table.rows] == ["greedy", "maj@8", "pass@1", *["bits_per_byte"] * 5]
    assert [row.task for row in table.rows[-3:]] == ["web-mathematics", "mathematics", "prose"]
    for row in table.rows:
        assert row.change is not None and row.change.paired
    for row in table.rows[:2]:
        assert row.change is not None and row.change.gained is not None and row.change.lost is not None
        assert (row.change.gained - row.change.lost) / 24 == pytest.approx(row.change.value)
    total, other = table.rows[-2:]
    assert total.better == "lower" and total.helped is True  # fewer bits
    assert other.general and not total.general
    text = table.text()
    assert "majority of 8" in text and "lower is better" in text and "%" in text


def test_scores_on_different_problems_are_not_paired(made: object, tmp_path: Path) -> None:
    import random

    items = made.make_problems(20, random.Random(3))  # type: ignore[attr-defined]
    made.write_evaluation(tmp_path / "eval/base", items[:10], 0.3, random.Random(1))  # type: ignore[attr-defined]
    made.write_evaluation(tmp_path / "eval/math", items[10:], 0.3, random.Random(2))  # type: ignore[attr-defined]
    greedy = tables.before_after(tmp_path).rows[0]
    assert greedy.change is not None and not greedy.change.paired and greedy.change.gained is None


def test_one_model_alone_has_no_change(run_folder: Path) -> None:
    table = tables.compare(read.run(run_folder).evaluations[:1])
    assert not table.compares and all(row.change is None for row in table.rows)
    assert "change" not in table.text()


def test_no_run_and_no_scores(tmp_path: Path) -> None:
    assert tables.before_after(tmp_path).text() == "no scores yet"
    with pytest.raises(MissingError):
        tables.before_after(tmp_path / "nowhere")


def test_mixture_shows_shares_of_the_whole_and_what_was_drawn() -> None:
    plan = read.TrainPlan(mixture=[read.PlannedPart("a", 10, 100, 0.1), read.PlannedPart("b", 30, 10, 3.0)])
    metrics = [read.Metric(step=1, drawn={"a": 4}), read.Metric(step=2, loss=1.0)]
    rows = tables.mixture(read.Training("math", None, plan, metrics))
    assert [(row.source, row.share, row.drawn) for row in rows] == [("b", 0.75, None), ("a", 0.25, 4)]


def test_losses_are_sorted_and_add_up_and_skipped_sources_stand_apart() -> None:
    web = read.SourceStats("s", read.Count(4, 9), {"one": {"x": 1, "y": 0}, "two": {"z": 5}})
    stats = read.CorpusStats(sources={"web": web, "arxiv": read.SourceStats(skipped="no archive")})
    (row,) = tables.sources(stats)
    assert (row.read, row.kept, row.dropped) == (10, 4, 6)
    assert [(loss.step, loss.reason) for loss in row.losses] == [("two", "z"), ("one", "x")]
    assert tables.skipped(stats) == [("arxiv", "no archive")]
