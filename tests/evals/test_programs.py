"""Program-aided answers: found, run, kept on disk, judged by what they give."""

import msgspec
import pytest

from llemma.core.console import Console
from llemma.core.errors import MissingError
from llemma.core.types import Completion
from llemma.evals.answers.python_values import PROGRAM
from llemma.evals.journal import Journal
from llemma.evals.programs import Program, judge_program, run_programs, unfenced
from llemma.tools import Execution, Sandbox, SandboxConfig

CONFIG = SandboxConfig(workers=1, timeout=2)


@pytest.fixture(scope="module", autouse=True)
def sandbox():
    try:
        with Sandbox(CONFIG):
            yield
    except MissingError as error:
        pytest.skip(str(error))


def ran(texts, journal, program=None, finish="stop"):
    completions = [Completion(f"p{i}#greedy", 0, text, finish=finish) for i, text in enumerate(texts)]
    rows = run_programs(completions, program or Program(unfenced), CONFIG, journal, Console(quiet=True), len(texts))
    return list(zip(completions, rows, strict=True))


def outcome(text, gold, journal, program=None, finish="stop"):
    ((completion, row),) = ran([text], journal, program, finish)
    return judge_program(completion, row.execution, gold, PROGRAM)


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("n = 6\nanswer = n * 7", "42", "right"),
        ("6 * 7", "42", "right"),
        ("print(6 * 7)", "42", "right"),
        ("answer = 0.1 + 0.2", "0.3", "right"),
        ("answer = 7 / 2", "\\frac72", "right"),
        ("answer = 7 / 2", "3", "wrong"),
        ("from sympy import *\nx = symbols('x')\nanswer = solve(x**2 - 4)", "-2, 2", "right"),
        ("from sympy import *\nx = symbols('x')\nanswer = solveset(x**2 - 4*x + 4)", "2", "right"),
        ("from sympy import *\nx, y = symbols('x y')\nanswer = solve([x + y - 3, x - y - 1])", "(2,1)", "right"),
        ("from sympy import *\nanswer = Rational(1, 3)", "\\frac{1}{3}", "right"),
        ("from sympy import *\nanswer = 2*sqrt(3)", "2\\sqrt3", "right"),
        ("from sympy import *\nanswer = sqrt(3)", "1", "wrong"),
        ("answer = {3, 1}", "\\{1, 3\\}", "right"),
        ("answer = (1, 3)", "(3, 1)", "wrong"),
        ("1 / 0", "1", "no_answer"),
        ("x = 1", "1", "no_answer"),
        ("", "1", "no_answer"),
        ("while True: pass", "1", "timeout"),
        ("def f(:\n  return 1", "1", "no_answer"),
    ],
)
@pytest.mark.slow
def test_a_program_is_judged_by_what_it_gives(text, gold, expected, tmp_path):
    assert outcome(text, gold, Journal(tmp_path)).outcome == expected


def test_a_reason_says_how_the_program_failed(tmp_path):
    journal = Journal(tmp_path)
    assert "ZeroDivisionError" in outcome("1 / 0", "1", journal).why
    assert outcome("", "1", journal).why == "no program in the text"
    assert outcome("x = 1", "1", journal).why == "the program ended without a value"
    assert outcome("x = (", "1", journal, finish="length").outcome == "cut_off"


def test_a_function_is_called_where_the_task_says_so(tmp_path):
    program = Program(unfenced, call="solution")
    assert outcome("def solution():\n    return 5 * 4\n", "20", Journal(tmp_path), program).outcome == "right"


def test_what_ran_is_not_run_again(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    first = ran(["answer = 1", "answer = 1", "1/0"], journal)
    monkeypatch.setattr(Sandbox, "open", lambda self: pytest.fail("the sandbox was started again"))
    again = ran(["answer = 1", "answer = 1", "1/0"], Journal(tmp_path))
    assert [row for _, row in again] == [row for _, row in first]
    assert [row.execution.outcome for _, row in first] == ["ok", "ok", "error"]


def test_a_failed_completion_has_no_program(tmp_path):
    completion = Completion("p#greedy", 0, "answer = 1", finish="error", error="gone")
    (row,) = run_programs([completion], Program(unfenced), CONFIG, Journal(tmp_path), Console(quiet=True), 1)
    assert row.execution is None
    assert judge_program(completion, None, "1", PROGRAM).outcome == "error"


def test_programs_are_found_in_their_fences():
    assert unfenced("x = 1\ny = 2\n```\nso x is 1").strip() == "x = 1\ny = 2"
    assert unfenced("Look:\n```python\nx = 1\n```\nand\n```\nx = 2\n```").strip() == "x = 1"
    assert unfenced("```python\nx = 1\n```").strip() == "x = 1"
    assert unfenced("```python\nx = 1").strip() == "x = 1"
    assert unfenced("x = 1\n```").strip() == "x = 1"
    assert unfenced("x = 1") == "x = 1"


def test_a_programs_end_survives_the_disk():
    end = Execution("ok", value="1", seconds=0.1)
    assert msgspec.json.decode(msgspec.json.encode(end), type=Execution) == end
