"""The published judging of programs' values, faults and all."""

import pytest

from llemma.evals.answers.llemma.programs import GSM8K_PYTHON, MATH_PYTHON

CAST = [
    ("0", "\\frac12", True), ("Rational(1, 2)", "\\frac12", True), ("3", "2\\sqrt3", True), ("2.5", "2", True),
    ("Integer(4)", "\\frac72", False), ("Add(Symbol('x'), Integer(1))", "x+1", True), ("[1, 2]", "1,2", False),
    ("Mul(Integer(2), Pow(Integer(3), Rational(1, 2)))", "2\\sqrt3", True), ("__import__('os')", "1", False),
    ("Symbol('y')", "x", False),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "gold", "expected"), CAST)
def test_numbers_are_cut_to_integers_first(answer, gold, expected):
    assert MATH_PYTHON.compare(answer, gold).equal is expected


def test_failed_programs_vote_and_can_win():
    assert MATH_PYTHON.vote([None, None, "3"], "3").outcome == "no_answer"
    assert MATH_PYTHON.vote(["Integer(3)", "3", None], "3").outcome == "right"
    assert MATH_PYTHON.vote([], "3").outcome == "no_answer"


def test_gsm8k_wants_the_very_float():
    assert GSM8K_PYTHON.compare("18.0", "18").equal
    assert GSM8K_PYTHON.compare("1200", "1,200").equal
    assert not GSM8K_PYTHON.compare("17.999999999999996", "18").equal
    assert not GSM8K_PYTHON.compare("eighteen", "18").equal
