"""What needs sympy, in a worker: the published comparison of TeX, and reading a number (see `tex.py`, `ocw.py`).

The published code limits the reading of each side and the simplification to 5 s each by an alarm, and counts what takes
longer as wrong; here the parent kills the worker.
"""

from __future__ import annotations

import cmath
from functools import lru_cache
from typing import Any
from zlib import crc32

import sympy
from sympy.parsing.latex import parse_latex

from llemma.evals.answers.llemma.arithmetic import evaluate

_SLOW = (sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit, sympy.Derivative)  # to evaluate


def prepare() -> None:
    """Pay for the parser's and the simplifier's start before the first question."""
    equal("\\frac{x}{2}", "\\frac{2x}{4}")


@lru_cache(maxsize=4096)
def read(text: str) -> Any:
    """The sympy object of a TeX text, or None.

    Fault: the parser stops without an error where it understands no more: "A,B,D,E" is read as "A". It does not read
    ".5" at all.
    """
    try:
        return parse_latex(text)
    except MemoryError:
        raise
    except Exception:
        return None


def equal(answer: str, gold: str) -> tuple[bool, str]:
    """Whether sympy finds no difference between two TeX texts, and why."""
    try:
        if not read(gold):  # fault: zero is as good as unreadable
            return False, "the gold answer is zero or unreadable in sympy"
    except TypeError:  # not caught in the published code, which stops here
        return False, "the gold answer is a relation, which has no difference"
    if read(answer) is None:
        return False, "the answer is unreadable in sympy"
    if _clearly_different(value(answer), value(gold)):
        return False, "another value at a point"
    try:
        same = bool(sympy.simplify(read(answer) - read(gold)) == 0)
    except MemoryError:
        raise
    except Exception as error:
        return False, f"sympy fails with {type(error).__name__}"
    return same, f"{'equal' if same else 'not equal'} in sympy"


@lru_cache(maxsize=4096)
def value(text: str) -> complex | None:
    """The value of a formula where each symbol has a fixed number between 1 and 2; None without a finite one."""
    formula = read(text)
    try:
        if not isinstance(formula, sympy.Expr) or formula.has(*_SLOW):
            return None
        points = {symbol: 1 + sympy.Rational(crc32(symbol.name.encode()), 1 << 32) for symbol in formula.free_symbols}
        found = complex(formula.evalf(subs=points))
        return found if cmath.isfinite(found) else None
    except MemoryError:
        raise
    except Exception:
        return None


def _clearly_different(one: complex | None, other: complex | None) -> bool:
    """Whether two formulas cannot be equal, so that simplifying their difference, which takes long, cannot give 0.

    A simplification is an identity, so it keeps values; far from 0 the error of a value is far below the tolerance.
    """
    if one is None or other is None:
        return False
    size = max(abs(one), abs(other))
    return size > 1e-6 and abs(one - other) > 1e-6 * size


def readable(text: str) -> bool:
    """Whether sympy can read a TeX text, and has found its value if it has one: what neither hangs nor fails later."""
    value(text)
    return read(text) is not None


def number(text: str) -> float | None:
    """The float that Python's `eval` would make of the text, else the one that sympy makes of it, or None."""
    try:
        return evaluate(text)
    except Exception:
        pass
    try:
        expression = read(text)
        return float(expression) if expression.is_number else None
    except MemoryError:
        raise
    except Exception:
        return None
