import pytest

from llemma.evals.answers.choices import CHOICE, find_choice


@pytest.mark.parametrize(
    "text",
    [
        "(B)", "B", "b", "B.", "B)", "(b)", "[B]", "B: because it is", "\\text{(B)}", "\\textbf{(B) }12",
        "so \\boxed{B}",
        "\\boxed{\\text{B}}", "the answer is B", "The answer is (B).", "the answer is b", "The answer is B because",
        "Final Answer: The final answer is (B). I hope it is correct.", "**Answer:** **B**", "Answer: B) 12",
        "The correct answer is option (B) 12", "the answer is $\\textbf{(B)}$", "(A) is too small.\nThe answer is (B).",
        "We go through them. Hence the correct choice is (B)", "It grows with (B)", "B\n\nQ: next\nA: (C)",
        "The answer is: B", "The answer is **B**.", "the best answer is B, since A is not", "B) 12 cm",
        "(B)\n\nExplanation: (A) and option C are wrong", "Choice B is the right one", "So, B is correct.", "Ans: B",
        "[[B]]", "The answer should be B.",
    ],
)  # fmt: skip
def test_a_letter_is_found(text):
    found = find_choice(text)
    assert found is not None and found.answer == "(B)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is a prime",
        "Because it is so",
        "The answer is 12",
        "(A) or (B)",
        "The answer is A or B",
        "the answer is (A), (B)",
        "A prime",
        "I think",
    ],
)
def test_no_letter_is_no_answer(text):
    assert find_choice(text) is None


def test_letters_are_compared_whatever_their_shape():
    assert CHOICE.compare("(B)", "B").equal and CHOICE.compare("b", "(B)").equal
    assert not CHOICE.compare("(B)", "(C)").equal
