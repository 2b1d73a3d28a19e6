import hashlib
import json

import pytest

from llemma.core import registry
from llemma.core.errors import DataError, MissingError, RecipeError, UsageError
from llemma.core.types import Problem
from llemma.evals.answers import judge
from llemma.evals.task import Example, Layout, Task, few_shot, jsonl_task, open_task, own_examples


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


def test_a_layout_puts_its_parts_around_texts_with_braces():
    layout = Layout("Q: {}\nA:", gap=" ", between="\n--\n")
    prompt = layout.prompt(Problem(id="a", task="t", text="{x}?", answer=""), [Example("\\frac{1}{2}", "{0}", "1")])
    assert prompt == "Q: \\frac{1}{2}\nA: {0}\n--\nQ: {x}?\nA:"


@pytest.mark.parametrize("name", ["mmlu_stem", "mmlu-stem"])
def test_dashes_and_underscores_are_one(name):
    assert open_task(name).name == "mmlu_stem"


def test_the_protocol_picks_the_judge():
    assert [open_task(name, protocol="llemma").judge for name in ("gsm8k", "math")] == ["llemma-gsm8k", "llemma-math"]
    assert [open_task(name).judge for name in ("gsm8k", "math", "ocw_courses")] == ["number", "default", "measured"]
    with pytest.raises(MissingError, match="the protocol llemma has no task 'aime24'"):
        open_task("aime24", protocol="llemma")


def test_a_users_examples_take_the_place_of_ours(tmp_path):
    row = {"problem": "P", "solution": "S", "answer": "A"}
    path = problems_file(tmp_path, row, name="e.jsonl")
    named = f"e.jsonl {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    own = problems_file(tmp_path, {"problem": "p", "answer": "1"})
    for task in (open_task("gsm8k", prompts=str(path)), open_task(str(own), prompts=str(path))):
        assert (task.shown(), task.prompts) == ((Example("P", "S", "A"),), named)
    with pytest.raises(MissingError, match="no example file"):
        open_task("gsm8k", prompts=str(tmp_path / "none.json"))


def test_a_file_of_ones_own_has_no_published_protocol_or_prompts(tmp_path):
    path = str(problems_file(tmp_path, {"problem": "p", "answer": "1"}))
    with pytest.raises(UsageError, match="protocol llemma has no rules"):
        open_task(path, protocol="llemma")
    with pytest.raises(UsageError, match="lm-eval has no prompts"):
        open_task(path, prompts="lm-eval")


def test_a_plugged_in_task_gets_only_the_options_that_were_given(monkeypatch, tmp_path):
    monkeypatch.setitem(registry._TABLES["task"], "plain-one", lambda: Task("plain-one", 1, list, few_shot))
    assert open_task("plain-one").name == "plain-one"
    with pytest.raises(UsageError, match=r"task 'plain-one' does not take these options.*'data'"):
        open_task("plain-one", data=tmp_path)
