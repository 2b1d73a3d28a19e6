"""The functions that formulas name: sines, logarithms, factorials, binomials, roundings; each bounded in its work."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from llemma.evals.answers import values
from llemma.evals.answers.values import MAX_BITS, Number, Unread, Value, apply, context, opaque, settled, small

_LARGE = 64  # bits of an angle
_CLOSE = Fraction(1, 2**200)  # a value this near to a whole number is not rounded


def _angle(name: str) -> Callable[[Number], Number]:
    return lambda x: getattr(context(), name)(small(x, _LARGE))


def _within_one(name: str) -> Callable[[Number], Number]:
    """An inverse function that is real between -1 and 1 only."""
    return lambda x: None if x.imag or abs(x) > 1 else getattr(context(), name)(x)


def _log(x: Number) -> Number:
    return context().log(x) if x else None


def _log_to_base(x: Number, base: Number) -> Number:
    return context().log(x) / context().log(base) if x and base else None


_INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan"}
_NUMERIC: dict[str, Callable[[Number], Number]] = (
    {name: _angle(name) for name in ("sin", "cos", "tan", "cot", "sec", "csc")}
    | {f"arc{name}": _within_one(inverse) for name, inverse in _INVERSES.items() if name != "tan"}
    | {"arctan": lambda x: context().atan(x), "ln": _log}
    | {name: lambda x, name=name: getattr(context(), name)(small(x, 7)) for name in ("sinh", "cosh", "tanh", "exp")}
)
TRIGONOMETRIC = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
FUNCTIONS = frozenset(_NUMERIC) | {"log", "lg"}
"""Names, without backslash, of what stands before its argument."""


def call(name: str, argument: Value, base: Value | None = None, *, complex_too: bool = False) -> Value:
    """The function `name` of `argument`; `base` for a logarithm.

    `\\ln` is natural and `\\lg` decimal. `\\log` without a base is a logarithm to a base of which nothing is assumed,
    because some mean 10 and others e: `\\log 8` is `3\\log 2`, and `\\log 100` is not 2.
    """
    if name in ("log", "lg"):
        if base is None:
            base = values.constant(10) if name == "lg" else _some_base()
        return settled(apply(_log_to_base, argument, base, complex_too=complex_too))
    return settled(apply(_NUMERIC[name], argument, complex_too=complex_too))


def _some_base() -> Value:
    """A number above 2 that is another one at every point."""
    return apply(lambda x: 2 + abs(x), opaque("base of log"))._replace(names=frozenset())


def inverse(name: str) -> str:
    """What `\\sin^{-1}` means; `Unread` for a function without such a name."""
    if name not in _INVERSES:
        raise Unread
    return f"arc{name}"


def absolute(value: Value) -> Value:
    """|value|."""
    if value.exact is not None:
        return values.constant(abs(value.exact))
    return settled(apply(abs, value))


def rounded(value: Value, *, up: bool) -> Value:
    """⌈value⌉ or ⌊value⌋; not read where the value is too close to a whole number to tell."""
    value = settled(value)
    if value.exact is not None:
        return values.constant(math.ceil(value.exact) if up else math.floor(value.exact))

    def whole(x: Number) -> Number:
        small(x, 128)
        if x.imag or abs(x - context().nint(x)) < context().mpf(_CLOSE.numerator) / _CLOSE.denominator:
            raise Unread
        return context().ceil(x) if up else context().floor(x)

    return settled(apply(whole, value))


def factorial(value: Value) -> Value:
    """n!, exactly, while it has at most `MAX_BITS` bits; of anything but a whole number a symbol of its own."""
    value = settled(value)
    if value.exact is None:
        return opaque("!", value)
    n = _whole(value)
    if n > 2 and n * (n.bit_length() - 1) > MAX_BITS:
        raise Unread
    return values.constant(math.factorial(n))


def binomial(above: Value, below: Value) -> Value:
    """above over below: exact for whole numbers, a polynomial for a small whole number below."""
    above, below = settled(above), settled(below)
    if below.exact is None:
        return opaque("binomial", above, below)
    k = _whole(below)
    if above.exact is not None:
        n = _whole(above)
        if min(k, max(n - k, 0)) * n.bit_length() > MAX_BITS:
            raise Unread
        return values.constant(math.comb(n, k))
    if k > 30:
        raise Unread
    product = values.constant(Fraction(1, math.factorial(k)))
    for i in range(k):
        product = values.multiply(product, values.add(above, values.constant(i), -1))
    return product


def _whole(value: Value) -> int:
    if value.exact is None or value.exact.denominator != 1 or not 0 <= value.exact < 2**40:
        raise Unread
    return int(value.exact)
