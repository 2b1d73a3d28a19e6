from __future__ import annotations

from pathlib import Path

import pytest

from llemma.report import read


def test_a_run_is_read_whole(run_folder: Path) -> None:
    run = read.run(run_folder)
    assert run.name == "mini" and run.record is not None and run.absent == []
    assert [e.name for e in run.evaluations] == [t.name for t in run.trainings] == ["base", "math"]
    assert run.stats is not None and "arxiv" in run.stats.sources
    assert [stage.unit for stage in run.stages][:2] == ["train-base", "train-math"]
    assert run.stores["web-mathematics"]["train"].vocab_size == 4096


def test_an_evaluation_or_a_training_alone_is_a_run(run_folder: Path) -> None:
    assert [e.name for e in read.run(run_folder / "eval" / "math").evaluations] == ["math"]
    alone = read.run(run_folder / "base")
    assert [t.name for t in alone.trainings] == ["base"] and alone.evaluations == []


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "stats.json").write_text("{")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    absent = "\n".join(read.run(tmp_path).absent)
    assert "stats.json: damaged" in absent and "run.json" in absent and "no model has been evaluated" in absent


def test_metrics_end_at_a_half_written_line_and_a_repeated_step_counts_once(tmp_path: Path) -> None:
    lines = ['{"step": 1, "loss": 2.0}', '{"step": 2, "loss": null}', '{"step": 1, "loss": 1.5}', '{"step": 3, "lo']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert [(row.step, row.loss) for row in read.metrics(tmp_path / "metrics.jsonl")] == [(1, 1.5), (2, None)]


def test_a_half_written_evaluation_gives_what_it_has(run_folder: Path, tmp_path: Path) -> None:
    whole = (run_folder / "eval/base/completions.jsonl.zst").read_bytes()
    (tmp_path / "completions.jsonl.zst").write_bytes(whole[: len(whole) // 2])
    evaluation = read.Evaluation("base", tmp_path)
    assert list(read.problems(evaluation)) == []
    assert len(list(read.completions(evaluation))) < 24 * 9


@pytest.mark.parametrize(
    ("request_id", "parts"), [("a#greedy", ("a", "greedy")), ("a#1#maj", ("a#1", "maj")), ("a", ("a", "greedy"))]
)
def test_request_parts(request_id: str, parts: tuple[str, str]) -> None:
    assert read.request_parts(request_id) == parts
