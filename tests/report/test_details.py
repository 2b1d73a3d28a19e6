from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from llemma.report import details, pages, read


@pytest.fixture(scope="module")
def evaluations(run_folder: Path) -> list[read.Evaluation]:
    return read.run(run_folder).evaluations


def test_parts_have_a_column_a_model(evaluations: list[read.Evaluation]) -> None:
    by_level, by_subject = details.parts(evaluations)
    assert (by_level.by, by_level.columns) == ("level", [(0, "greedy", "greedy"), (1, "greedy", "greedy")])
    assert [(row.name, row.n) for row in by_level.rows] == [("1", 8), ("2", 8), ("3", 8)]
    assert by_subject.rows[0].n == 24


def test_a_part_that_one_model_lacks_is_a_gap(evaluations: list[read.Evaluation]) -> None:
    import msgspec

    first, second = evaluations
    bare = msgspec.structs.replace(second, facts=msgspec.structs.replace(second.facts, parts=second.facts.parts[:1]))
    table = details.parts([first, bare])[0]
    assert [row.scores[1] is None for row in table.rows] == [False, True, True]


def test_both_curves_begin_with_single_samples(evaluations: list[read.Evaluation]) -> None:
    lines = details.curves(evaluations)["generated-math"]
    assert [(line.model, line.kind) for line in lines] == [(0, "maj"), (0, "pass"), (1, "maj"), (1, "pass")]
    for line in lines:
        assert [k for k, _ in line.points] == [1, 2, 4, 8]
        assert line.points[0][1].metric == "pass@1"


def test_the_figure_has_a_band_and_a_line_for_each_curve(evaluations: list[read.Evaluation]) -> None:
    lines = details.curves(evaluations)["generated-math"]
    drawn = pages.curves_figure("a task", lines, ["one", "two"])
    tree = etree.fromstring(drawn.encode())
    words = {"".join(node.itertext()) for node in tree.iter("{*}text")}
    assert {"maj, one", "pass, two", "1", "8"} <= words
    assert len({node.get("id") for node in tree.iter() if "FillBetween" in (node.get("id") or "")}) == 4
    assert drawn == pages.curves_figure("a task", lines, ["one", "two"])
    assert "style=" not in drawn


def test_samples_are_short_and_of_each_kind(evaluations: list[read.Evaluation]) -> None:
    shown = details.samples(evaluations[1])["generated-math"]
    assert [one.label for one in shown] == list(details.KINDS)
    for one in shown:
        assert one.outcome in details.KINDS[one.label]
        assert len(one.text) <= details.SHOWN_PROBLEM + 2 and len(one.completion) <= details.SHOWN_TEXT + 2


def test_costs_go_task_by_task(evaluations: list[read.Evaluation]) -> None:
    assert [(model, cost.task) for model, cost in details.costs(evaluations)] == [
        (0, "generated-math"),
        (1, "generated-math"),
    ]
    assert list(details.readings(evaluations)) == ["greedy", "maj"]
