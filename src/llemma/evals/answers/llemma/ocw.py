"""The published judge of OCWCourses (lm_eval/tasks/ocw_courses.py): the type of the gold answer decides the rule.

Of the 272 gold answers of OCWCourses 251 are right when given as answers: 12 are equations, 7 are numbers that are
negative or zero, and 2 are expressions that neither equal their own text nor can be read (the faults below).
"""

from __future__ import annotations

import math
import re
from typing import Literal

from llemma.evals.answers.equivalent import Comparison
from llemma.evals.answers.find import Found
from llemma.evals.answers.llemma import sympy_pool
from llemma.evals.answers.llemma.tex import MAX_TEX, compare_normal, find_closing, normalise

# fmt: off
UNITS = (
    "eV", " \\mathrm{~kg} \\cdot \\mathrm{m} / \\mathrm{s}", " kg m/s", "kg*m/s", "kg", "m/s", "m / s", "m s^{-1}",
    "\\text{ m/s}", " \\mathrm{m/s}", " \\text{ m/s}", "g/mole", "g/mol", "\\mathrm{~g}",
    "\\mathrm{~g} / \\mathrm{mol}", "W", "erg/s", "years", "year", "cm", "\\mathrm{m}", "\\mathrm{~m}", "\\mathrm{s}",
    "\\mathrm{~s}", "\\mathrm{cm}", "\\mathrm{~cm}",
)
# fmt: on
"""Removed from a numeric answer in this order, wherever they stand. Fault: "kg" goes before "kg m/s" can, and so on."""

_LITERAL = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{0,100})?(?:[eE][+-]?[0-9]{1,5})?")

Type = Literal["numeric", "equation", "expression"]


def find_ocw(text: str) -> Found | None:
    """The answer of a completion; "answer" has a small letter here, unlike in MATH."""
    return find_closing(text, "Final answer: The final answer is")


def answer_type(gold: str) -> Type:
    """Which rule a gold answer brings: what Python's `float` reads is numeric."""
    try:
        float(gold)
    except ValueError:
        return "equation" if "=" in gold else "expression"
    return "numeric"


def compare_ocw(answer: str, gold: str) -> Comparison:
    """The rule of the gold answer's type. Raises `Undecided`."""
    kind = answer_type(gold)
    if kind == "expression":
        return compare_normal(normalise(answer), normalise(gold))
    if kind == "equation":
        return NO_EQUATION
    given = read_number(answer)
    if given is None:
        return Comparison(False, "the gold answer is a number, the answer is not")
    return compare_numbers(given, read_number(gold))


# Fault: the module uses `sympy.core` without importing sympy; a bare except turns the NameError into "invalid answer".
NO_EQUATION = Comparison(False, "the gold answer is an equation, which the published code can never read")
"""The verdict on every answer when the gold answer is an equation."""


def read_number(answer: str, **limits: float) -> float | None:
    """The float of a numeric answer without its unit, or None. Raises `Undecided`."""
    for unit in UNITS:
        answer = answer.replace(unit, "").strip()
    answer = answer.strip("$")
    if _LITERAL.fullmatch(answer):
        return float(answer)
    if len(answer) > MAX_TEX:
        return None
    value: float | None = sympy_pool().ask("number", answer, **limits)
    return value


def compare_numbers(one: float, other: float | None) -> Comparison:
    """The published numeric rule; `other` is the gold answer (or, when a vote is counted, the earlier answer)."""
    shown = f"{one:g} for {'an unreadable number' if other is None else f'{other:g}'}"
    if other is None:  # a gold answer like "inf": not caught in the published code, which stops here
        return Comparison(False, shown)
    if _close(one, 0) or _close(other, 0) or _close(one - other, 0):
        # Fault: strict, and with a mean that may be negative: equal negative numbers are different, and so are 0 and 0.
        equal = abs(one - other) < 0.01 * (one + other) / 2
        return Comparison(equal, f"{'within' if equal else 'not within'} 1% of their mean, {shown}")
    # Fault: elsewhere the one percent of Minerva's appendix is not used, but numpy's default tolerance.
    equal = _close(one, other)
    return Comparison(equal, f"{'within' if equal else 'not within'} a relative 1e-5, {shown}")


def _close(one: float, other: float) -> bool:
    """`numpy.isclose` with its defaults, not symmetric: the tolerance is relative to `other`."""
    if math.isfinite(one) and math.isfinite(other):
        return abs(one - other) <= 1e-8 + 1e-5 * abs(other)
    return one == other
