"""Rounded gold answers, and predictions with more digits."""

import pytest

from llemma.evals.answers import judge_answer
from llemma.evals.answers.tasks import judge_of

RIGHT = [
    ("4.4523e15", "4.45e15"),
    ("4.45 \\times 10^{15}", "4.45e15"),
    ("\\frac{1}{3}", "0.33"),
    ("\\sqrt{2}", "1.41"),
    ("0.00619 m", "0.0062"),
    ("x = 20.386", "20.39"),
    ("100", "100"),
    ("-3.5/3", "-1.1667"),
]
WRONG = [
    ("4.46e15", "4.45e15"),
    ("4.5e15", "4.45e15"),
    ("100.4", "100"),
    ("0.46", "0.5"),
    ("-4.4523e15", "4.45e15"),
    ("0.0062 m", "0.0062 s"),
    ("1.42", "\\sqrt{2}"),
]


@pytest.mark.parametrize(("answer", "gold"), RIGHT)
def test_more_digits_than_the_gold_answer_are_right(answer, gold):
    assert (
        judge_answer(f"Final Answer: The final answer is ${answer}$.", gold, judge_of("ocw_courses")).outcome == "right"
    )


@pytest.mark.parametrize(("answer", "gold"), WRONG)
def test_fewer_or_other_digits_are_wrong(answer, gold):
    assert (
        judge_answer(f"Final Answer: The final answer is ${answer}$.", gold, judge_of("ocw_courses")).outcome == "wrong"
    )
