import json
from pathlib import Path

import pytest

from llemma.core.errors import DataError
from llemma.core.types import Completion
from llemma.evals.answers import judge_completion
from llemma.evals.benchmarks import TABLE
from llemma.evals.benchmarks.rows import STEM, Item, gold_answer, last_box
from llemma.evals.task import open_task

SHARED = Path(__file__).parents[4] / "shared" / "benchmarks"
real = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the real benchmarks are not on this machine (../shared/benchmarks)"
)


@pytest.fixture
def read(tmp_path):
    def read(task, *rows, protocol="default"):
        folder = tmp_path / (TABLE[task].folder or task)
        folder.mkdir(exist_ok=True)
        (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return list(open_task(task, data=tmp_path, protocol=protocol).load())

    return read


@pytest.mark.parametrize(
    ("task", "row", "id", "text", "answer"),
    [
        ("gsm8k", {"question": "Q?", "answer": "1 + 2 = <<1+2=3>>3\n#### 1,203"}, "gsm8k/0", "Q?", "1,203"),
        ("gsm_hard", {"input": "Q?", "code": "", "target": -2.5, "idx": 7}, "gsm_hard/0", "Q?", "-2.5"),
        ("svamp", {"Body": "B", "Question": "Q?", "Answer": 4.0, "ID": "chal-1"}, "svamp/chal-1", "B. Q?", "4.0"),
        ("svamp", {"question_concat": "x", "question": "B. Q?", "answer": 4}, "svamp/0", "B. Q?", "4"),
        ("asdiv", {"body": "B.", "question": "Q?", "answer": "9 (apples)"}, "asdiv/0", "B. Q?", "9"),
        ("asdiv", {"body": "B.", "question": "Q?", "answer": "14  (seats)"}, "asdiv/0", "B. Q?", "14"),
        ("asdiv", {"body": "B.", "question": "Q?", "answer": "Mr. Hill (left)"}, "asdiv/0", "B. Q?", "Mr. Hill (left)"),
        ("aime24", {"id": 60, "problem": "P", "solution": "\\boxed{204}", "answer": "204"}, "aime24/60", "P", "204"),
        ("amc23", {"id": 0, "question": "P", "answer": 27.0, "url": "u"}, "amc23/0", "P", "27.0"),
        (
            "ocw_courses",
            {"problem": "P", "solution": "S", "answer": "4.5e33", "id": "1"},
            "ocw_courses/1",
            "P",
            "4.5e33",
        ),
        ("college_math", {"question": "Q", "answer": "$10-4 n$"}, "college_math/0", "Q", "$10-4 n$"),
    ],
)
def test_the_known_variants_of_each_set_are_read(read, task, row, id, text, answer):
    (problem,) = read(task, row)
    assert (problem.id, problem.task, problem.text, problem.answer) == (id, task, text, answer)


def test_mathematics_has_subject_and_level_and_the_last_box(read):
    row = {"problem": "P", "level": "Level 3", "type": "Counting & Probability", "solution": "\\boxed{1}, \\boxed{2}"}
    one, two, three = read("math", row, {**row, "type": "Algebra", "level": "Level ?"}, row)
    names = ["math/counting_and_probability/0", "math/algebra/0", "math/counting_and_probability/1"]
    assert [one.id, two.id, three.id] == names
    assert (one.answer, one.meta["subject"], one.meta["level"]) == ("2", "Counting & Probability", 3)
    assert "level" not in two.meta
    (sub,) = read(
        "math500", {**row, "answer": "7", "subject": "Algebra", "level": 2, "unique_id": "test/algebra/9.json"}
    )
    assert (sub.id, sub.answer, sub.meta["level"]) == ("math500/algebra/9", "7", 2)


def test_the_published_protocol_reads_gold_answers_as_it_did(read):
    row = {"problem": "P", "type": "Algebra", "solution": "so \\boxed 3$ and then \\boxed{4}"}
    assert read("math", row)[0].answer == "4"
    assert read("math", row, protocol="llemma")[0].answer == "3"
    assert read("gsm8k", {"question": "Q", "answer": "#### 1,203"}, protocol="llemma")[0].answer == "1203"


@pytest.mark.parametrize("answer", [2, "2", "C", "(C)", "c"])
def test_choices_are_shown_with_letters_and_answered_by_one(read, answer):
    row = {"question": "Q?", "type": "astronomy", "choices": ["w", "x ", "y", 5], "answer": answer}
    (problem,) = read("mmlu_stem", row)
    line = "What of the following is the right choice? Explain your answer."
    assert problem.text == f"Q?\n{line}\n(A) w, (B) x, (C) y, (D) 5"
    assert (problem.id, problem.answer) == ("mmlu_stem/astronomy/0", "(C)")


def test_subjects_that_are_not_stem_are_left_out(read):
    row = {"question": "Q?", "subject": "virology", "A": "a", "B": "b", "C": "c", "D": "d", "answer": "B"}
    (problem,) = read("mmlu_stem", row, {**row, "subject": "high_school_physics"})
    assert problem.meta["subject"] == "high school physics" and problem.text.endswith("(A) a, (B) b, (C) c, (D) d")


def test_sat_choices_are_shown_as_they_are_stored(read):
    (problem,) = read("sat_math", {"id": "3", "question": "Q?", "options": "A) $1$ B) $2$", "Answer": "B"})
    assert problem.text.endswith("\nA) $1$ B) $2$") and problem.answer == "(B)"


@pytest.mark.parametrize(
    ("task", "rows", "what"),
    [
        ("gsm8k", [{"answer": "#### 1"}], "no 'question'"),
        ("gsm8k", [{"question": "Q", "answer": None}], "no 'answer'"),
        ("math", [{"problem": "P", "type": "Algebra"}], "no 'answer'"),
        ("mmlu_stem", [{"question": "Q", "type": "astronomy", "choices": ["a"], "answer": 2}], "of 1 choices"),
        ("mmlu_stem", [{"question": "Q", "type": "astronomy", "choices": ["a"], "answer": "A or B"}], "no choice"),
        ("mmlu_stem", [{"question": "Q", "type": "astronomy", "choices": ["a"], "answer": 99}], "no choice|index"),
        ("ocw_courses", [{"problem": "P", "answer": "1", "id": "1"}] * 2, "two problems have the id '1'"),
        ("gsm8k", [], "no problems"),
    ],
)
def test_a_row_that_does_not_belong_is_refused_by_name(read, task, rows, what):
    with pytest.raises(DataError, match=what) as error:
        read(task, *rows)
    assert "test.jsonl" in error.value.where


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("\\boxed{1} then \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("$\\boxed 7$ is it", "7"),
        ("\\fbox{9}", "9"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{ open", ""),
        ("nothing", ""),
    ],
)
def test_the_last_box_has_its_braces_matched(text, inside):
    assert last_box(text) == inside


def test_a_gold_answer_is_behind_its_marker_in_its_box_or_alone():
    assert [gold_answer(Item("Q", given)) for given in ("x #### 5", "is \\boxed{6}", " 7 ")] == ["5", "6", "7"]


def test_all_joined_boxes_are_the_answer_where_several_are_asked_for():
    forms, values = "We get $\\boxed{x+11}$ or $\\boxed{11+x}$.", "$x$ must be $\\boxed{3}$ or $\\boxed{5}$."
    assert gold_answer(Item("Simplify.", forms)) == "11+x"
    assert gold_answer(Item("Enter all the solutions, separated by commas.", values)) == "3, 5"
    assert gold_answer(Item("Separate them, separated by commas.", "So $3, 5$, or \\boxed{3, 5}")) == "3, 5"


@real
@pytest.mark.parametrize("name", TABLE)
def test_the_real_sets_have_their_published_sizes_and_ids_of_their_own(name):
    problems = list(open_task(name, data=SHARED).load())
    assert len(problems) == TABLE[name].size
    assert len({problem.id for problem in problems}) == len(problems)
    assert all(problem.text and problem.answer for problem in problems)


@real
def test_the_real_sets_have_their_subjects_and_levels():
    mathematics = [problem.meta for problem in open_task("math", data=SHARED).load()]
    assert len({meta["subject"] for meta in mathematics}) == 7
    assert {meta["level"] for meta in mathematics} == {1, 2, 3, 4, 5}
    stem = {problem.meta["subject"] for problem in open_task("mmlu_stem", data=SHARED).load()}
    assert stem == {subject.replace("_", " ") for subject in STEM}


@real
def test_the_boxes_are_the_answers_that_were_published_with_math500():
    problems = list(open_task("math500", data=SHARED).load())
    assert all(last_box(problem.meta["solution"]) == problem.answer for problem in problems)


@real
@pytest.mark.parametrize("name", ["gsm8k", "svamp", "gsm_hard", "mmlu_stem", "sat_math", "aime24", "amc23"])
def test_every_gold_answer_of_the_real_sets_is_right_when_a_model_says_it(name):
    task = open_task(name, data=SHARED)
    judge = task.find_judge()
    for problem in list(task.load())[:300]:
        said = Completion("r", 0, f" Let us see. The answer is {problem.answer}.")
        assert judge_completion(said, problem.answer, judge).outcome == "right", problem
