"""Formulas as exact sums: rational coefficients times square roots times powers of symbols.

The normal form is sound and not complete: two formulas of one form are equal, and some that are equal have two forms.
Symbols that are not understood (`\\log 3`, `2^x`, `1/(x+1)`, `\\sqrt{x}`) are taken as symbols of their own, of which
nothing is assumed. Whatever is ambiguous (`1/2x`, `2\\frac{1}{2}x`, words, `f(2)`) is not read at all. Work is counted
and bounded, nothing is ever evaluated in floating point.
"""

from __future__ import annotations

import math
from fractions import Fraction

Key = tuple[int, tuple[tuple[str, int], ...]]
"""Of a term: the square-free number under its root, and its symbols with their exponents, sorted."""

Sum = dict[Key, Fraction]
"""A sum of terms: coefficient by key, none of them zero."""

ONE: Key = (1, ())
CONSTANTS = frozenset({"\\pi", "e", "i"})
"""Symbols that are numbers; `x = 2\\pi` gives a value, `y = 2x` a line."""

MAX_TERMS, MAX_WORK, MAX_BITS, MAX_DEPTH, MAX_TOKENS, MAX_EXPONENT = 60, 4000, 4000, 25, 400, 64
MAX_RADICAND = 10**12


class Unread(Exception):
    """The text is no formula that this module reads; not an error."""


class Budget:
    """Counts the products of terms in one reading."""

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, work: int) -> None:
        """Take `work` off; `Unread` when nothing is left."""
        self.left -= work
        if self.left < 0:
            raise Unread


def constant(value: Fraction | int) -> Sum:
    """A rational number as a sum."""
    return {ONE: Fraction(value)} if value else {}


def symbol(name: str, exponent: int = 1) -> Sum:
    """A power of a symbol as a sum."""
    return {(1, ((name, exponent),)): Fraction(1)}


def rational(value: Sum) -> Fraction | None:
    """The rational number that a sum is, or None."""
    if not value:
        return Fraction(0)
    return value[ONE] if len(value) == 1 and ONE in value else None


def variables(value: Sum) -> set[str]:
    """The symbols of a sum that are no constants."""
    return {name for _, powers in value for name, _ in powers} - CONSTANTS


def add(a: Sum, b: Sum, sign: int = 1) -> Sum:
    """a + sign·b."""
    total = dict(a)
    for key, factor in b.items():
        total[key] = total.get(key, Fraction(0)) + sign * factor
        if not total[key]:
            del total[key]
    if len(total) > MAX_TERMS:
        raise Unread
    return total


