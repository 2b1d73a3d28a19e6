"""What a formula is worth: an exact rational number, or its values to 400 bits at a few fixed points.

Two formulas are taken as the same when they agree at every point. A formula without variables has one value; a formula
in x, y, ... has its values at `POINTS` fixed pseudo-random points, of both signs and on both sides of 1, where what is
not real (the root of a negative number) counts as undefined, unless it is at all of them. For rational functions this
is the test of Schwartz and Zippel; for the rest it is the same idea without the theorem: 400 equal bits are no chance.

Nothing can hang or lie by rounding: rational arithmetic is exact up to `MAX_BITS`, everything else is worked out with
1,400 bits and must stay within 2^±320, so that a sum that cancels is told apart from zero. What would leave these
bounds is not read (`Unread`), and is then compared as text.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

POINTS = 4
MAX_BITS = 32_768
"""Of the numerator and of the denominator of an exact number: up to 2^32768, 3000!."""

_PRECISION, _KEPT = 1_400, 400  # bits worked with, and compared
_RANGE, _ZERO = 320, -360  # log2 of the largest value; of what is left of a sum that is zero
_MAX_RATIONAL = 150  # bits of a denominator that is recognised in a value

Number = Any
"""A real or complex number of mpmath, which has no types; None where there is none."""


class Unread(Exception):
    """The text is no formula that is read, or its value is out of bounds; not an error."""


class Undefined(Unread):
    """A formula is not real at any of the points."""


class Value(NamedTuple):
    """`exact` for a rational constant; else `at`: one number for a constant, `POINTS` for a formula in `names`.

    None at a point says that the formula is not defined there.
    """

    exact: Fraction | None
    at: tuple[Number, ...] = ()
    names: frozenset[str] = frozenset()


@lru_cache(maxsize=1)
def context() -> Any:
    """Arithmetic of `_PRECISION` bits; its precision is never changed, so threads may share it."""
    import mpmath

    made = mpmath.MPContext()
    made.prec = _PRECISION
    return made


def constant(number: Fraction | int) -> Value:
    """A rational number; `Unread` when it has too many digits."""
    number = Fraction(number)
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_BITS:
        raise Unread
    return Value(number)


@lru_cache(maxsize=512)
def variable(name: str) -> Value:
    """A variable: its values are drawn from its name, positive at points 0 and 1, mixed at 2, negative at 3."""
    return Value(None, tuple(_drawn(f"{point}:{name}", point) for point in range(POINTS)), frozenset({name}))


def _drawn(seed: str, point: int) -> Number:
    bits = int.from_bytes(blake2b(seed.encode(), digest_size=9).digest(), "big")
    share = Fraction(bits >> 8, 2**64)
    small = (point % 2 == 0) if point != 2 else bool(bits & 2)
    size = Fraction(45, 100) + share / 2 if small else Fraction(105, 100) + share * Fraction(65, 100)
    negative = point == 3 or (point == 2 and bits & 1)
    return number(-size if negative else size)


def number(exact: Fraction) -> Number:
    """A rational number as one of mpmath; `Unread` when it is out of range."""
    if exact and abs(exact.numerator.bit_length() - exact.denominator.bit_length()) > _RANGE:
        raise Unread
    return context().mpf(exact.numerator) / exact.denominator


def imaginary() -> Value:
    """The imaginary unit."""
    return Value(None, (context().mpc(0, 1),))


def pi() -> Value:
    """The number π."""
    return Value(None, (+context().pi,))


def euler() -> Value:
    """The number e."""
    return Value(None, (+context().e,))


def opaque(name: str, *arguments: Value) -> Value:
    """A function of which nothing is known: the same arguments give the same value, drawn from their keys."""
    seed = "\n".join([name, *(key(argument) for argument in arguments)])
    names = frozenset().union(*(argument.names for argument in arguments))
    return Value(None, tuple(_drawn(f"{point}:{seed}", point) for point in range(POINTS)), names | {seed})


def settled(value: Value) -> Value:
    """`value`, with a formula of the same value everywhere as a constant, and a rational value exact."""
    if value.exact is not None:
        return value
    forms = {_form(at) for at in value.at}
    if forms == {None}:
        raise Unread  # defined nowhere
    if len(forms) > 1:
        return value
    exact = _recognised(value.at[0])
    return Value(exact) if exact is not None else Value(None, value.at[:1])


def _recognised(at: Number) -> Fraction | None:
    """The rational number with a small denominator that `at` is, by its continued fraction."""
    if at.imag or not at.real:
        return None if at.imag else Fraction(0)
    real = at.real
    scaled = int(context().ldexp(abs(real), _KEPT + _RANGE))
    close = Fraction(scaled, 2 ** (_KEPT + _RANGE)).limit_denominator(2**_MAX_RATIONAL)
    if not close or _form(number(close)) != _form(abs(real)):
        return None
    return close if real > 0 else -close


def key(value: Value) -> str:
    """The one text of a value, by which it is compared: `3/4`, or a digest of its values."""
    value = settled(value)
    if value.exact is not None:
        exact = value.exact
        short = max(exact.numerator.bit_length(), exact.denominator.bit_length()) <= 3_000
        return str(exact) if short else f"#{_digest(f'{exact.numerator:x}/{exact.denominator:x}')}"
    return f"~{_digest(repr([_form(at) for at in value.at]))}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()


def _form(at: Number) -> object:
    """The leading bits of a number, rounded."""
    if at is None:
        return None
    from mpmath import libmp

    def leading(part: Number) -> object:
        sign, mantissa, exponent, _ = libmp.mpf_pos(part._mpf_, _KEPT, "n")
        return int(sign), int(mantissa), int(exponent)

    return leading(at.real), leading(at.imag)


def bounded(at: Number, *, real: bool = False) -> Number:
    """`at` with vanishing parts as zero, None where it must be `real` and is not; `Unread` when it is out of range."""
    if hasattr(at, "_mpc_"):
        parts = (_part(at.real), _part(at.imag))
        if not parts[1]:
            return parts[0]
        return None if real else context().mpc(*parts)
    return _part(at)


def _part(at: Number) -> Number:
    _, mantissa, exponent, bits = at._mpf_
    size = exponent + bits
    if not mantissa:
        if exponent:
            raise Unread  # infinite, or no number
        return at
    if size < _ZERO:
        return context().mpf(0)
    if abs(size) > _RANGE:
        raise Unread
    return at


def numbers(value: Value, count: int) -> tuple[Number, ...]:
    """The values of `value` at `count` points."""
    if value.exact is not None:
        return (number(value.exact),) * count
    return value.at if len(value.at) == count else value.at * count


def apply(function: Callable[..., Number], *arguments: Value, complex_too: bool = False) -> Value:
    """A function of numbers at every point. Undefined where it divides by zero, or a variable makes it not real.

    Constants may be complex; formulas in variables only with `complex_too`.
    """
    count = max(len(argument.at) for argument in arguments) or 1
    names = frozenset().union(*(argument.names for argument in arguments))
    columns = zip(*(numbers(argument, count) for argument in arguments), strict=True)
    at = tuple(_applied(function, column, real=bool(names) and not complex_too) for column in columns)
    if all(one is None for one in at):
        raise Undefined
    return Value(None, at, names)


def _applied(function: Callable[..., Number], column: tuple[Number, ...], *, real: bool) -> Number:
    if any(one is None for one in column):
        return None
    try:
        found = function(*column)
    except (ZeroDivisionError, ValueError):
        return None
    return None if found is None else bounded(found, real=real)


def add(a: Value, b: Value, sign: int = 1) -> Value:
    """a + sign·b."""
    if a.exact is not None and b.exact is not None:
        return constant(a.exact + sign * b.exact)
    return apply((lambda x, y: x + y) if sign > 0 else (lambda x, y: x - y), a, b, complex_too=True)


def multiply(a: Value, b: Value) -> Value:
    """a·b."""
    if a.exact is not None and b.exact is not None:
        return constant(a.exact * b.exact)
    if a.exact == 0 or b.exact == 0:
        return constant(0)
    return apply(lambda x, y: x * y, a, b, complex_too=True)


def divide(a: Value, b: Value) -> Value:
    """a/b; `Unread` for b = 0."""
    if b.exact == 0:
        raise Unread
    if a.exact is not None and b.exact is not None:
        return constant(a.exact / b.exact)
    return apply(lambda x, y: x / y, a, b, complex_too=True)


def power(base: Value, exponent: Value, *, complex_too: bool = False) -> Value:
    """base^exponent: exact for integers; roots of odd degree of negative numbers are real; 0^0 is not read."""
    base, exponent = settled(base), settled(exponent)
    n = exponent.exact
    if n is not None and n.denominator == 1:
        return _whole_power(base, int(n))
    if n is not None:
        return _root_power(base, n, complex_too=complex_too)
    if base.exact is not None and base.exact < 0:
        # (-b)^x = cos(πx)·b^x: right for every whole x, and real for all others
        turned = apply(lambda x: context().cospi(small(x, 64)), exponent)
        return multiply(turned, power(constant(-base.exact), exponent))
    if base.exact == 0:
        raise Unread
    return apply(lambda x, y: _exp(y * context().log(x)), base, exponent, complex_too=complex_too)


def _whole_power(base: Value, n: int) -> Value:
    if base.exact is not None:
        bits = max(base.exact.numerator.bit_length(), base.exact.denominator.bit_length())
        if (n <= 0 and not base.exact) or (abs(n) * bits > 2 * MAX_BITS and abs(base.exact) != 1):
            raise Unread
        return constant(base.exact ** (n if abs(base.exact) != 1 else n % 2))
    if abs(n) > 4 * _RANGE:
        raise Unread
    return apply(lambda x: x**n, base, complex_too=True) if n else constant(1)


def _root_power(base: Value, n: Fraction, *, complex_too: bool) -> Value:
    if base.exact is not None and not base.exact:
        if n < 0:
            raise Unread
        return constant(0)
    if n.denominator > 1_000 or abs(n) > 4 * _RANGE:
        raise Unread
    return settled(apply(lambda x: _real_root(x, n), base, complex_too=complex_too))


def _real_root(x: Number, n: Fraction) -> Number:
    ctx = context()
    if not x:
        return ctx.mpf(0) if n > 0 else None
    if n.denominator % 2 and not x.imag and x.real < 0:
        root = _real_root(-x, n)
        return -root if n.numerator % 2 else root
    root = ctx.sqrt(x) if n.denominator == 2 else _exp(ctx.log(x) / n.denominator)
    return root**n.numerator


def _exp(x: Number) -> Number:
    """e^x; the bound comes first, because the digits of a large exponent are costly."""
    return context().exp(small(x, 8))


def small(x: Number, bits: int) -> Number:
    """`x`, or `Unread` when it is 2^bits or more."""
    if abs(x) >= 2**bits:
        raise Unread
    return x


def linear_root(value: Value) -> tuple[Value, int] | None:
    """Where a formula in one variable that is linear is zero, and the sign of its slope."""
    (name,) = value.names if len(value.names) == 1 else ("",)
    at, x = value.at, variable(name).at
    if not name or "\n" in name or any(one is None or one.imag for one in at):
        return None
    slopes = [(at[i] - at[0]) / (x[i] - x[0]) for i in range(1, POINTS)]
    if len({_form(slope) for slope in slopes}) > 1 or not (slope := bounded(slopes[0])):
        return None
    root = bounded(x[0] - at[0] / slope)
    return settled(Value(None, (root,))), 1 if slope > 0 else -1


def scaled(value: Value, *, keep_sign: bool) -> Value:
    """`value` divided by (the size of) its first value that is not zero: equations and inequalities have no scale."""
    first = next((at for at in value.at if at), None)
    if first is None:
        raise Unread
    by = abs(first) if keep_sign else first
    return Value(None, tuple(None if at is None else bounded(at / by) for at in value.at), value.names)
