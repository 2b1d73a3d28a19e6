import json

import pytest

from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.core.types import Problem
from llemma.evals.answers import judge
from llemma.evals.task import Example, few_shot, jsonl_task, open_task, own_examples


def problems_file(tmp_path, *rows, name="mine.jsonl"):
    path = tmp_path / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_users_file_becomes_a_task(tmp_path):
    path = problems_file(
        tmp_path, {"problem": "1+1?", "answer": 2, "level": 3}, {"id": 7, "problem": "x", "answer": "y"}
    )
    task = open_task(str(path))
    assert task.name == "mine"
    assert list(task.load()) == [
        Problem(id="mine-1", task="mine", text="1+1?", answer="2", meta={"level": 3}),
        Problem(id="7", task="mine", text="x", answer="y"),
    ]


def test_a_number_keeps_the_digits_it_was_written_with(tmp_path):
    path = problems_file(tmp_path, '{"problem": "p", "answer": 12345678901234567890.10}')
    assert next(iter(open_task(str(path)).load())).answer == "12345678901234567890.10"


def test_the_prompt_is_examples_then_the_problem_joined_by_blank_lines():
    problem = Problem(id="a", task="t", text="How many?", answer="3")
    prompt = few_shot(problem, [Example("P1", "S1\nThe answer is 1.", "1")])
    assert prompt == "Problem:\nP1\n\nSolution:\nS1\nThe answer is 1.\n\nProblem:\nHow many?\n\nSolution:"
    assert few_shot(problem, []) == "Problem:\nHow many?\n\nSolution:"


def test_our_own_examples_are_judged_right_by_our_own_judge():
    examples = own_examples("word_problems")
    assert len(examples) >= 4
    assert all(judge(example.solution, example.answer).outcome == "right" for example in examples)


def test_examples_come_as_data_or_from_a_file(tmp_path):
    path = problems_file(tmp_path, {"problem": "p", "answer": "1"})
    row = {"problem": "P", "solution": "S", "answer": "A"}
    (tmp_path / "examples.json").write_text(json.dumps([row]))
    worked = (Example("P", "S", "A"),)
    assert jsonl_task(path, examples=[row]).examples == worked
    assert jsonl_task(path, examples=tmp_path / "examples.json").examples == worked
    assert jsonl_task(path, examples=problems_file(tmp_path, row, name="e.jsonl")).examples == worked
    assert jsonl_task(path, examples=[row]).shots == 1


def test_more_shots_than_examples_are_refused(tmp_path):
    task = jsonl_task(problems_file(tmp_path, {"problem": "p", "answer": "1"}))
    assert len(task.shown(2)) == 2
    assert task.shown(0) == ()
    with pytest.raises(RecipeError, match="has 4 examples, 9 are asked for"):
        task.shown(9)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([{"problem": "p"}], "without 'answer'"),
        ([{"answer": "p"}], "without 'problem'"),
        ([{"problem": "p", "answer": None}], "'answer' is neither text nor a number"),
        ([{"problem": "p", "answer": [1]}], "'answer' is neither text nor a number"),
        ([{"problem": "p", "answer": ""}], "'answer' is neither text nor a number"),
        (
            [{"problem": "p", "answer": 1, "id": "a"}, {"problem": "q", "answer": 1, "id": "a"}],
            "two problems have the id 'a'",
        ),
        ([], "no problems"),
        (["[1, 2]"], "damaged JSON lines"),
    ],
)
def test_a_bad_row_is_refused_by_name(tmp_path, rows, what):
    with pytest.raises(DataError, match=what) as error:
        list(open_task(str(problems_file(tmp_path, *rows))).load())
    assert "mine.jsonl" in error.value.where


def test_unknown_tasks_and_missing_files_are_refused():
    with pytest.raises(RecipeError, match="unknown task 'gms8k'"):
        open_task("gms8k")
    with pytest.raises(MissingError, match="no problem file"):
        open_task("nowhere/mine.jsonl")
