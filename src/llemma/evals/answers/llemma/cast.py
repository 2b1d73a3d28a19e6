"""The published cast of MATH+Python, in a worker: see `programs.py`."""

from __future__ import annotations

import ast
import math
from typing import Any

import sympy

from llemma.evals.answers.llemma.sympy_side import read

# what sympy's exact form (srepr) of a formula is made of; nothing else is called
# fmt: off
_CALLED = frozenset({
    "Integer", "Rational", "Float", "Half", "One", "Zero", "NegativeOne", "Symbol", "Dummy", "Add", "Mul", "Pow", "exp",
    "log", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "Abs", "re", "im",
    "arg", "conjugate", "sign", "Min", "Max", "floor", "ceiling", "factorial", "binomial", "gamma", "sqrt", "Equality",
    "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan",
})
# fmt: on
_NAMES = {"pi": sympy.pi, "E": sympy.E, "I": sympy.I, "oo": sympy.oo, "zoo": sympy.zoo, "nan": sympy.nan}


class _Other(Exception):
    """A value that is neither a number nor a formula."""


def equal_after_cast(answer: str, gold: str) -> tuple[bool, str]:
    """Whether a value in exact form and a gold answer in TeX are equal after the cast, and why."""
    formula = read(gold)
    if formula is None:
        return False, "the gold answer is unreadable in sympy"
    return _equal(_value(answer), _cast(formula))


def same_after_cast(one: str, other: str) -> bool:
    """Whether two values in exact form are equal after the cast."""
    return one == other or _equal(_value(one), _value(other))[0]


def _value(text: str) -> Any:
    """The cast of a Python number or of a formula in exact form; None for everything else."""
    try:
        return _number(int(text) if text.lstrip("+-").isdigit() else float(text))
    except (ValueError, OverflowError):
        pass
    try:
        return _cast(_built(ast.parse(text, mode="eval").body))
    except (_Other, SyntaxError, RecursionError, TypeError, ValueError):
        return None


def _number(value: float) -> Any:
    return int(value) if isinstance(value, int) or math.isfinite(value) else value


def _cast(formula: Any) -> Any:
    """Fault: `int` comes before `float`, and cuts off what is behind the point."""
    for kind in (int, float):
        try:
            return kind(formula)
        except MemoryError:
            raise
        except Exception:
            continue
    return formula


def _built(node: ast.AST) -> Any:
    """The sympy object of an exact form, built from its parts; no text is evaluated."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_built(node.operand)
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        keywords = {word.arg: _built(word.value) for word in node.keywords if word.arg}
        return getattr(sympy, node.func.id)(*(_built(argument) for argument in node.args), **keywords)
    raise _Other


def _equal(one: Any, other: Any) -> tuple[bool, str]:
    if isinstance(one, int | float) and isinstance(other, int | float):
        # numpy's isclose, with its own tolerances
        same = one == other or abs(one - other) <= 1e-8 + 1e-5 * abs(other)
        return same, f"{'equal' if same else 'different'} numbers after the cast: {str(one)[:40]}, {str(other)[:40]}"
    if isinstance(one, sympy.Basic) and isinstance(other, sympy.Basic):
        try:
            same = bool(sympy.simplify(one - other) == 0)
        except MemoryError:
            raise
        except Exception as error:
            return False, f"sympy fails with {type(error).__name__}"
        return same, f"{'equal' if same else 'not equal'} in sympy"
    return False, "a number beside a formula, or a list, tuple or text"
