"""The value of a Python program as an answer in mathematical notation.

A value comes as the text of `str` in the sandbox (`[1, 2]`, `sqrt(2)/2`, `{x: 3}`, `Interval.open(0, oo)`). It
is parsed by Python's own parser and never evaluated; what is not understood stays as it is and is compared as text.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from llemma.evals.answers.equivalent import DEFAULT, Comparison, compare
from llemma.evals.answers.find import Found
from llemma.evals.answers.normalise import MAX_TEXT, canonical
from llemma.evals.answers.numbers import units_differ

RELATIVE = Fraction(1, 10**9)
"""Floating point numbers of a program are equal to an answer within this part of it: 17.999999999999996 is 18."""

_DIGITS = 10  # of a float that counts in a vote
_ONLY = re.compile(r"\\\{(\([^()]*\)|[^,;]*)\\\}")
_FLOAT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_NAMES = {
    "pi": "\\pi ",
    "E": "e",
    "I": "i",
    "oo": "\\infty ",
    "inf": "\\infty ",
    "EmptySet": "\\emptyset ",
}
_FUNCTIONS = {"log": "\\ln", "ln": "\\ln", "Abs": "abs", "asin": "\\arcsin", "acos": "\\arccos", "atan": "\\arctan"}
_FUNCTIONS |= {name: f"\\{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc", "exp", "sinh", "cosh", "tanh")}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Eq: "=",
    ast.NotEq: "\\ne ",
    ast.Lt: "<",
    ast.LtE: "\\le ",
    ast.Gt: ">",
    ast.GtE: "\\ge ",
}
_MAX_DEPTH = 30


class _Unknown(Exception):
    """A form that has no notation here."""


@lru_cache(maxsize=8192)
def answer_text(value: str) -> str:
    """`value` in mathematical notation: braces for sets, `1, 2` for lists, `x=3` for dictionaries of solutions."""
    value = value.strip()
    if len(value) > MAX_TEXT or _FLOAT.fullmatch(value):
        return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser's remarks on `1or 2` are nothing for the user
            tree = ast.parse(value, mode="eval")
        return _text(tree.body, 0)
    except (_Unknown, SyntaxError, ValueError, RecursionError, MemoryError):
        return value


def _text(node: ast.AST, depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise _Unknown
    writer = _WRITERS.get(type(node))
    if writer is None:
        raise _Unknown
    return writer(node, depth + 1)


def _constant(node: ast.Constant, depth: int) -> str:
    if isinstance(node.value, bool) or node.value is None:
        return str(node.value)
    if isinstance(node.value, complex):
        return f"{node.value.imag!r}i"
    if isinstance(node.value, int | float):
        return _number(node.value)
    raise _Unknown  # a quoted string inside a container is a word of the program's


def _number(value: float) -> str:
    return str(value) if not isinstance(value, int) or value.bit_length() < 6_000 else f"0x{value:x}"


def _name(node: ast.Name, depth: int) -> str:
    return _NAMES.get(node.id, node.id if len(node.id) == 1 else f"\\text{{{node.id}}}")


def _sequence(node: ast.List | ast.Tuple | ast.Set, depth: int) -> str:
    items = [_text(item, depth) for item in node.elts]
    if isinstance(node, ast.List):
        joint = "; " if all(isinstance(item, ast.Dict) for item in node.elts) and len(items) > 1 else ", "
        return joint.join(items) if items else "\\{\\}"
    left, right = ("\\{", "\\}") if isinstance(node, ast.Set) else ("(", ")")
    return f"{left}{', '.join(items)}{right}"


def _dict(node: ast.Dict, depth: int) -> str:
    if any(key is None for key in node.keys):
        raise _Unknown
    return ", ".join(
        f"{_text(key, depth)}={_text(value, depth)}" for key, value in zip(node.keys, node.values, strict=True) if key
    )


def _unary(node: ast.UnaryOp, depth: int) -> str:
    if not isinstance(node.op, ast.USub | ast.UAdd):
        raise _Unknown
    return f"-{_factor(node.operand, depth)}" if isinstance(node.op, ast.USub) else _text(node.operand, depth)


def _binary(node: ast.BinOp, depth: int) -> str:
    left, right = node.left, node.right
    if isinstance(node.op, ast.Add | ast.Sub):
        return f"{_text(left, depth)}{_OPERATORS[type(node.op)]}{_factor(right, depth, sums=True)}"
    if isinstance(node.op, ast.Mult):
        return f"{_factor(left, depth)}\\cdot {_factor(right, depth)}"
    if isinstance(node.op, ast.Div):
        return f"\\frac{{{_text(left, depth)}}}{{{_text(right, depth)}}}"
    if isinstance(node.op, ast.Pow):
        return f"({_text(left, depth)})^{{{_text(right, depth)}}}"
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        word = "and" if isinstance(node.op, ast.BitAnd) else "or"
        return _interval(left, right, depth) if word == "and" else f"{_text(left, depth)} or {_text(right, depth)}"
    raise _Unknown


def _interval(left: ast.expr, right: ast.expr, depth: int) -> str:
    """`(1 < x) & (x < 3)` as one chain; `x < oo` says nothing."""
    sides = [side for side in (left, right) if not _infinite(side)]
    if len(sides) < 2:
        return _text(sides[0], depth) if sides else "(-\\infty, \\infty)"
    low, high = sides
    if isinstance(low, ast.Compare) and isinstance(high, ast.Compare) and len(low.ops) == len(high.ops) == 1:
        up = (ast.Lt, ast.LtE)
        first, second = ast.dump(low.comparators[0]), ast.dump(high.left)
        if isinstance(low.ops[0], up) and isinstance(high.ops[0], up) and first == second:
            return f"{_text(low, depth)}{_OPERATORS[type(high.ops[0])]}{_text(high.comparators[0], depth)}"
    return f"{_text(low, depth)} and {_text(high, depth)}"


def _infinite(node: ast.expr) -> bool:
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return False
    return any(
        isinstance(side.operand if isinstance(side, ast.UnaryOp) else side, ast.Name)
        and ast.unparse(side).lstrip("-") == "oo"
        for side in (node.left, node.comparators[0])
    )


def _factor(node: ast.expr, depth: int, *, sums: bool = False) -> str:
    """In brackets where it is a sum or has a sign; `sums`: behind a minus sign."""
    text = _text(node, depth)
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return f"({text})" if is_sum or isinstance(node, ast.UnaryOp) or (sums and text.startswith("-")) else text


def _compare(node: ast.Compare, depth: int) -> str:
    text = _text(node.left, depth)
    for operator, side in zip(node.ops, node.comparators, strict=True):
        if type(operator) not in _OPERATORS:
            raise _Unknown
        text += _OPERATORS[type(operator)] + _text(side, depth)
    return text


def _call(node: ast.Call, depth: int) -> str:
    name = ast.unparse(node.func)
    if node.keywords or len(name) > 30:
        raise _Unknown
    if name in _SHAPES:
        return _SHAPES[name](node.args, depth)
    arguments = [_text(argument, depth) for argument in node.args]
    if name in _FUNCTIONS and len(arguments) == 1:
        return f"|{arguments[0]}|" if name == "Abs" else f"{_FUNCTIONS[name]}({arguments[0]})"
    if len(name) == 1:
        return f"{name}({', '.join(arguments)})"
    raise _Unknown


def _ratio(arguments: list[ast.expr], depth: int) -> str:
    above, below = (_text(argument, depth) for argument in arguments)
    return f"\\frac{{{above}}}{{{below}}}"


def _open(left: str, right: str) -> Callable[[list[ast.expr], int], str]:
    def bounds(arguments: list[ast.expr], depth: int) -> str:
        low, high = (_text(argument, depth) for argument in arguments)
        opened = ("(" if "\\infty" in low else left), (")" if "\\infty" in high else right)
        return f"{opened[0]}{low}, {high}{opened[1]}"

    return bounds


def _union(arguments: list[ast.expr], depth: int) -> str:
    return " \\cup ".join(_text(argument, depth) for argument in arguments)


def _matrix(arguments: list[ast.expr], depth: int) -> str:
    if len(arguments) != 1 or not isinstance(arguments[0], ast.List):
        raise _Unknown
    rows = [row.elts if isinstance(row, ast.List) else [row] for row in arguments[0].elts]
    cells = " \\\\ ".join(" & ".join(_text(cell, depth) for cell in row) for row in rows)
    return f"\\begin{{pmatrix}}{cells}\\end{{pmatrix}}"


def _one(form: str) -> Callable[[list[ast.expr], int], str]:
    """A form with `{}` for its only argument."""

    def shaped(arguments: list[ast.expr], depth: int) -> str:
        if len(arguments) != 1:
            raise _Unknown
        return form.replace("{}", _text(arguments[0], depth))

    return shaped


_SHAPES: dict[str, Callable[[list[ast.expr], int], str]] = {
    "Rational": _ratio,
    "Fraction": _ratio,
    "Decimal": _one("{}"),
    "sqrt": _one("\\sqrt{ {} }"),
    "cbrt": _one("\\sqrt[3]{ {} }"),
    "factorial": _one("({})!"),
    "floor": _one("\\lfloor {} \\rfloor"),
    "ceiling": _one("\\lceil {} \\rceil"),
    "Eq": lambda arguments, depth: "=".join(_text(argument, depth) for argument in arguments),
    "Ne": lambda arguments, depth: "\\ne ".join(_text(argument, depth) for argument in arguments),
    "binomial": lambda arguments, depth: "\\binom" + "".join(f"{{{_text(one, depth)}}}" for one in arguments),
    "Interval": _open("[", "]"),
    "Interval.open": _open("(", ")"),
    "Interval.Lopen": _open("(", "]"),
    "Interval.Ropen": _open("[", ")"),
    "FiniteSet": lambda arguments, depth: f"\\{{{', '.join(_text(one, depth) for one in arguments)}\\}}",
    "Union": _union,
    "Matrix": _matrix,
    "array": _matrix,
    "set": lambda arguments, depth: "\\{\\}" if not arguments else _text(arguments[0], depth),
}
_WRITERS: dict[type[ast.AST], Callable[..., str]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.Call: _call,
}


def compare_values(answer: str, gold: str) -> Comparison:
    """`equivalent`, and numbers of a program within `RELATIVE` of the gold answer."""
    same = compare(answer, gold)
    if not same.equal and (single := _ONLY.fullmatch(answer)):
        same = compare(single.group(1), gold)  # solveset gives a set also where there is one solution
    if same.equal or "." not in answer:
        return same
    one, other = canonical(answer), canonical(gold)
    if not (one.number and other.number) or units_differ(one.unit, other.unit):
        return same
    mine, right = Fraction(one.form), Fraction(other.form)
    if abs(mine - right) <= RELATIVE * max(abs(right), RELATIVE):
        return Comparison(True, f"{answer[:60]} is {gold[:60]} within {float(RELATIVE):g}")
    return same


def canonical_value(answer: str) -> str:
    """What a program's answer is in a vote: its canonical form, floating point numbers to ten digits."""
    if _FLOAT.fullmatch(answer) and ("." in answer or "e" in answer):
        return canonical(f"{float(answer):.{_DIGITS}g}").form
    return canonical(answer).form


def given(text: str) -> Found | None:
    """A program's value is the answer, as it stands."""
    return Found(text.strip(), "program") if text.strip() else None


PROGRAM = replace(DEFAULT, name="program", version=1, find=given, canonical=canonical_value, compare=compare_values)
"""The judge of the values of programs."""
