"""Arithmetic as Python's `eval` would do it, without `eval`.

The published judge of OCWCourses evaluates the model's text as a Python expression. Here its syntax tree is walked, and
only numbers, strings and operators on them have a value, of limited size; anything else (names, calls, attributes,
subscripts) is an error, where the published code would have run it.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

MAX_BITS = 50_000
"""Size of an integer result; the largest float has 1,024 bits, so only intermediate results can be larger."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitXor: operator.xor,  # fault: "2^3" is 1 and "10^5" is 15; "1.5*10^5" is an error, and sympy's 150000
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}


def evaluate(text: str) -> float:
    """`float(eval(text))`; an exception where that raises one, or where the text is more than arithmetic."""
    # eval itself skips blanks in front, which the parser takes for indentation
    value = _value(ast.parse(text.lstrip(" \t"), mode="eval").body)
    return float(value)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_number(node.operand))
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left), _number(node.right)
        _bound(node.op, left, right)
        return _BINARY[type(node.op)](left, right)
    raise ValueError(f"{type(node).__name__} is no arithmetic")


def _number(node: ast.expr) -> Any:
    """The value of an operand. A string is a value (`float("5")` is 5) but no operand: `"a" * 10**9` is not for us."""
    value = _value(node)
    if not isinstance(value, (int, float, complex)):
        raise TypeError("not a number")
    return value


def _bound(operation: ast.operator, left: Any, right: Any) -> None:
    """Raise `OverflowError` before a power or shift of integers beyond `MAX_BITS` is computed."""
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    bits = left.bit_length()
    if isinstance(operation, ast.Pow):
        bits *= abs(right)
    elif isinstance(operation, ast.LShift):
        bits += abs(right)
    if bits > MAX_BITS and abs(left) > 1:
        raise OverflowError("too large")
