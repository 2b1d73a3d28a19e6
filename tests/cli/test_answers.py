import json
from pathlib import Path

import pytest

from llemma.cli.main import run
from llemma.evals.answers import workers


def test_grade_and_vote_end_well_whatever_the_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f.jsonl").write_text('{"id": 1, "pred": "7", "gold": "8", "preds": ["7", "8", "8"]}\n')
    source, out = str(tmp_path / "f.jsonl"), tmp_path / "v.jsonl"
    assert run(["grade", source, "--task", "gsm8k", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["outcome"] == "wrong"
    assert "1 rows: 1 wrong" in capsys.readouterr().out
    assert run(["vote", source, "--out", str(out), "--json"]) == 0
    assert json.loads(out.read_text())["outcome"] == "right"
    assert json.loads(capsys.readouterr().out) == {"rows": 1, "outcomes": {"right": 1}}


def test_what_is_missing_has_its_exit_code(tmp_path: Path) -> None:
    source, out = tmp_path / "f.jsonl", str(tmp_path / "v.jsonl")
    assert run(["vote", str(source), "--out", out]) == 3
    source.write_text("")
    assert run(["grade", str(source), "--task", "svamp", "--protocol", "llemma", "--out", out]) == 3
    assert run(["vote", str(source), "--task", "svamp", "--protocol", "llemma", "--out", out]) == 3
    assert run(["vote", str(source), "--protocol", "llemma", "--out", out]) == 2
    assert run(["grade", str(source), "--task", "nothing", "--out", out]) == 2
    assert run(["grade", str(source), "--protocol", "mine", "--out", out]) == 2
    assert run(["grade", str(source), "--out", out]) == 0


@pytest.mark.slow
def test_the_published_protocol_grades_and_votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SECONDS", 1.5)
    said = "Final Answer: The final answer is ${}$. ".format
    lines = [
        {"id": 1, "pred": said("\\frac24"), "preds": [said("7"), said("0.5"), said("\\frac24")], "gold": "\\frac12"},
        {"id": 2, "pred": said("5").rstrip(), "preds": ["", None], "gold": "5"},
        {"id": 3, "pred": said("9^{9^{9^{9}}}"), "preds": "7", "gold": "x"},
        {"id": 4, "pred": said("x+x"), "preds": [], "gold": "2x"},
    ]
    source, out = tmp_path / "f.jsonl", tmp_path / "v.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ["--task", "math", "--protocol", "llemma", "--out", str(out)]
    assert run(["grade", str(source), *flags]) == 0
    graded = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["outcome"] for row in graded] == ["right", "no_answer", "timeout", "right"]
    assert [row["answer"] for row in graded] == ["$\\frac24$", None, "$9^{9^{9^{9}}}$", "$x+x$"]
    assert max(row["seconds"] for row in graded) < 5
    assert run(["vote", str(source), *flags]) == 0
    voted = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["outcome"], row["votes"], row["clusters"]) for row in voted] == [
        ("right", 2, 2), ("no_answer", 0, 0), ("error", 0, 0), ("no_answer", 0, 0),
    ]  # fmt: skip
    assert voted[0]["answer"] == "$0.5$" and voted[0]["pass_rate"] == 2 / 3
