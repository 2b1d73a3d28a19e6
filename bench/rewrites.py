"""Rules that write a number, an expression or an equation again in another form: the label is `equal`."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from typing import Any

import sympy

from rules import Gold, latex, same, slash, terms

# numbers


@same(safe=True)
def fraction_size(gold: Gold, chance: random.Random) -> str | None:
    if not re.search(r"\\[dt]?frac(?![a-z])", gold.text):
        return None
    return re.sub(r"\\[dt]?frac(?![a-z])", lambda _: chance.choice(("\\dfrac", "\\tfrac")), gold.text)


@same()
def fraction_slash(gold: Gold, chance: random.Random) -> str | None:
    found = slash(gold.text)
    return found and f"{found[1]}{found[2]}/{found[3]}"


@same()
def fraction_braces_lost(gold: Gold, chance: random.Random) -> str | None:
    return re.sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2", gold.text)


@same()
def fraction_sign_moved(gold: Gold, chance: random.Random) -> str | None:
    found = slash(gold.text)
    if not found or not found[1]:
        return None
    return chance.choice((f"\\frac{{-{found[2]}}}{{{found[3]}}}", f"\\frac{{{found[2]}}}{{-{found[3]}}}"))


@same()
def fraction_unreduced(gold: Gold, chance: random.Random) -> str | None:
    value, factor = gold.rational, chance.randint(2, 9)
    if value is None or value.q == 1:
        return None
    return f"{'-' if value < 0 else ''}\\frac{{{abs(value.p) * factor}}}{{{value.q * factor}}}"


@same()
def decimal_of_fraction(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    if value is None or value.q == 1 or "." in gold.text:
        return None
    places = next((n for n in range(1, 9) if 10**n % value.q == 0), 0)
    return (places and f"{float(value):.{places}f}") or None


@same()
def fraction_of_decimal(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    return latex(value) if value is not None and "." in gold.text and value.q > 1 else None


@same()
def mixed_number(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    if value is None or value.q == 1 or abs(value) < 1:
        return None
    whole, rest = divmod(abs(value.p), value.q)
    part = chance.choice((f"\\frac{{{rest}}}{{{value.q}}}", f" {rest}/{value.q}"))
    return f"{'-' if value < 0 else ''}{whole}{part}"


@same()
def decimal_zeros(gold: Gold, chance: random.Random) -> str | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", gold.text):
        return None
    return gold.text + ("0" if "." in gold.text else chance.choice((".0", ".00")))


@same()
def leading_zero(gold: Gold, chance: random.Random) -> str | None:
    text = re.sub(r"(?<![\d.])0\.(?=\d)", ".", gold.text)
    return text if text != gold.text else re.sub(r"(?<!\d)\.(?=\d)", "0.", gold.text)


@same(safe=True)
def thousands(gold: Gold, chance: random.Random) -> str | None:
    if not re.fullmatch(r"-?\d{4,}", gold.text):
        return None
    return f"{int(gold.text):,}".replace(",", chance.choice((",", "{,}", ",\\!", "\\,", " ")))


@same(safe=True)
def thousands_removed(gold: Gold, chance: random.Random) -> str | None:
    if not re.fullmatch(r"-?[1-9]\d{0,2}(?:(?:,\\! ?|\{,\}|\\,|,)\d{3})+", gold.text):
        return None
    return re.sub(r"[^-\d]", "", gold.text)


@same(safe=True)
def minus_sign(gold: Gold, chance: random.Random) -> str | None:
    return gold.text.replace("-", "\u2212")


@same()
def plus_sign(gold: Gold, chance: random.Random) -> str | None:
    return f"+{gold.text}" if re.fullmatch(r"\d+(\.\d+)?", gold.text) else None


@same(safe=True)
def scientific(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)e([-+]?\d+)", gold.text)
    return found and f"{found[1]} \\{chance.choice(('times', 'cdot'))} 10^{{{int(found[2])}}}"


@same()
def power_of_integer(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    root = sympy.perfect_power(value) if value is not None and value.q == 1 and value > 3 else False
    return f"{root[0]}^{{{root[1]}}}" if root else None


@same()
def product_of_integer(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    if value is None or value.q > 1 or value < 6:
        return None
    factors = [n for n in range(2, 60) if value % n == 0 and value // n > 1]
    if not factors:
        return None
    factor = chance.choice(factors)
    return f"{factor} \\{chance.choice(('cdot', 'times'))} {value // factor}"


@same()
def factorial_or_binomial(gold: Gold, chance: random.Random) -> str | None:
    factorials = {math.factorial(n): f"{n}!" for n in range(3, 10)}
    binomials = {math.comb(n, k): f"\\binom{{{n}}}{{{k}}}" for n in range(4, 16) for k in range(2, n // 2 + 1)}
    found = [table[gold.rational] for table in (factorials, binomials) if gold.rational in table]
    return chance.choice(found) if found else None


@same()
def root_rationalised(gold: Gold, chance: random.Random) -> str | None:
    """`\\sqrt{2}/2` as `1/\\sqrt{2}`: numerator and denominator times the root."""
    found = re.fullmatch(r"(-?)\\[dt]?frac\{(\d*)\\sqrt\{(\d+)\}\}\{(\d+)\}", gold.text)
    if not found:
        return None
    share = sympy.Rational(int(found[2] or 1) * int(found[3]), int(found[4]))
    below = f"\\sqrt{{{found[3]}}}" if share.q == 1 else f"{share.q}\\sqrt{{{found[3]}}}"
    return f"{found[1]}\\frac{{{share.p}}}{{{below}}}"


@same()
def root_drawn_in(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(-?)(\d+) ?\\sqrt\{(\d+)\}", gold.text)
    return found and f"{found[1]}\\sqrt{{{int(found[2]) ** 2 * int(found[3])}}}"


@same()
def root_as_power(gold: Gold, chance: random.Random) -> str | None:
    half = chance.choice(("1/2", "\\frac{1}{2}"))
    return re.sub(
        r"\\sqrt\{(\w+)\}", rf"\1^{{{half}}}".replace("\\f", "\\\\f"), re.sub(r"\d+(?=\\sqrt)", "", gold.text)
    )


# expressions


def _again(gold: Gold, rewrite: Callable[[Any], Any]) -> str | None:
    value = gold.expression
    return None if value is None else latex(rewrite(value))


@same()
def expanded(gold: Gold, chance: random.Random) -> str | None:
    return _again(gold, sympy.expand)


@same()
def factored(gold: Gold, chance: random.Random) -> str | None:
    return _again(gold, sympy.factor)


@same()
def one_fraction(gold: Gold, chance: random.Random) -> str | None:
    return _again(gold, sympy.together)


@same()
def denominators_rational(gold: Gold, chance: random.Random) -> str | None:
    return _again(gold, sympy.radsimp)


@same()
def partial_fractions(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    if value is None or len(value.free_symbols) != 1 or not value.is_rational_function():
        return None
    try:
        return latex(sympy.apart(value))
    except NotImplementedError:  # a root or pi among the coefficients
        return None


@same()
def sum_reordered(gold: Gold, chance: random.Random) -> str | None:
    parts = terms(gold.text)
    if gold.expression is None or len(parts) < 2:
        return None
    signed = [part if part[0] in "+-" else f"+{part}" for part in parts]
    return "".join(signed[1:] + signed[:1]).removeprefix("+")


@same()
def product_reordered(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    if value is None or not value.is_Mul or value.is_number or len(terms(gold.text)) > 1:
        return None
    factors = [f"({latex(factor)})" for factor in value.args]
    return "".join(reversed(factors))


@same()
def multiplication_signs(gold: Gold, chance: random.Random) -> str | None:
    sign = chance.choice((" \\cdot ", "*", " \\times "))
    return re.sub(r"(?<=\d)(?=[a-z(\\])(?!\\(?:frac|text|end|cdot|times|le|ge|cup|right|%))", lambda _: sign, gold.text)


@same()
def negative_power(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"\\frac\{(\w)\}\{([a-z])(?:\^\{?(\d)\}?)?\}", gold.text)
    return found and f"{found[1]}{found[2]}^{{-{found[3] or 1}}}"


@same()
def function_identity(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    if value is None or not value.has(sympy.Function):
        return None
    for rewrite in (sympy.expand_trig, lambda v: sympy.expand_log(v, force=True), lambda v: v.rewrite(sympy.cos)):
        if (changed := rewrite(value)) != value:
            return latex(changed)
    return None


@same(safe=True)
def braces_around_exponents(gold: Gold, chance: random.Random) -> str | None:
    text = re.sub(r"\^(\w)", r"^{\1}", gold.text)
    return text if text != gold.text else re.sub(r"\^\{(\w)\}", r"^\1", gold.text)


@same(safe=True)
def spaces(gold: Gold, chance: random.Random) -> str | None:
    if gold.rational is not None or re.search(r"\\text|\\!", gold.text) or not re.search(r"[-+,=]", gold.text):
        return None
    tight = re.sub(r"(?<![a-zA-Z]) | (?![a-zA-Z])", "", gold.text)
    return tight if tight != gold.text else re.sub(r"(?<=[\w)}])([-+,=])(?=[\w\\(])", r" \1 ", gold.text)


# equations and inequalities


def _sides(gold: Gold, sign: str = "=") -> tuple[str, str] | None:
    left, found, right = gold.text.partition(sign)
    many = gold.value is not None and gold.value.kind == "relation" and bool(found) and len(_symbols(gold)) > 1
    return (left.strip(), right.strip()) if many else None


def _symbols(gold: Gold) -> set[Any]:
    assert gold.value is not None
    return set().union(*(part.free_symbols for part in gold.value.parts))


@same()
def sides_swapped(gold: Gold, chance: random.Random) -> str | None:
    sides = _sides(gold)
    return sides and f"{sides[1]} = {sides[0]}"


@same()
def equation_scaled(gold: Gold, chance: random.Random) -> str | None:
    if not _sides(gold):
        return None
    assert gold.value is not None
    factor = chance.choice((-3, -1, 2, 5, sympy.Rational(1, 2)))
    return " = ".join(latex(sympy.expand(factor * side)) for side in gold.value.parts)


@same()
def all_on_one_side(gold: Gold, chance: random.Random) -> str | None:
    if not _sides(gold):
        return None
    assert gold.value is not None
    left, right = gold.value.parts
    return f"{latex(sympy.expand(left - right))} = 0" if right != 0 else f"0 = {latex(left)}"


@same(safe=True)
def inequality_turned(gold: Gold, chance: random.Random) -> str | None:
    """Read from right to left, a chain too."""
    turn = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\leq": "\\geq", "\\geq": "\\leq"}
    parts = re.split(r"(\\[lg]eq?(?![a-z])|[<>])", gold.text)
    if len(parts) < 3 or re.search(r"[,=]|\\text|\\cup|\\{", gold.text):
        return None
    return " ".join(turn.get(part, part.strip()) for part in reversed(parts))
