"""The published judging of MATH, fault by fault."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.evals.answers import judge_answer, workers
from llemma.evals.answers.llemma import prepare, sympy_pool, tex
from llemma.evals.answers.llemma.judges import MATH
from llemma.evals.answers.workers import Undecided

BENCHMARK = Path(__file__).parents[4] / "shared" / "benchmarks" / "math" / "test.jsonl"


@pytest.fixture(scope="module", autouse=True)
def no_workers_left():
    yield
    sympy_pool().close()


def completion(answer: str) -> str:
    return f"So it is.\nFinal Answer: The final answer is ${answer}$. "


def outcome(answer: str, gold: str) -> str:
    return judge_answer(completion(answer), gold, MATH).outcome


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Final Answer: The final answer is $5$. ", "$5$"),
        ("Final Answer: The final answer is 5. I hope it is correct.\nProblem:", "5"),
        ("Final Answer: The final answer is 15 ", "1"),  # the character before the blank is lost
        ("Final Answer: The final answer is 5. So\nFinal Answer: The final answer is 6. ", "6"),
        ("Final Answer: The final answer is 5. I hope it is correct. Final Answer: The final answer is 6. ", "5"),
        ("Final Answer: The final answer is 5 Final Answer: The final answer is 6. ",
         "5 Final Answer: The final answer is 6"),
        ("Final Answer: The final answer is . ", ""),
        ("Final Answer: The final answer is $5$.", None),  # no blank
        ("Final Answer: The final answer is $5$. \n", None),
        ("Final answer: The final answer is $5$. ", None),
        ("Final Answer: The final answer is\n$5$. ", None),
        ("The answer is 5. \\boxed{5}", None),
        ("", None),
    ],
)  # fmt: skip
def test_finding(text, answer):
    found = MATH.find(text)
    assert (found.answer if found else None) == answer


@pytest.mark.parametrize(
    ("solution", "gold"),
    [
        ("a $\\boxed{1}$ b $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
        ("$\\boxed{\\{1, 2\\}}$", "\\{1, 2\\}"),
        ("$\\fbox{3}$", "3"),
        ("$\\boxed 4$ and $\\boxed{5}$", "4"),  # the blank wins
        ("$\\boxed{6", "$\\boxed{6"),
        ("7", "7"),
    ],
)
def test_gold_answers(solution, gold):
    assert MATH.gold(solution) == gold


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("x = 5", "5"),
        ("$3x+2y-z=0$", "0"),
        ("the value is $\\frac12$ or $3$.", "\\frac{1}{2}"),
        ("5\\text{ cm}^2", "5"),
        ("\\text{an apple}", "apple"),
        ("12,345", "12345"),
        ("1,\\!000", "1000"),
        ("x=1\\text{ and }y=2", "2"),
        ("90^\\circ", "90"),
        ("\\sqrt2", "\\sqrt{2}"),
        ("\\frac1{72}", "\\frac{1}{{}72}"),
        ("\\sqrt[3]{2}", "\\sqrt{[}3]{2}"),
        ("\\left(1,2\\right)", "\\le(1,2\\right)"),  # "ft" is removed as a unit
        ("\\alpha x", "\\alphx"),
        ("\\mbox{east}", "east"),
        ("\\boxed{4}", "4"),
        ("3\\text{\ns}", "3"),
    ],
)
def test_normal_forms(answer, normal):
    assert tex.normalise(answer) == normal


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("\\frac12", "\\frac{1}{2}"),
        ("\\frac{2}{4}", "\\frac{1}{2}"),
        ("0.5", "\\frac{1}{2}"),
        ("x^2+2x+1", "(x+1)^2"),
        ("A,B,D,E", "A,D"),  # the parser stops at the comma
        ("x+y+z=0", "2x-y=0"),  # only what is behind the equals sign counts
        ("(1,2)", "(1,2)"),
        ("\\text{no parser reads this", "\\text{no parser reads this"),
    ],
)
def test_right(answer, gold):
    assert outcome(answer, gold) == "right"


@pytest.mark.parametrize(
    ("answer", "gold", "why"),
    [
        (".5", "0.5", "the answer is unreadable"),
        ("0.5", ".5", "the gold answer is zero or unreadable"),
        ("0.0", "0", "the gold answer is zero or unreadable"),
        ("( 2,1)", "(1,2)", "unreadable"),
        ("x>5", "x<5", "a relation"),
        ("12", "13", "another integer"),
        ("x", "y", "another value"),
        ("\\frac{1}{10^{9}}", "\\frac{1}{10^{10}}", "not equal in sympy"),
        ("1+" * 2000 + "1", "4001", "too long"),
    ],
)
def test_wrong(answer, gold, why):
    judgement = judge_answer(completion(answer), gold, MATH)
    assert judgement.outcome == "wrong" and why in judgement.why


TEX = ["$", "\\text{", "}", "{", "\\frac", "\\sqrt", "12", "3", "x", "=", ",", "a ", " ", "\n", "\\boxed{", "ft", "²"]


@given(st.lists(st.sampled_from(TEX), max_size=12).map("".join))
def test_an_answer_without_a_line_break_equals_itself_and_starts_no_worker(answer):
    assert tex.compare_math(answer, answer).equal


@given(st.text(max_size=60))
def test_whatever_stands_on_the_closing_line_is_found(answer):
    line = answer.partition("\n")[0]
    assert MATH.find(f"Final Answer: The final answer is{line}. ").answer == line.strip()


@pytest.mark.skipif(not BENCHMARK.exists(), reason=f"{BENCHMARK} is absent")
def test_every_gold_answer_of_math_is_right():
    outcomes = []
    for line in BENCHMARK.open():
        solution = json.loads(line)["solution"]
        gold = tex.gold_math(solution)
        assert "boxed" not in gold
        if "\n" in gold:  # one of 5,000; what a completion says on more than one line is not found
            outcomes.append(MATH.compare(gold, gold).equal)
        else:
            outcomes.append(outcome(gold, solution) == "right")
    assert (sum(outcomes), len(outcomes)) == (5000, 5000)


# Each ends within the limit or is killed; `limit` is lower in the test so that it does not take minutes.
HOSTILE = [
    "(" * 900 + "1" + ")" * 900,
    "{" * 1900,
    "}" * 1900,
    "\\sqrt{" * 250 + "2" + "}" * 250,
    "9^{9^{9^{9}}}",
    "9" * 20_000,
    "9" * 1_999,
    "\x00\x01\x1b[2J\ud800",
    "\\int_0^1 \\sin(x^x) dx",
    "(x+1)^{99999}",
    "|" * 200 + "x",
    "x" * 1_999,
    "\\boxed{" * 280,
    "\\begin{pmatrix}" * 80,
]


@pytest.mark.slow
def test_hostile_answers_end_in_time_and_the_next_is_right(monkeypatch):
    monkeypatch.setattr(workers, "SECONDS", 0.6)
    prepare()  # the limit is for answers; a busy machine may take longer to start a worker
    assert outcome("\\frac{2}{4}", "\\frac{1}{2}") == "right"
    for answer in HOSTILE:
        begun = time.monotonic()
        try:
            assert outcome(answer, "x+\\frac{1}{3}") == "wrong"
        except Undecided as undecided:
            assert undecided.outcome == "timeout" or "still starting" in undecided.why
        assert time.monotonic() - begun < 2
    prepare()
    assert outcome("\\frac{2}{4}", "\\frac{1}{2}") == "right"


@pytest.mark.slow
def test_two_threads_with_towers_end_within_five_seconds():
    def judged(tower):
        begun = time.monotonic()
        with pytest.raises(Undecided, match=r"no verdict within 4\.5 s"):
            outcome(tower, "x")
        return time.monotonic() - begun

    with ThreadPoolExecutor(2) as threads:
        assert max(threads.map(judged, ["9^{9^{9^{9}}}", "8^{8^{8^{8}}}"])) < 5
    assert outcome("1x", "x") == "right"


@pytest.mark.parametrize(
    "text",
    [
        "Final Answer: The final answer is" * 300_000,
        "Final Answer: The final answer is\n" * 300_000,
        "Final Answer: The final answer is " + "\\text{" * 1_600_000 + ". ",
        "Final Answer: The final answer is " + "$,{" * 3_000_000 + ". ",
        "Final Answer: The final answer is" + " I hope it is correc" * 500_000,
    ],
)
def test_ten_megabytes_take_little_time(text):
    begun = time.monotonic()
    assert judge_answer(text, "x", MATH).outcome in ("wrong", "no_answer")
    assert time.monotonic() - begun < 4
