"""What sentences conclude, and that reasoning without a conclusion has no answer."""

import time

import pytest

from llemma.evals.answers import find, judge_answer
from llemma.evals.answers.conclusion import concluded, said

CONCLUDED = [
    ("We add them up.\nTherefore, there are 12 such sequences that meet the conditions.", "12"),
    ("So $x > 2$ holds.\n\nTherefore $x \\geq 5$ is the solution.", "$x \\geq 5$"),
    ("The pair that solves the system is $(7, 6)$.", "$(7, 6)$"),
    ("a. b. The chance that she wins is 2/3.", "2/3"),
    ("The matrix is $\\begin{pmatrix}1 & 0\\end{pmatrix}$.", "$\\begin{pmatrix}1 & 0\\end{pmatrix}$"),
    ("It costs 3 a piece. In total she pays $45.", "$45"),
    ("Hence the error grows by 100%.", "100%"),
    ("The volume is 120. I hope it is correct. <|im_end|>", "120"),
    ("$$a = b.$$ Therefore, we need 4 of them.", "4"),
]  # fmt: skip
NOTHING = [
    "We add 3 and 4 to get 7 and then",
    "Let us see. There are 3 red and 4 blue balls.",
    "I do not know.",
    "Therefore 3 of the 7 are red.",
    "The answer depends on the reading of the problem, which leaves several ways open to go on.",
    "",
]
SAID = [
    ("The volume of $ABC$ is 120", "120"),
    ("Jane started growing it 3 hours ago", "3"),
    ("The largest $n$ is 34", "34"),
    ("the winner is Evelyn", "Evelyn"),
    ("$5", "$5"),
    ("15 square units", "15 square units"),
    ("9:30 PM", "9:30 PM"),
    ("3 and 4", "3 and 4"),
    ("between 3 and 4 of them in all cases", "between 3 and 4 of them in all cases"),
]


@pytest.mark.parametrize(("text", "answer"), CONCLUDED)
def test_the_last_sentence_concludes(text, answer):
    assert concluded(text) == answer
    found = find(text)
    assert found is not None
    assert found.answer == answer


@pytest.mark.parametrize("text", NOTHING)
def test_a_text_that_concludes_nothing_has_no_answer(text):
    assert concluded(text) is None
    assert find(text) is None


@pytest.mark.parametrize(("statement", "answer"), SAID)
def test_a_statement_gives_its_value(statement, answer):
    assert said(statement) == answer


def test_a_gold_answer_may_be_a_sentence():
    gold = "The steady state current is 2 amps."
    assert judge_answer("The answer is 2.", gold).outcome == "right"
    assert judge_answer(gold, gold).outcome == "right"
    assert judge_answer("The answer is 3.", gold).outcome == "wrong"
    two = "The maximum is 4, the minimum is 1."
    assert judge_answer("The answer is 1.", two).outcome == "wrong"
    assert judge_answer(two, two).outcome == "right"


def test_boxes_that_are_joined_are_one_answer():
    assert judge_answer("Thus $\\boxed{1}$ and $\\boxed{-2}$.", "-2, 1").outcome == "right"
    assert judge_answer("$\\boxed{1}$, so that in the end $\\boxed{-2}$.", "-2").outcome == "right"
    assert judge_answer("It is \\boxed{7}. \\boxed{7}", "7").outcome == "right"
    assert judge_answer("$x_1=\\boxed{2}$ and $x_2=\\boxed{3}$", "x_1=2, x_2=3").outcome == "right"
    assert judge_answer("$y_1=\\boxed{2}$ and $y_2=\\boxed{3}$", "y_1=3, y_2=2").outcome == "wrong"


@pytest.mark.parametrize(
    "text",
    ["therefore " * 100_000, "$" * 100_000,
     "is " * 50_000 + "5", "= " * 100_000, "\\boxed{1} and " * 20_000, "x." * 90_000],
    ids=lambda text: text[:10],
)  # fmt: skip
def test_endless_texts_are_read_at_once(text):
    begun = time.process_time()
    judge_answer(text, "7")
    assert time.process_time() - begun < 1
