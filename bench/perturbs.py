"""Rules that turn a number or an expression into a nearly equal but different one: the label is `different`."""

from __future__ import annotations

import random
import re

import sympy

from rules import Gold, changed_at, latex, other, readable, slash, terms

# numbers and coefficients


@other()
def sign_flipped(gold: Gold, chance: random.Random) -> str | None:
    if gold.expression is None or len(terms(gold.text)) > 1:
        return None
    return gold.text[1:] if gold.text.startswith("-") else f"-{gold.text}"


@other()
def inner_sign_flipped(gold: Gold, chance: random.Random) -> str | None:
    if not readable(gold):
        return None
    return changed_at(gold.text, r"(?<=[\w)}] )[-+](?= ?[\w\\(])|(?<=[\w)}])[-+](?=[\w\\(])", _flip, chance)


def _flip(found: re.Match[str]) -> str:
    return "-" if found[0] == "+" else "+"


@other()
def digit_changed(gold: Gold, chance: random.Random) -> str | None:
    if not readable(gold):
        return None
    return changed_at(gold.text, r"\d", lambda m: str((int(m[0]) + chance.randint(1, 8)) % 9 + 1), chance)


@other()
def off_by_one(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    return str(value + chance.choice((-1, 1))) if value is not None and value.q == 1 else None


@other()
def digits_swapped(gold: Gold, chance: random.Random) -> str | None:
    if gold.rational is None:
        return None
    return changed_at(gold.text, r"(?<![.\d])[1-9]\d", lambda m: m[0][::-1], chance)


@other()
def hundredfold(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    return f"{gold.text}00" if value is not None and re.fullmatch(r"-?[1-9]\d*", gold.text) else None


@other()
def decimal_point_moved(gold: Gold, chance: random.Random) -> str | None:
    if gold.rational is None or "e" in gold.text:
        return None
    return re.sub(r"(\d)\.(\d)", r"\1\2.", gold.text).rstrip(".") if "." in gold.text else None


@other()
def reciprocal(gold: Gold, chance: random.Random) -> str | None:
    found = slash(gold.text)
    return found and f"{found[1]}\\frac{{{found[3]}}}{{{found[2]}}}"


@other()
def fraction_turned(gold: Gold, chance: random.Random) -> str | None:
    """Numerator and denominator of a fraction that is no number."""
    found = re.fullmatch(r"(-?)\\frac\{([^{}]+)\}\{([^{}]+)\}", gold.text)
    return found and f"{found[1]}\\frac{{{found[3]}}}{{{found[2]}}}"


@other()
def denominator_lost(gold: Gold, chance: random.Random) -> str | None:
    return re.sub(r"\\[dt]?frac\{([^{}]+)\}\{[^{}]+\}", r"\1", gold.text) if gold.expression is not None else None


@other()
def rounded(gold: Gold, chance: random.Random) -> str | None:
    """Two digits of a number that has more: no tolerance is as wide as that."""
    value = gold.expression
    if value is None or not value.is_number or value.is_Integer or not value.is_real or "." in gold.text:
        return None
    short = f"{float(value):.2g}"
    return short if "e" not in short and abs(float(value) - float(short)) > 2e-3 * abs(float(value)) else None


@other()
def mixed_as_product(gold: Gold, chance: random.Random) -> str | None:
    """3 1/2 for 3/2: the whole part counted once more."""
    found = slash(gold.text)
    if not found or int(found[2]) >= int(found[3]):
        return None
    return f"{found[1]}{chance.randint(1, 3)}\\frac{{{found[2]}}}{{{found[3]}}}"


@other(safe=True)
def base_changed(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(\d{2,})_\{?(\d+)\}?", gold.text)
    return found and f"{found[1]}_{{{int(found[2]) + 1}}}"


@other(safe=True)
def numeral_digit_changed(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"([1-9A-F]\d*)(\d)(_.*)", gold.text)
    return found and f"{found[1]}{(int(found[2]) + 1) % 2}{found[3]}" if found and found[2] in "01" else None


@other(safe=True)
def exponent_of_ten_changed(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(-?[\d.]*[1-9][\d.]*)e([-+]?\d+)", gold.text)
    return found and f"{found[1]}e{int(found[2]) + chance.choice((-1, 1))}"


@other(safe=True)
def plus_minus_added(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    return f"\\pm {gold.text}" if value is not None and value > 0 else None


@other(safe=True)
def only_plus(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"\\pm ?(.+)", gold.text)
    return found and found[1]


# expressions


@other()
def exponent_changed(gold: Gold, chance: random.Random) -> str | None:
    return (readable(gold) and changed_at(gold.text, r"\^\{?\d\}?", lambda m: _more(m[0]), chance)) or None


def _more(exponent: str) -> str:
    return re.sub(r"\d", lambda m: str(int(m[0]) + 1), exponent)


@other()
def power_as_product(gold: Gold, chance: random.Random) -> str | None:
    if not readable(gold):
        return None
    return changed_at(gold.text, r"(?<![\d^])([a-z])\^\{?(\d)\}?", lambda m: f"({m[2]}{m[1]})", chance)


@other()
def root_lost(gold: Gold, chance: random.Random) -> str | None:
    return (readable(gold) and changed_at(gold.text, r"\\sqrt\{([^{}]+)\}", lambda m: f"({m[1]})", chance)) or None


@other()
def root_added(gold: Gold, chance: random.Random) -> str | None:
    value = gold.rational
    return f"\\sqrt{{{gold.text}}}" if value is not None and value > 1 else None


@other()
def pi_lost(gold: Gold, chance: random.Random) -> str | None:
    if not readable(gold):
        return None
    return re.sub(r"(?<=\d) ?\\pi", "", gold.text) if re.search(r"\d ?\\pi", gold.text) else None


@other()
def imaginary_unit_lost(gold: Gold, chance: random.Random) -> str | None:
    return re.sub(r"(?<=[\d}]) ?i(?![a-z])", "", gold.text) if readable(gold) and "=" not in gold.text else None


@other()
def function_changed(gold: Gold, chance: random.Random) -> str | None:
    swap = {"sin": "cos", "cos": "sin", "tan": "cot", "sec": "csc", "ln": "sin"}
    pattern = r"\\(sin|cos|tan|sec|ln)(?![a-z])"
    return (readable(gold) and changed_at(gold.text, pattern, lambda m: f"\\{swap[m[1]]}", chance)) or None


@other()
def variable_changed(gold: Gold, chance: random.Random) -> str | None:
    if gold.expression is None or not gold.expression.free_symbols:
        return None
    names = sorted(str(symbol) for symbol in gold.expression.free_symbols if str(symbol) not in "ei")
    if not names:
        return None
    name, new = chance.choice(names), chance.choice([n for n in "abmptuwxyz" if n not in names])
    return re.sub(rf"(?<![a-zA-Z\\]){name}(?![a-zA-Z])", new, gold.text)


@other()
def argument_negated(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    if value is None or any(not power.exp.is_Integer for power in value.atoms(sympy.Pow) if power.base.free_symbols):
        return None  # (-x)^{2/3} is x^{2/3} to whoever thinks of real roots
    names = sorted((s for s in value.free_symbols if str(s) not in "ei"), key=str)
    return latex(value.subs(names[0], -names[0])) if names else None


@other()
def coefficient_lost(gold: Gold, chance: random.Random) -> str | None:
    if not readable(gold):
        return None
    return changed_at(gold.text, r"(?<![\d.^_{])[2-9]\d* ?(?=[a-z(]|\\sqrt|\\pi)", lambda m: "", chance)


@other()
def term_lost(gold: Gold, chance: random.Random) -> str | None:
    parts = terms(gold.text)
    if gold.expression is None or len(parts) < 2:
        return None
    parts.pop(chance.randrange(len(parts)))
    return " ".join(parts).removeprefix("+").strip()


@other()
def factor_lost(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    if value is None or not value.is_Mul:
        return None
    factors = list(value.args)
    factors.pop(chance.randrange(len(factors)))
    return latex(sympy.Mul(*factors))


@other()
def brackets_lost(gold: Gold, chance: random.Random) -> str | None:
    if gold.expression is None:
        return None
    return changed_at(gold.text, r"(?:\\left)?\(([^()\\]+)(?:\\right)?\)", lambda m: m[1], chance)


@other()
def constant_added(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    if value is None or not value.free_symbols:
        return None
    return f"{gold.text} {chance.choice('+-')} {chance.randint(1, 9)}"


@other()
def fraction_cut_open(gold: Gold, chance: random.Random) -> str | None:
    """`\\frac{a+b}{c}` as `a + b/c`."""
    found = re.fullmatch(r"\\frac\{([^{}]+[-+][^{}]+)\}\{([^{}]+)\}", gold.text)
    if not found:
        return None
    *first, last = terms(found[1])
    return f"{' '.join(first)} {last[0]} \\frac{{{last[1:].strip()}}}{{{found[2]}}}"
