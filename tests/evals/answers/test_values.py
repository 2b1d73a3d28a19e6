"""Values of formulas: the same at every point or not the same, exact where they are rational, bounded always."""

import contextlib
import math
import threading
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.evals.answers import values
from llemma.evals.answers.formula import read, standard
from llemma.evals.answers.numbers import plain
from llemma.evals.answers.values import Unread, key

SAME = [
    ("\\sin(\\pi/6)", "\\frac12"),
    ("\\sin 30^\\circ", "0.5"),
    ("\\cos 15^{\\circ}", "\\frac{\\sqrt{6}+\\sqrt2}{4}"),
    ("\\log_2 8", "3"),
    ("\\frac{\\log 8}{\\log 2}", "3"),
    ("3\\log 2", "\\log 8"),
    ("\\lg 100", "2"),
    ("\\ln 4", "2\\ln 2"),
    ("e^{2\\ln 3}", "9"),
    ("\\frac{x^2-1}{x-1}", "x+1"),
    ("\\sqrt{3+2\\sqrt2}", "1+\\sqrt2"),
    ("\\tan^2 y+1", "\\sec^2(y)"),
    ("\\cos 2x", "1-2\\sin^2 x"),
    ("\\sqrt[3]{-8}", "-2"),
    ("\\sqrt[3]{54}", "3\\sqrt[3]{2}"),
    ("x\\sqrt{x}", "\\sqrt{x^3}"),
    ("\\sqrt{x^2}", "|x|"),
    ("x^{2/3}", "\\sqrt[3]{x}^2"),
    ("(-1)^{n+1}", "-(-1)^n"),
    ("2^{x+1}", "2\\cdot 2^x"),
    ("a^{m+n}", "a^m a^n"),
    ("\\binom{n}{2}", "\\frac{n(n-1)}{2}"),
    ("{n \\choose 2}", "\\binom n2"),
    ("{1 \\over 2}", "0.5"),
    ("10!", "3628800"),
    ("e^{i\\pi}", "-1"),
    ("(1+i)^2", "2i"),
    ("\\frac{1}{1+i}", "\\frac{1-i}{2}"),
    ("\\sqrt{-4}", "2i"),
    ("(x+1)^{200}", "(x+1)^{199}(x+1)"),
    ("\\sqrt{x-2}+1", "1+\\sqrt{x-2}"),
    ("\\lfloor \\pi \\rfloor", "3"),
    ("\\lceil -2.5 \\rceil", "-2"),
    ("\\sin^{-1}(1)", "\\frac{\\pi}{2}"),
    ("\\sum_{k=0}^{n} a_k b_k", "\\sum_{k=0}^{n} b_k a_k"),
    ("f(2x)+1", "1+f(x+x)"),
    ("\\frac{dx}{dt}+k", "k+\\frac{d x}{d t}"),
    ("v_{\\text{max}}", "v_{max}"),
    ("sqrt(2)/2", "\\frac{1}{\\sqrt{2}}"),
    ("1,000\\pi", "1000\\pi"),
    ("\\dot{x}_0 t", "t\\dot{x}_0"),
    ("y''+y", "y+y^{\\prime\\prime}"),
]
DIFFERENT = [
    ("\\log 100", "2"),
    ("\\log 100", "\\ln 100"),
    ("\\sqrt{x^2}", "x"),
    ("f(2)", "2f"),
    ("f(x)", "f(y)"),
    ("\\ln|x|", "\\ln x"),
    ("-2^n", "(-2)^n"),
    ("1-e^{-200}", "1"),
    ("\\frac{1}{2004!}", "\\frac{1}{2006!}"),
    ("2^{-99}", "2^{-98}"),
    ("1+10^{-80}\\pi", "1"),
    ("\\frac{dx}{dt}", "\\frac{x}{t}"),
    ("\\sin x", "\\sin(-x)"),
    ("e^{\\pi\\sqrt{163}}", "262537412640768744"),
    ("\\sum_{k=0}^{n} a_k", "\\sum_{k=1}^{n} a_k"),
    ("x_1", "x_2"),
    ("y'", "y"),
    ("3!", "3"),
    ("\\arcsin x", "\\frac{1}{\\sin x}"),
    ("\\tan x", "\\cot x"),
]
UNREAD = [
    "9^{9^{9^{9}}}",
    "e^{e^{e^{e^5}}}",
    "0^0",
    "1/2x",
    "2\\frac{1}{2}x",
    "\\sqrt12",
    "\\frac{1}{0}",
    "\\tan(\\pi/2)",
]
UNREAD += ["\\ln 0", "10^{300}\\pi", "\\binom{10^9}{5\\cdot 10^8}", "area", "x\\infty", "2 3", "10_2", "n!!", "5!^2!"]


def value(text):
    return key(read(standard(plain(text))))


@pytest.mark.parametrize(("a", "b"), SAME)
def test_identities_hold(a, b):
    assert value(a) == value(b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_what_differs_has_another_value(a, b):
    assert value(a) != value(b)


@pytest.mark.parametrize("text", UNREAD)
def test_what_is_ambiguous_or_out_of_bounds_is_not_read(text):
    with pytest.raises(Unread):
        value(text)


@given(st.fractions(max_denominator=10**6), st.integers(1, 10**6))
def test_a_rational_value_is_recognised_behind_an_irrational_one(number, other):
    hidden = values.add(values.constant(number), values.power(values.constant(other), values.constant(Fraction(1, 2))))
    shown = values.add(hidden, values.power(values.constant(other), values.constant(Fraction(1, 2))), -1)
    assert key(shown) == str(number)


@settings(max_examples=60)
@given(st.integers(2, 10**40), st.integers(-(10**3), 10**3).filter(bool))
def test_roots_of_neighbours_are_told_apart(number, step):
    if number + step > 0:
        assert value(f"\\sqrt{{{number}}}") != value(f"\\sqrt{{{number + step}}}")


@pytest.mark.parametrize(
    "text",
    [
        "\\sqrt{" * 20 + "x" + "}" * 20,
        "+".join(f"\\sin {i}" for i in range(150)),
        "+".join(["\\sqrt[99]{x}"] * 90),
        "+".join(["3000!"] * 150),
        "+".join(["(\\frac{2^{30000}}{3^{20000}})"] * 20),
        "(" * 2000,
        "2^" * 600 + "2",
        "\\lfloor " * 24 + "x" + "\\rfloor" * 24,
        "\\cos(" * 24 + "x" + ")" * 24,
    ],
    ids=lambda text: text[:16],
)
def test_work_is_bounded(text):
    begun = time.process_time()
    with contextlib.suppress(Unread):
        value(text)
    assert time.process_time() - begun < 2


def test_threads_agree():
    expected = [value(a) for a, _ in SAME]
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.__setitem__(n, [value(a) for a, _ in SAME])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[n] == expected for n in range(4))


def test_a_linear_formula_is_solved():
    root, slope = values.linear_root(read("3-2x"))
    assert (root.exact, slope) == (Fraction(3, 2), -1)
    assert values.linear_root(read("x^2-1")) is None
    assert values.linear_root(read("x+y")) is None
    assert math.isclose(float(values.linear_root(read("2x-\\pi"))[0].at[0]), math.pi / 2)
