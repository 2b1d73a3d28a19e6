"""Equations, inequalities, congruences, labels: what says the same, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.evals.answers import canonical, equivalent

SAME = [
    ["x=5", "5=x", "2x=10", "x-5=0", "5"],
    ["x>5", "5<x", "2x>10", "x\\in(5,\\infty)", "(5,\\infty)", "\\{x \\mid x>5\\}", "-x<-5", "\\{x: x > 5\\}"],
    ["1<x\\le3", "3\\ge x>1", "(1,3]", "x \\in (1, 3]", "\\{x\\in\\mathbb{R}: 1<x\\le 3\\}"],
    ["x<1 \\text{ or } x>3", "(-\\infty,1)\\cup(3,\\infty)", "x>3 or x<1", "x \\in (-∞,1)∪(3,∞)"],
    ["x^2+y^2=4", "4-x^2=y^2", "2x^2+2y^2=8"],
    ["y=\\sin x", "2y=2\\sin x", "y-\\sin(x)=0"],
    ["\\frac{x^2}{4}+\\frac{y^2}{9}=1", "9x^2+4y^2=36"],
    ["x=1, y=2", "y=2, x=1", "(x,y)=(1,2)", "(1,2)"],
    ["x_1=2, x_2=3", "2, 3", "x_1=3, x_2=2"],
    ["x = 5+6 = 11", "11", "x\\approx 11"],
    ["x=\\frac13\\approx 0.33", "\\frac{1}{3}"],
    ["f(3) = 7", "7", "7 = f(3)"],
    ["AB=5", "5", "|AB| = 5"],
    ["P(A)=\\frac12", "0.5"],
    ["\\angle ABC = 30^\\circ", "30"],
    ["V_1:V_2=11:21", "11:21", "11 : 21"],
    ["x\\equiv 10 \\pmod 7", "3 \\pmod{7}", "x \\equiv 3 (mod 7)", "x\\equiv -4 \\pmod{7}"],
    ["x \\ne 3", "x \\neq 3", "x != 3"],
    ["\\mathbb{R}", "(-\\infty,\\infty)", "\\text{all real numbers}"],
]
DIFFERENT = [
    ("x>5", "x\\ge5"), ("x>5", "x<5"), ("-x>5", "x>5"), ("x>5", "y>5"), ("x=5", "y=5"), ("x=5", "x=6"),
    ("1<x<3", "1\\le x<3"), ("1<x<3", "1<x"), ("x<1 \\text{ or } x>3", "x<1 \\text{ and } x>3"),
    ("(1,2)", "x=2, y=1"), ("a_1=2, a_2=3", "a_1=3, a_2=2"), ("y=2x", "y=2"), ("y=2x+1", "y=2x-1"),
    ("x^2=4", "x^2=-4"), ("x^2+y^2=4", "x^2+y^2=2"), ("1\\le|z|\\le2", "[1,2]"), ("2<2x+1<3", "(2,3)"),
    ("3 \\pmod 7", "3"), ("3 \\pmod 7", "3 \\pmod 5"), ("11:21", "21:11"), ("x \\ne 3", "x=3"), ("f(3)=7", "f(4)=7"),
    ("x^2 > y", "x^2 < y"), ("x = 11 = 12", "11"), ("2x+3y=0", "3x+2y=0"), ("... = 0", "x = 0"), ("x=y=3", "x=3"),
]  # fmt: skip


@pytest.mark.parametrize("group", SAME, ids=lambda group: group[0])
def test_one_relation_in_many_forms(group):
    for a in group:
        for b in group:
            assert equivalent(a, b), (a, b, canonical(a), canonical(b))


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different_relations_are_never_the_same(a, b):
    assert not equivalent(a, b)
    assert not equivalent(b, a)


@given(st.integers(-20, 20).filter(bool), st.integers(-20, 20), st.integers(-20, 20).filter(bool))
def test_an_equation_has_no_scale_and_no_sides(a, b, by):
    equation = f"y = {a}x + {b}".replace("+ -", "- ")
    scaled = f"{by}y - {by * a}x = {by * b}".replace("- -", "+ ")
    assert equivalent(equation, scaled)
    assert not equivalent(equation, scaled.replace("=", "= 1 +"))


@given(st.integers(-20, 20).filter(bool), st.integers(-20, 20), st.sampled_from(["<", ">", "\\le", "\\ge"]))
def test_an_inequality_is_solved_with_its_direction(slope, shift, sign):
    from fractions import Fraction

    bound = -Fraction(shift, slope)
    flipped = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}
    solved = f"x {sign if slope > 0 else flipped[sign]} \\frac{{{bound.numerator}}}{{{bound.denominator}}}"
    wrong = f"x {flipped[sign] if slope > 0 else sign} \\frac{{{bound.numerator}}}{{{bound.denominator}}}"
    given = f"{slope}x + {shift} {sign} 0".replace("+ -", "- ")
    assert equivalent(given, solved)
    assert not equivalent(given, wrong)