def multiply(a: Sum, b: Sum, budget: Budget) -> Sum:
    """a·b; √m·√n = g·√(mn/g²) with g = gcd(m, n)."""
    budget.spend(len(a) * len(b))
    total: Sum = {}
    for (root_a, powers_a), factor_a in a.items():
        for (root_b, powers_b), factor_b in b.items():
            shared = math.gcd(root_a, root_b)
            powers = dict(powers_a)
            for name, exponent in powers_b:
                powers[name] = powers.get(name, 0) + exponent
            key = (root_a // shared * (root_b // shared), tuple(sorted((n, e) for n, e in powers.items() if e)))
            total[key] = total.get(key, Fraction(0)) + factor_a * factor_b * shared
            _bounded(key, total[key])
    total = {key: factor for key, factor in total.items() if factor}
    if len(total) > MAX_TERMS:
        raise Unread
    return total


def _bounded(key: Key, factor: Fraction) -> None:
    if max(factor.numerator.bit_length(), factor.denominator.bit_length(), key[0].bit_length()) > MAX_BITS:
        raise Unread
    if any(abs(exponent) > 10 * MAX_EXPONENT for _, exponent in key[1]):
        raise Unread


def inverse(value: Sum, budget: Budget) -> Sum:
    """1/value; of a sum that is neither one term nor two roots, a symbol of its own (times its leading factor)."""
    if not value:
        raise Unread
    if len(value) == 1:
        (((root, powers), factor),) = value.items()
        return {(root, tuple((name, -exponent) for name, exponent in powers)): 1 / (factor * root)}
    if len(value) == 2 and not any(powers for _, powers in value):
        (one, a), (other, b) = value.items()
        return multiply({one: a, other: -b}, constant(1 / (a * a * one[0] - b * b * other[0])), budget)
    lead = leading(value)
    return {(1, ((f"({show(scale(value, 1 / lead))})", -1),)): 1 / lead}


def leading(value: Sum) -> Fraction:
    """The coefficient by which a sum is scaled: the one of its last key; `Unread` for zero."""
    if not value:
        raise Unread
    return value[max(value)]


def scale(value: Sum, factor: Fraction) -> Sum:
    """value·factor, factor not zero."""
    return {key: coefficient * factor for key, coefficient in value.items()}


def power(base: Sum, exponent: Sum, budget: Budget) -> Sum:
    """base^exponent: worked out for small integers, a root for halves, else a symbol of its own."""
    number = rational(exponent)
    if number == Fraction(1, 2):
        return root(base, 2)
    if number is None or number.denominator != 1 or abs(number) > MAX_EXPONENT:
        one_number = rational(base)
        if number is not None and number.denominator == 1 and one_number is not None:
            return _number_power(one_number, int(number), exponent)
        if not base or (one_number == 1):
            raise Unread  # 0^x, 1^x
        return symbol(f"({show(base)})^({show(exponent)})")
    if not base and number <= 0:
        raise Unread
    result = constant(1)
    for _ in range(abs(int(number))):
        result = multiply(result, base, budget)
    return inverse(result, budget) if number < 0 else result


def _number_power(base: Fraction, exponent: int, written: Sum) -> Sum:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if not base or abs(exponent) * bits > MAX_BITS:
        if base.denominator == 1 and base > 1 and abs(exponent) < 10**9:
            return symbol(f"({base})^({show(written)})")
        raise Unread
    return constant(base**exponent)


def root(value: Sum, degree: int) -> Sum:
    """The root of a number, exactly; of anything else, a symbol of its own."""
    number = rational(value)
    if number is not None and degree == 2:
        sign, number = (symbol("i"), -number) if number < 0 else (constant(1), number)
        under = number.numerator * number.denominator
        if under <= MAX_RADICAND:
            outside, inside = square_free(under)
            (((_, powers), _),) = sign.items()
            return {(inside, powers): Fraction(outside, number.denominator)} if number else {}
    if number is not None and number > 0 and number.denominator == 1 and number < MAX_RADICAND:
        whole = round(int(number) ** (1 / degree))
        if whole**degree == number:
            return constant(whole)
    if number is not None and number < 0:
        raise Unread
    return symbol(f"root{degree}({show(value)})")


def square_free(number: int) -> tuple[int, int]:
    """(a, b) with a²·b = number and b square-free; number >= 0 and at most `MAX_RADICAND`."""
    outside, inside, divisor = 1, 1, 2
    # what is left behind its cube root has at most two prime factors: it is a square or square-free
    while divisor**3 <= number:
        while number % (divisor * divisor) == 0:
            number //= divisor * divisor
            outside *= divisor
        if number % divisor == 0:
            number //= divisor
            inside *= divisor
        divisor += 1 if divisor == 2 else 2
    whole = math.isqrt(number)
    return (outside * whole, inside) if whole * whole == number else (outside, inside * number)


def show(value: Sum) -> str:
    """The one text of a sum: `-1+3*\\pi^2*r2` is 3√2·π² - 1."""
    return "+".join(_show_term(key, factor) for key, factor in sorted(value.items())) or "0"


def _show_term(key: Key, factor: Fraction) -> str:
    parts = [str(factor)] + [f"{name}^{exponent}" if exponent != 1 else name for name, exponent in key[1]]
    parts = parts[1:] if factor == 1 and (len(parts) > 1 or key[0] != 1) else parts
    return "*".join(parts + ([f"r{key[0]}"] if key[0] != 1 else []))
