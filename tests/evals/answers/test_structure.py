"""Answers made of parts, and formulas as exact sums: same, different, and bounded."""

import cmath
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.evals.answers import canonical, compare, equivalent

SAME = [
    [
        "\\{1,2\\}",
        "\\{2,1\\}",
        "\\left\\{ 2, 1 \\right\\}",
        "1,2",
        "2 and 1",
        "1 \\text{ or } 2",
        "x=1, x=2",
        "x = 2, 1",
    ],
    ["2\\sqrt{3}", "\\sqrt{12}", "2√3", "\\frac{6}{\\sqrt{3}}", "\\sqrt{3} \\cdot 2", "2\\sqrt3\\text{ cm}"],
    ["\\pm 3", "3,-3", "±3", "x = \\pm 3", "-3 \\text{ and } 3"],
    ["1\\pm\\sqrt2", "1-\\sqrt{2}, 1+\\sqrt{2}", "\\frac{2\\pm\\sqrt{8}}{2}"],
    ["10-4n", "-4n+10", "10 - 4 n", "2(5-2n)"],
    ["\\frac{8}{3}t", "\\frac{8t}{3}", "8t/3"],
    ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{bmatrix} 1 & 2 \\\\ 3 & \\frac{8}{2} \\end{bmatrix}"],
    ["(1,\\frac12)", "\\left(1, 0.5\\right)", "(1, \\dfrac{1}{2})"],
    ["y=2x+1", "2x-y+1=0", "2y = 4x + 2", "y - 1 = 2x"],
    ["x>5", "5<x", "2x > 10", "x-5>0"],
    ["1<x\\le3", "3\\ge x>1", "1 < x \\leq 3"],
    ["(-\\infty,2)\\cup(3,\\infty)", "(3, \\infty) \\cup (-\\infty, 2)", "x \\in (-∞,2)∪(3,∞)"],
    ["\\frac{1}{1+\\sqrt2}", "\\sqrt2-1"],
    ["2^{10}", "1024", "4^5"],
    ["16\\pi\\text{ cm}^2", "16\\pi", "16π"],
    ["-\\frac{\\sqrt{3}}{2}", "\\frac{-\\sqrt3}{2}", "-\\sqrt{\\frac{3}{4}}"],
    ["(x+1)^2", "x^2+2x+1", "(x+1)(x+1)"],
    ["f(x)=2x+1", "f(x)=1+2x"],
    ["(x,y) = (1,2)", "(1, 2)"],
    ["\\text{9:30 PM}", "9:30 p.m."],
    ["10,000, 20,000", "20000, 10000"],
    ["3 + 4i", "4i+3"],
    ["\\frac{\\pi}{6}", "\\pi/6"],
    ["x = \\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt2}"],
]
DIFFERENT = [
    ("(1,2)", "(2,1)"),
    ("(1,2)", "[1,2]"),
    ("(1,2)", "\\{1,2\\}"),
    ("(1,2)", "1,2"),
    ("x<5", "x\\le 5"),
    ("-x<5", "x<-5"),
    ("x=1,y=2", "x=2,y=1"),
    ("y=5", "x=5"),
    ("no", "on"),
    ("ABC", "CBA"),
    ("f(2)", "2f"),
    ("2^{2007}", "2^{2006}"),
    ("(10,000)", "(10,0)"),
    ("\\sqrt{2}", "1.4142"),
    ("\\sqrt{2}", "1.41422"),
    ("x<3 or x>1", "x<3 and x>1"),
    ("A,D", "A,B,D,E"),
    ("1-\\frac1e", "1+\\frac1e"),
    ("3!", "3"),
    ("1,2", "1,2,2"),
    ("\\pm 3", "3"),
    ("4", "\\{4\\}"),
    ("[4]", "(4)"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}2\\\\1\\end{pmatrix}"),
    ("\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    ("x-y+1=0", "x-y-1=0"),
    ("\\frac{1}{2x}", "\\frac{1}{2}x"),
    ("1/2x", "2/x"),
    ("\\sin 2x", "2\\sin x"),
    ("(2 hours, 3)", "(2 minutes, 3)"),
    ("a_1", "a_2"),
    ("x^{2}", "x_2"),
    ("2\\frac{1}{2}", "1"),
    ("x^2=0", "y^2=0"),
    ("(1,2),(3,4)", "(1,3),(2,4)"),
    ("\\frac{1}{2004!}", "\\frac{1}{2006!}"),
    ("2\\frac{1}{2}x", "x"),
    ("\\sqrt12", "\\sqrt{12}"),
    ("[1,2)\\cup(3,4]", "[1,2]\\cup(3,4]"),
    ("1 < x < 3", "x < 3"),
    ("x \\ne 2", "x = 2"),
    ("D, A, C", "A, C, D"),
    ("x=1 \\text{ and } y=2", "x=1 \\text{ or } y=2"),
    ("(x,y)=(1,2)", "(y,x)=(1,2)"),
    ("9:30 AM", "9:30 PM"),
]


@pytest.mark.parametrize("group", SAME, ids=lambda group: group[0])
def test_one_answer_in_many_forms(group):
    for a in group:
        for b in group:
            assert equivalent(a, b), (a, b, canonical(a), canonical(b))


@pytest.mark.parametrize(("a", "b"), DIFFERENT, ids=str)
def test_different_answers_are_never_the_same(a, b):
    assert not equivalent(a, b)
    assert not equivalent(b, a)


def test_a_value_of_another_name_is_told():
    assert compare("y=5", "x=5").why == "same value of different names: y and x"


FORMULAS = st.recursive(
    st.integers(0, 12).map(lambda n: (str(n), str(n)))
    | st.sampled_from(
        [("x", "x"), ("y", "y"), ("\\pi", "pi"), ("\\sqrt{2}", "r(2)"), ("\\sqrt{6}", "r(6)"), ("i", "1j")]
    ),
    lambda inner: st.tuples(st.sampled_from(["+", "-", "*", "/", "2", "r"]), inner, inner).map(
        lambda node: {
            "+": (f"{node[1][0]}+{node[2][0]}", f"({node[1][1]})+({node[2][1]})"),
            "-": (f"{node[1][0]}-\\left({node[2][0]}\\right)", f"({node[1][1]})-({node[2][1]})"),
            "*": (f"({node[1][0]})({node[2][0]})", f"({node[1][1]})*({node[2][1]})"),
            "/": (f"\\frac{{{node[1][0]}}}{{{node[2][0]}}}", f"({node[1][1]})/({node[2][1]})"),
            "2": (f"({node[1][0]})^2", f"({node[1][1]})**2"),
            "r": (f"\\sqrt{{{node[1][0]}}}", f"r({node[1][1]})"),
        }[node[0]]
    ),
    max_leaves=6,
)


def value(expression):
    """An independent evaluation, of text that this test has made itself."""
    names = {"x": 1.2345, "y": 0.5671, "pi": cmath.pi, "r": cmath.sqrt}
    return eval(expression, {"__builtins__": {}}, names)


@settings(max_examples=400, deadline=None)
@given(FORMULAS, FORMULAS, st.integers(0, 5))
def test_formulas_of_one_form_have_one_value(a, b, n):
    try:
        one, other = value(a[1]), value(b[1])
    except (ZeroDivisionError, OverflowError):
        return
    if equivalent(a[0], b[0]):
        assert cmath.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    shifted = f"{n}+{a[0]}"
    if equivalent(shifted, a[0]):
        assert n == 0
    assert equivalent(f"{a[0]}+{n}", shifted) or len(canonical(a[0]).form) > 60


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-99, 99).map(str), min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_order_matters_in_tuples_alone(items, chance):
    other = items[:]
    chance.shuffle(other)
    assert equivalent(f"\\{{{', '.join(items)}\\}}", f"\\{{{','.join(other)}\\}}")
    assert equivalent(", ".join(items), " and ".join(other))
    assert equivalent(f"({', '.join(items)})", f"\\left( {','.join(other)} \\right)") == (items == other)
    assert not equivalent(", ".join(items), ", ".join([*items[1:], "100"]))


