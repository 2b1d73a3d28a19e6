import json
import math
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core import registry
from llemma.core.types import Completion
from llemma.evals.answers import canonical, compare, equivalent, find, judge, judge_completion

SHARED = Path(__file__).parents[4] / "shared" / "benchmarks"

SAME = [
    [
        "1200",
        "1,200",
        "1200.0",
        "1200.",
        "$1,200",
        "\\$1,200.00",
        "1{,}200",
        "1\\,200",
        "1,\\!200",
        "1.2e3",
        "2400/2",
        "1.2 \\times 10^{3}",
        "1.2\\cdot10^3",
        "1200 dollars",
        "x = 1200",
        "$1200$ apples",
        "**1200**",
    ],
    [
        "1/2",
        "0.5",
        ".5",
        "\\frac{1}{2}",
        "\\frac12",
        "\\dfrac{1}{2}",
        "\\frac{2}{4}",
        "$\\frac{1}{2}$",
        "\\boxed{0.5}",
        "+0.50",
    ],
    ["-3", "−3", "- 3", "–3", "-3.0", "$-3$", "-\\frac{6}{2}", "\\frac{-6}{2}", "\\(-3\\)"],
    ["-5", "-$5", "$-5", "-\\$5", "-5 dollars"],
    ["3/2", "1 1/2", "1\\frac{1}{2}", "1.5", "1 \\frac{1}{2}"],
    ["50", "50%", "50\\%", "50 percent", "50 apples", "50 more red apples", "50 (pieces of paper)"],
    ["90", "90^\\circ", "90^{\\circ}", "90°", "90 degrees"],
    ["12 cm", "12cm", "12\\text{ cm}", "12 \\mathrm{ cm}", "12 centimeters"],
    ["5 square feet", "5 sq feet", "5\\text{ ft}^2", "5 ft^2"],
    ["60 mph", "60 miles per hour"],
    ["A", "(A)", "\\text{(A)}", "\\textbf{(A)}", "A."],
    ["Evelyn", "\\text{Evelyn}", "evelyn"],
    ["2\\pi", "2 \\pi", "$2\\pi$"],
    ["(3,\\frac{\\pi}{2})", "\\left( 3, \\frac{\\pi}{2} \\right)"],
    ["x^2+1", "x^{2} + 1"],
    ["\\sqrt2", "\\sqrt{2}", "\\sqrt 2"],
    ["2½", "5/2", "2\\frac12"],
    ["March 5, 2019", "5 March 2019", "2019-03-05", "Mar. 5th, 2019", "\\text{March 5, 2019}"],
    ["May 3", "3 May", "3rd of May"],
    ["1010_2", "1010_{2}", "(1010)_2"],
    ["0.333333", "1/3", "\\frac{1}{3}"],
    ["0.1\\overline{6}", "1/6"],
    ["1 234 567", "1,234,567", "1234567"],
]
DIFFERENT = [
    ("5", "5x"), ("5", "5 or 6"), ("5", "5 million"), ("5", "5!"), ("5", "5\\pi"), ("5", "5 pi"), ("5", "5 feet six"),
    ("3", "3 hours and 20 minutes"), ("3 hours", "3 minutes"), ("3 cm", "3 cm^2"), ("$5", "5 €"), ("50%", "0.5"),
    ("1 2", "12"), ("1,2", "12"), ("12,34", "1234"), ("1/3", "0.33"), ("1/0", "0"),
    ("0.33333", "1/3"), ("0.333334", "1/3"), ("0.3333333", "0.333333"),
    ("2/3/4", "2/3"), ("2\\frac{3}{2}", "7/2"), ("[6,7)", "(6,7)"), ("x<5", "x>5"), ("(1,2)", "(2,1)"), ("X", "x"),
    ("1112122_3", "1112112_3"), ("10_2", "10"), ("10^{-20}", "2*10^{-20}"), ("5²", "52"), ("2½", "21/2"),
    ("March 5", "March 6"), ("May 3", "3"), ("1010_2", "1010_3"), ("", "0"),
    ("9\\text{ a.m.}", "9\\text{ p.m.}"), ("-5", "5"),
    ("$3$ and $4$", "$3$"), ("1e400", "1e401"), ("y = 2x", "2x"),
]  # fmt: skip


