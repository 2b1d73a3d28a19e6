import json
from pathlib import Path

import pytest

from llemma.cli.main import run


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
    assert run(["grade", str(source), "--task", "math", "--protocol", "llemma", "--out", out]) == 3
    assert run(["grade", str(source), "--task", "nothing", "--out", out]) == 2
    assert run(["grade", str(source), "--protocol", "mine", "--out", out]) == 2
    assert run(["grade", str(source), "--out", out]) == 0
