import time

import pytest

from llemma.evals.answers import find


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("There are 3 + 4 = 7 left.\nThe answer is 7.", "7"),
        ("Final Answer: The final answer is $\\frac{3}{4}$. I hope it is correct.", "$\\frac{3}{4}$"),
        ("Final Answer: The final answer is $2, 10, 6$. I hope it is correct.", "$2, 10, 6$"),
        ("Final Answer: The final answer is $\\$40$. I hope it is correct.", "$\\$40$"),
        ("**Final Answer:** 7", "7"),
        ("**Answer**: 7", "7"),
        ("Some sum\n#### 1,200", "1,200"),
        ("so it comes to #### -3", "-3"),
        ("The answer is $18.50 per hour. That is a lot.", "$18.50 per hour"),
        ("The answer is $18. Then he spends $5 more.", "$18"),
        ("The answer is $x = 5. 0$ exactly", "$x = 5. 0$ exactly"),
        ("The answer is 0.5. Done.", "0.5"),
        ("The answer is 5, because five is five", "5"),
        ("The answer is:\n\n\\[ \\boxed{\n9\n} \\]", "9"),
        ("The answer to the first question is 42", "42"),
        ("the answer is (A). The rest is wrong", "(A)"),
        ("Answer: B", "B"),
        ("I get \\boxed{3}, no, \\boxed{\\frac{1}{2}} it is", "\\frac{1}{2}"),
        ("hence \\fbox{x^{2}}", "x^{2}"),
        ("The answer is $90\\text{ square\nunits}$.\nDone", "$90\\text{ square\nunits}$"),
        ("so \\boxed{44}. We may check our answer: $2 + 2 = 4$", "44"),
        ("so \\boxed{\\frac12}.\nThe final answer is positive, because", "\\frac12"),
        ("so \\boxed{5}. (It is a correct answer to this problem.)", "5"),
        ("hence $\\boxed 5$", "5"),
        ("\\boxed{4} but the answer is 5.", "5"),
        ("The answer is 12", "12"),
        ("12", "12"),
        ("So the answer is\n\\begin{align*}\n2+3 &= \\boxed{5}.\n\\end{align*}", "5"),
        ("\\boxed{44}. Since 17 * 44 leaves 1, our answer is correct.", "44"),
        ("  $\\frac12$ ", "$\\frac12$"),
        ("36 (pieces of old paper)", "36 (pieces of old paper)"),
    ],
)
def test_the_answer_of_a_text(text, answer):
    found = find(text)
    assert (found and found.answer) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n ",
        "Solution:",
        "First she buys three more and then",
        "I hope the answer is correct.",
        "There are 12 apples and we have to\nfind out how many",
        "The answer is",
        "\\boxed{",
        "so \\boxed{\\frac{1}{2}",
        "3 + 4 =",
    ],
)
def test_no_answer_is_none(text):
    assert find(text) is None


def test_a_recited_answer_gives_way_to_the_final_one():
    assert find("One might think the answer is 5.\nBut no. The answer is 6.").answer == "6"


@pytest.mark.parametrize(
    "run_on", ["\n\nProblem:\nNext\n\nSolution:\nThe answer is 9.", "\nQ: what?\nA: The answer is 9."]
)
def test_a_following_problem_is_not_read(run_on):
    assert find("The answer is 8." + run_on).answer == "8"
    assert find("I do not know at all, sorry." + run_on) is None


def test_a_quoted_problem_at_the_start_is_not_a_following_one():
    assert find("Problem:\nHow many?\n\nSolution:\nThe answer is 5.").answer == "5"


@pytest.mark.parametrize(
    "hostile",
    [
        "\\boxed{" * 300_000,
        "{" * 1_000_000,
        "the answer is " * 200_000,
        "answer is correct. " * 200_000,
        "#### " * 500_000,
        "answer" + " " * 3_000_000 + "is 5",
        "answer to " * 300_000,
        "The answer is " + "$" * 3_000_000,
        "The answer is " + "(" * 3_000_000,
        "\n" * 3_000_000 + "Problem:" * 100_000,
        "\x00\ud7ff\u202e" * 500_000,
    ],
    ids=lambda text: text.strip()[:12].encode("unicode_escape").decode(),
)
def test_megabytes_of_anything_take_no_time(hostile):
    begun = time.process_time()
    found = find(hostile)
    assert time.process_time() - begun < 1.5
    assert found is None or len(found.answer) <= 2_000