PIECES = [
    "\\frac",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    "1",
    "23",
    "x",
    "y",
    "\\sqrt",
    "^",
    "_",
    "+",
    "-",
    "\\pm",
    "\\cup",
    "=",
    "<",
    " and ",
    "\\{",
    "\\}",
    "\\pi",
    "0",
    ".",
    "/",
    "\\text{ or }",
    "\\infty",
    "&",
    "\\\\",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "\\in",
    "\\sin",
    "%",
    "$",
    " ",
    "!",
    "cm",
    "\\log",
]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
)
def test_broken_formulas_equal_themselves_in_both_directions(a, b):
    assert equivalent(a, a)
    assert equivalent(a, b) == equivalent(b, a)


@pytest.mark.parametrize(
    "hostile",
    [
        "(" * 900 + "x" + ")" * 900,
        "x^{" * 600 + "}" * 600,
        "(a+b+c)" * 250,
        "(a+b)^{64}" * 150,
        "\\sqrt{999999999989}+" * 90 + "1",
        "2^{" * 100 + "2" + "}" * 100,
        "9^{9^{9}}",
        "2^{999999999}",
        "(2^{3000})" * 190,
        "\\frac{1}{" * 200 + "2" + "}" * 200,
        "1," * 990 + "1",
        "(1," * 400 + "1" + ")" * 400,
        "1\\pm 2," * 250,
        "x<" * 900,
        "\\begin{pmatrix}" * 60,
        "\\begin{pmatrix}" + "1&" * 400 + "1\\end{pmatrix}",
        "\\{" * 500 + "\\}" * 500,
        " and " * 390,
        "\x1e" * 1999,
        "\x00\x07\x1b[31m" * 250,
        "\\sin " * 390,
        "[1,2)\\cup" * 200 + "[3,4)",
        "+-" * 990,
        "√" * 1900,
        "(1+\\sqrt2+\\sqrt3+\\sqrt5+\\sqrt7)^{64}",
        "7^{1400}+" * 200 + "1",
        "9" * 20_000,
        "\\{" + "9," * 5_000_000 + "9\\}",
    ],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)
def test_hostile_answers_are_compared_at_once(hostile):
    begun = time.process_time()
    assert equivalent(hostile, hostile)
    assert not equivalent(hostile, "5")
    assert time.process_time() - begun < 0.5


def test_two_hundred_fifty_six_samples_are_voted_on_at_once():
    from llemma.evals.vote import majority

    chance = random.Random(0)
    forms = [f"\\frac{{{n}\\sqrt{{{m}}}}}{{{n + m}}}" for n in range(1, 9) for m in (2, 3, 5, 6, 7)]
    answers = [chance.choice(forms) for _ in range(256)]
    begun = time.process_time()
    vote = majority(answers)
    assert time.process_time() - begun < 0.2
    assert vote.clusters == 40
