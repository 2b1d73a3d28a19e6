"""The published judging, fault by fault."""

import pytest

from llemma.evals.answers import judge_answer
from llemma.evals.answers.llemma.judges import CHOICE, GSM8K


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 18.", "18"),
        ("The answer is 18.5.", "18"),  # right when the gold is 18
        ("The answer is 1,200.", "1"),
        ("The answer is 5. No: The answer is 6.", "5"),
        ("The answer is six. The answer is 6.", "6"),
        ("The answer is -3.", None),
        ("The answer is $2.", None),
        ("the answer is 2.", None),
        ("The answer is  2.", None),
        ("#### 2", None),
        ("2", None),
    ],
)
def test_gsm8k(text, answer):
    found = GSM8K.find(text)
    assert (found and found.answer) == answer


def test_gsm8k_compares_strings():
    assert judge_answer("The answer is 1200.", "so\n#### 1,200", GSM8K).outcome == "right"
    assert judge_answer("The answer is 07.", "7", GSM8K).outcome == "wrong"
    assert judge_answer("The answer is -3.", "-3", GSM8K).outcome == "no_answer"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Final Answer: The final answer is (B). I hope it is correct.", "right"),
        ("Final Answer: The final answer is (B).", "right"),
        ("Final Answer: The final answer is (C). Final Answer: The final answer is (B).", "wrong"),
        ("Final Answer: The final answer is (B) ", "right"),
        ("Final Answer: The final answer is (B)c", "right"),  # a letter of the closing sentence, stripped with it
        ("Final Answer: The final answer is (B), because", "wrong"),  # the comma belongs to the answer
        ("Final Answer: The final answer is (B)", "no_answer"),
        ("Final Answer: The final answer is B.", "no_answer"),
        ("Final Answer: The final answer is (E).", "no_answer"),
        ("The answer is (B).", "no_answer"),
    ],
)
def test_choices(text, outcome):
    assert judge_answer(text, "(B)", CHOICE).outcome == outcome