@pytest.mark.parametrize("group", SAME, ids=lambda group: group[0])
def test_one_answer_in_many_forms(group):
    for a in group:
        for b in group:
            assert equivalent(a, b), (a, b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT, ids=str)
def test_different_answers_are_never_the_same(a, b):
    assert not equivalent(a, b)
    assert not equivalent(b, a)


@given(st.text() | st.text("0123456789.,/\\frac{}$-% xe^"), st.text("0123456789.,/\\frac{}$-% xe^"))
def test_every_answer_equals_itself_and_order_does_not_matter(a, b):
    assert equivalent(a, a)
    assert equivalent(a, b) == equivalent(b, a)


@given(st.integers(-(10**12), 10**12), st.integers(0, 4), st.booleans())
def test_a_number_is_its_value_however_it_is_written(whole, places, grouped):
    value = Fraction(whole, 10**places)
    digits = f"{abs(whole):0{places + 1}d}"
    left, right = digits[: len(digits) - places], digits[len(digits) - places :]
    text = ("-" if whole < 0 else "") + (f"{int(left):,}" if grouped else left) + ("." + right if places else "")
    for written in (text, f"${text}$", f"{text} apples", f"The answer is {text}."):
        found = find(written)
        assert found is not None
        assert canonical(found.answer).form == str(value)
    assert equivalent(text, f"\\frac{{{value.numerator}}}{{{value.denominator}}}")
    assert not equivalent(text, str(value + 1))


@pytest.mark.parametrize(
    "hostile",
    [
        "9" * 20000,
        "9" * 1999,
        "1e999999999",
        "10^{10^{10}}",
        "9^9^9^9",
        "1.5 \\times 10^{99999999999}",
        "{" * 1500,
        "\\boxed{" * 200 + "}" * 200,
        "$" * 1999,
        " " * 1999 + "5x",
        "1," * 900,
        "1/" * 900,
        "\\frac" * 300,
        "5 " + "a " * 900,
        "-" * 1999,
        "\\text{" * 300,
        "(((((" * 300,
        "\x00" * 1999,
        "1" + "0" * 399 + "e400",
    ],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)
def test_hostile_answers_are_compared_at_once(hostile):
    begun = time.process_time()
    assert equivalent(hostile, hostile)
    assert not equivalent(hostile, "5")
    assert time.process_time() - begun < 0.2


@pytest.mark.parametrize("number", ["2^{4000}", "3000!", "x = 2^{4000}", "\\frac{1}{3^{2500}}", "-7^{1500}"])
def test_numbers_too_long_to_write_out_are_compared_with_anything(number):
    assert equivalent(number, number.replace("x = ", ""))
    for other in ("0.333333", "1,22", "1/3", "\\sqrt{2}", "2^{4001}", "3 \\pmod 7", "x > 1"):
        assert not equivalent(number, other)
        assert not equivalent(other, number)
    for judge_name in ("measured", "program", "number"):
        assert registry.find("judge", judge_name).compare("0.333333", number).equal is False


def test_the_reason_names_the_rule():
    assert compare("$1,200", "1200").why == "same number 1200"
    assert compare("5", "6").why == "numbers differ: 5 and 6"
    assert compare("x", "6").why == "a formula and a number differ: x and 6"
    assert compare("3 hours", "3 minutes").why == "same number, different units: hour and minute"
    assert len(compare("a" * 10_000, "b" * 10_000).why) < 300


def test_a_verdict_has_an_outcome_an_answer_and_a_reason():
    assert judge("So 2.\nThe answer is 2.", "2") == (
        "right",
        "2",
        "same number 2 [found by: answer is; judge: default]",
    )
    assert judge("#### 3", "2")[:2] == ("wrong", "3")
    assert judge("no idea what to do here", "2")[:2] == ("no_answer", None)


