import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"

CASES = """
import pytest, os
os.abort()

@pytest.mark.parametrize(
    "gold,pred,expected",
    [("$1$", r"\\boxed{1}", 1), ("$1$", "2", 0), (f"{len('a')}", "1", 1)],
)
def test_one(gold, pred, expected): ...

@pytest.mark.parametrize("gold, pred, strict, expected", [("a", "b", True, 0), ("a", "b", False, 1)])
def test_two(gold, pred, strict, expected): ...
"""


def test_cases_are_read_and_never_run(tmp_path):
    from grader_sets import cases

    path = tmp_path / "test_x.py"
    path.write_text(CASES)
    found = [(pair.gold, pair.pred, pair.equal, pair.rule) for pair in cases(path)]
    assert found == [
        ("$1$", "\\boxed{1}", True, "test_x"),
        ("$1$", "2", False, "test_x"),
        ("a", "b", False, "test_x"),
    ]


def test_a_worker_grades_rows_and_tells_what_they_cost():
    rows = [
        {"pred": "0.5", "gold": "\\frac12", "kind": "answer"},
        {"pred": "Final Answer: The final answer is $3$. I hope it is correct.", "gold": "4", "kind": "completion"},
        {"pred": "He has 2 + 2 = 4.\n#### 4", "gold": "4", "kind": "gsm8k"},
    ]
    done = subprocess.run(
        [sys.executable, str(BENCH / "grader_worker.py"), "ours"],
        input="".join(json.dumps(row) + "\n" for row in rows),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": str(BENCH.parent / "src")},
    )
    first, *verdicts, last = map(json.loads, done.stdout.splitlines())
    assert first["start"] > 0
    assert [verdict["equal"] for verdict in verdicts] == [True, False, True]
    assert last["children"] >= 0
    assert all(verdict["wall"] >= 0 for verdict in verdicts)


def test_graders_that_need_an_answer_get_one():
    from grader_worker import extracted

    assert (
        extracted("so $2$ it is.\nFinal Answer: The final answer is $x = 3$. I hope it is correct.", "text") == "x = 3"
    )
    assert extracted("thus \\boxed{\\frac{1}{2}} at last, and $5$", "text") == "\\frac{1}{2}"
    assert extracted("it costs $4$ or $1,200", "gsm8k") == "1200"
    assert extracted("$7$", "answer") == "7"
