"""Values of programs as answers: read by a parser, never run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.evals.answers.python_values import answer_text, canonical_value, compare_values

SAME = [
    ("[1, 2]", "1,2"), ("[3]", "3"), ("{x: 3}", "3"), ("[{x: 1, y: 2}]", "(1,2)"), ("[(1, 2), (3, 4)]", "(1,2),(3,4)"),
    ("[{x: 1, y: 2}, {x: 3, y: 4}]", "(3,4),(1,2)"), ("sqrt(2)/2", "\\frac{\\sqrt2}{2}"), ("{(1, 2)}", "(1,2)"),
    ("Interval.open(0, oo)", "(0,\\infty)"), ("Interval(-oo, 3)", "(-\\infty,3]"), ("set()", "\\emptyset"),
    ("Union(Interval.open(-oo, 1), Interval(2, 3))", "(-\\infty,1)\\cup[2,3]"), ("(1 < x) & (x < 3)", "(1,3)"),
    ("(-oo < x) & (x < 3)", "x<3"), ("17.999999999999996", "18"), ("0.3333333333333333", "1/3"), ("log(2)", "\\ln 2"),
    ("x**2 + 2*x + 1", "(x+1)^2"), ("-(x - 1)*(x + 2)", "-(x-1)(x+2)"), ("x - (y - 2)", "x-y+2"), ("a - -b", "a+b"),
    ("Matrix([[1, 2], [3, 4]])", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"), ("I", "i"), ("(3+4j)", "3+4i"),
    ("Eq(y, 2*x + 1)", "y=2x+1"), ("Abs(x)", "|x|"), ("binomial(5, 2)", "10"), ("-2**x", "-(2^x)"),
    ("1e-05", "0.00001"),
    ("hello", "hello"), ("True", "True"),
]  # fmt: skip
DIFFERENT = [
    ("17.9999", "18"), ("[1, 2]", "(1,2)"), ("(1, 2)", "(2,1)"), ("{1, 2}", "(1,2)"), ("0.5", "1/3"), ("log(100)", "2"),
    ("__import__('os').system('true')", "0"), ("(lambda: 1)()", "1"), ("x**2", "2x"), ("None", "0"), ("7/2", "3"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "gold"), SAME)
def test_a_value_is_the_answer(value, gold):
    assert compare_values(answer_text(value), gold).equal


@pytest.mark.parametrize(("value", "gold"), DIFFERENT)
def test_other_values_are_not(value, gold):
    assert not compare_values(answer_text(value), gold).equal


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_floats_vote_by_ten_digits(value):
    assert canonical_value(repr(value)) == canonical_value(repr(value * (1 + 1e-13))) or f"{value:.10g}" != (
        f"{value * (1 + 1e-13):.10g}"
    )
    assert compare_values(repr(value), repr(value)).equal


@given(st.text() | st.text("[](){}+-*/,.x1:'\"&<= "))
def test_any_text_is_survived(text):
    assert isinstance(answer_text(text), str)


def test_the_parser_says_nothing_to_the_user(recwarn):
    answer_text("1or 2 is 3")
    answer_text("0x1for x in y")
    assert not recwarn.list


@pytest.mark.parametrize(
    "text", ["(" * 1900, "-" * 1900 + "1", "[" * 900 + "]" * 900, "x" * 5000, "9**9**9**9", "1" * 1999]
)
def test_hostile_values_stay_text_or_end(text):
    assert not compare_values(answer_text(text), "1").equal