def test_a_backends_error_and_a_cut_off_text_are_no_wrong_answers():
    failed = Completion("p", 0, "The answer is 2.", finish="error", error="server gone")
    assert judge_completion(failed, "2") == ("error", None, "server gone")
    cut = Completion("p", 0, "we first of all compute the", finish="length", tokens=5)
    assert judge_completion(cut, "2") == ("cut_off", None, "no answer within 5 tokens")
    assert judge_completion(Completion("p", 0, "12", finish="length"), "12").outcome == "cut_off"
    answered = Completion("p", 0, "The answer is 2. And then I", finish="length")
    assert judge_completion(answered, "2").outcome == "right"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/benchmarks beside the repository")
def test_real_solutions_are_judged_right():
    rows = [json.loads(line) for line in (SHARED / "gsm8k" / "test.jsonl").open()]
    assert all(judge(row["answer"], row["answer"].rpartition("####")[2].strip()).outcome == "right" for row in rows)
    answers = [find(json.loads(line)["solution"]) for line in (SHARED / "math" / "test.jsonl").open()]
    assert len(answers) == 5000
    assert all(found and equivalent(found.answer, found.answer) for found in answers)


DRESSES = [
    lambda text: f"\\boxed{{{text}}}",
    lambda text: f" {text} ",
    lambda text: text.replace("(", "\\left(").replace(")", "\\right)"),
    lambda text: text.replace("\\frac", "\\dfrac"),
    lambda text: text.replace(",", ", ").replace(";", "; "),
    lambda text: text.replace("+", " + ").replace("=", " = "),
    lambda text: f"\\displaystyle {text}",
]
OUTER = [
    str,
    lambda text: f"${text}$",
    lambda text: f"\\({text}\\)",
    lambda text: f"$${text}$$.",
    lambda text: f"{text}.",
]
WHOLE, ENTRY, COUNT = st.integers(-(10**6), 10**6), st.integers(-99, 99), st.integers(2, 99)
# the text of an answer beside what it is worth, worked out by this test alone
ANSWERS = st.one_of(
    WHOLE.map(lambda n: (str(n), n)),
    st.tuples(WHOLE, COUNT).map(lambda q: (f"\\frac{{{q[0]}}}{{{q[1]}}}", Fraction(*q))),
    st.tuples(ENTRY, ENTRY).map(lambda p: (f"({p[0]},{p[1]})", ("point", p))),
    st.tuples(COUNT, COUNT).map(lambda r: (f"{r[0]}\\sqrt{{{r[1]}}}", ("root", r[0] ** 2 * r[1]))),
    st.tuples(COUNT, COUNT).map(lambda f: (f"{f[0]}x+{f[1]}", ("linear", f))),
    st.tuples(COUNT, COUNT).map(lambda f: (f"y={f[0]}x+{f[1]}", ("line", f))),
    ENTRY.map(lambda n: (f"[{n},\\infty)", ("ray", n))),
    COUNT.map(lambda n: (f"{n}\\pi", ("pi", n))),
)


@given(ANSWERS, st.lists(st.sampled_from(DRESSES), max_size=4), st.sampled_from(OUTER))
def test_dress_does_not_count(answer, dresses, outer):
    dressed = answer[0]
    for dress in dresses:
        dressed = dress(dressed)
    assert equivalent(outer(dressed), answer[0])


@given(ANSWERS, ANSWERS)
def test_two_answers_are_the_same_when_they_are_worth_the_same(one, other):
    root = {
        repr(value): math.isqrt(value[1])
        for _, value in (one, other)
        if isinstance(value, tuple) and value[0] == "root"
    }
    # 2√9 is the number 6
    worth = [root[repr(v)] if repr(v) in root and root[repr(v)] ** 2 == v[1] else v for _, v in (one, other)]
    assert equivalent(one[0], other[0]) == (worth[0] == worth[1])


@given(st.data())
def test_another_digit_is_another_answer(data):
    text, worth = data.draw(ANSWERS)
    if isinstance(worth, tuple) and worth[0] != "root":  # fractions and roots may reduce to what they were
        places = [at for at, letter in enumerate(text) if letter.isdigit()]
        at = data.draw(st.sampled_from(places))
        digit = data.draw(st.integers(1, 9).filter(lambda d: d != int(text[at])))
        assert not equivalent(f"{text[:at]}{digit}{text[at + 1 :]}", text)
