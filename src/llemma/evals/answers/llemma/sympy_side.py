"""What needs sympy, in a worker: the published comparison of TeX, and reading a number (see `tex.py`, `ocw.py`).

The published code limits the reading of each side and the simplification to 5 s each by an alarm, and counts what takes
longer as wrong; here the parent kills the worker.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy
from sympy.parsing.latex import parse_latex

from llemma.evals.answers.llemma.arithmetic import evaluate


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
    try:
        same = bool(sympy.simplify(read(answer) - read(gold)) == 0)
    except MemoryError:
        raise
    except Exception as error:
        return False, f"sympy fails with {type(error).__name__}"
    return same, f"{'equal' if same else 'not equal'} in sympy"


def readable(text: str) -> bool:
    """Whether sympy can read a TeX text; what it cannot read is equal to nothing else."""
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


ANSWERS = {"equal": equal, "readable": readable, "number": number}
