"""A second, small reader of answers, apart from the judges: it only checks the labels of made-up pairs.

It reads less than any judge and refuses whatever can be read in two ways. `same` compares by numbers: at random points,
never by simplifying, so that a label rests on nothing that a judge does.
"""

from __future__ import annotations

import random
import re
from typing import Any, NamedTuple

import sympy
from mpmath.libmp import NoConvergence

POINTS = 6
"""Random points at which two expressions are compared; they differ when one point tells them apart."""

_TOLERANCE = 1e-12  # at 30 digits of working precision
_CONSTANTS = {"pi": sympy.pi, "infty": sympy.oo}
_FUNCTIONS = {name: getattr(sympy, name) for name in ("sin", "cos", "tan", "sec", "csc", "cot", "ln", "exp")}
_FUNCTIONS |= {"arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan}
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\\[a-zA-Z]+|[a-zA-Z]|[-+*/^_!(){}\[\],=<>|']")
_DROPPED = re.compile(r"\\left|\\right|\\[!,;:> ]|~|\$|\s+")
_RELATIONS = {"\\le": "<=", "\\leq": "<=", "\\ge": ">=", "\\geq": ">=", "<": "<", ">": ">", "=": "="}
_WORD = re.compile(
    r"(?<![a-zA-Z\\])(?:[a-zA-Z]{3,}|(?:[A-Z][a-z]|[ckm]m|ft|in|mi|kg|lb|hr|oz|or|at|is|of|to|if|no)(?![a-zA-Z]))"
)
_DIFFERENTIAL = re.compile(r"(?<![a-zA-Z\\])d ?[a-z](?![a-zA-Z])")
_NUMBER = re.compile(r"\.?\d")


class Value(NamedTuple):
    """What an answer is: kind `expression`, `relation`, `list`, `set`, `tuple` or `matrix`, a mark, and its parts.

    The mark of a tuple is its brackets, of a relation its sign. A union is a `set` with the mark `cup`.
    """

    kind: str
    mark: str
    parts: tuple[Any, ...]


class Unreadable(Exception):
    """The text is outside of what this reader reads."""


def read(text: str) -> Value | None:
    """The value of `text`; None where it cannot be read, or not in one way only."""
    try:
        return _whole(text)
    except (Unreadable, RecursionError, ZeroDivisionError, OverflowError, ValueError, TypeError):
        return None


def _whole(text: str) -> Value:
    matrix = re.fullmatch(r"\s*\\begin\{[pb]matrix\}(.*?)\\end\{[pb]matrix\}\s*", text, re.S)
    if matrix:
        rows = [row for row in re.split(r"\\\\", matrix[1]) if row.strip()]
        return Value("matrix", "", tuple(tuple(_whole(cell) for cell in row.split("&")) for row in rows))
    clean = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", text.strip().replace("\u2212", "-"))
    clean = re.sub(r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3})", "", clean)
    clean = re.sub(r"(\d+(?:\.\d+)?)e([-+]?\d+)(?![\d.])", r"(\1*10^{\2})", clean)
    clean = _DROPPED.sub(lambda m: " " if m[0].strip() == "" else "", clean)
    if re.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", clean.strip()):
        clean = clean.replace(",", "")
    # letters in a row are a word rather than a product, d x is a differential
    if (
        _WORD.search(clean)
        or _DIFFERENTIAL.search(clean)
        or _TOKEN.sub("", clean.replace("\\{", "").replace("\\}", "")).strip()
    ):
        raise Unreadable(text)
    return _container(clean.strip())


def _container(text: str) -> Value:
    text = text.strip()
    pieces = _split(text, "\\cup")
    if len(pieces) > 1:
        return Value("set", "cup", tuple(_container(piece) for piece in pieces))
    if text.startswith("\\{") and text.endswith("\\}"):
        return Value("set", "", tuple(_container(part) for part in _split(text[2:-2], ",")))
    inner = _split(text[1:-1], ",")
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and len(inner) > 1 and _closed(text):
        return Value("tuple", text[0] + text[-1], tuple(_container(part) for part in inner))
    items = _split(text, ",")
    if len(items) > 1:
        return Value("list", "", tuple(_container(item) for item in items))
    return _relation(text)


def _relation(text: str) -> Value:
    found = [(m.start(), m[0]) for m in re.finditer(r"\\(?:leq?|geq?)(?![a-zA-Z])|[<>=]", text)]
    if not found:
        return Value("expression", "", (_Parser(text).all(),))
    if len(found) > 1:
        raise Unreadable(text)
    at, sign = found[0]
    left, right = _Parser(text[:at]).all(), _Parser(text[at + len(sign) :]).all()
    mark = _RELATIONS[sign]
    if mark in (">", ">="):
        left, right, mark = right, left, mark.replace(">", "<")
    return Value("relation", mark, (left, right))


def _split(text: str, mark: str) -> list[str]:
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth == 0 and text.startswith(mark, at):
            parts.append(text[start:at])
            start = at = at + len(mark)
        else:
            at += 1
    return [*parts, text[start:]]


def _closed(text: str) -> bool:
    """Whether the first bracket is closed by the last one, of whatever kind."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0:
            return at == len(text) - 1
    return False


class _Parser:
    """Recursive descent over one expression. Letters are symbols, `e` and `i` too."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    def all(self) -> Any:
        value = self.sum()
        if self.at != len(self.tokens):
            raise Unreadable(" ".join(self.tokens[self.at :]))
        return value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise Unreadable(f"{token!r} instead of {wanted!r}")
        self.at += 1
        return token

    def sum(self) -> Any:
        sign = self.take() if self.peek() in ("-", "+") else "+"
        total = self.product() * (-1 if sign == "-" else 1)
        while self.peek() in ("+", "-"):
            sign, term = self.take(), self.product()
            total = total - term if sign == "-" else total + term
        return total

    def product(self) -> Any:
        value, divided = self.power(), False
        while self.peek() and self.peek() not in tuple("+-)]},=<>|_'"):
            token = self.peek()
            if token in ("/", "*", "\\cdot", "\\times"):
                self.take()
                sign = -1 if self.peek() == "-" and self.take() else 1
                factor = sign * self.power()
                value = value / factor if token == "/" else value * factor
            elif divided or _NUMBER.match(token):
                raise Unreadable("1/2x, or two numbers side by side")
            elif token == "(" and self.applied():
                raise Unreadable("a function's value")
            elif token == "\\frac" and _NUMBER.match(self.tokens[self.at - 1]):
                value = self.mixed(value)
            else:
                value = value * self.power()
            divided = divided or token == "/"
        return value

    def applied(self) -> bool:
        """Whether a letter or number alone stands in the brackets that follow a letter or a power."""
        inner = self.tokens[self.at + 1 : self.at + 3]
        return len(inner) == 2 and inner[0].isalnum() and inner[1] == ")" and not self.tokens[self.at - 1].isdigit()

    def mixed(self, whole: Any) -> Any:
        part = self.power()
        if not (whole.is_Integer and part.is_Rational and 0 < part < 1) or self.tokens[self.at - 1] == ")":
            raise Unreadable("a product or a mixed number")
        return whole + part

    def power(self) -> Any:
        base = self.atom()
        if self.peek() == "^":
            self.take()
            exponent = self.group() if self.peek() == "{" else self.atom()
            if exponent.is_number and abs(exponent) > 60 and base.is_number:
                raise Unreadable("a huge power")
            base = base**exponent
        if self.peek() == "!":
            self.take()
            if not (base.is_Integer and 0 <= base <= 30):
                raise Unreadable("a factorial")
            base = sympy.factorial(base)
        return base

    def group(self) -> Any:
        closing = {"{": "}", "(": ")", "[": "]"}[self.take()]
        value = self.sum()
        self.take(closing)
        return value

    def argument(self) -> Any:
        """`{ab}`, or the one digit or letter of `\\frac12`."""
        if self.peek() == "{":
            return self.group()
        token = self.take()
        if token.isdigit() and len(token) > 1:
            self.at -= 1
            self.tokens[self.at] = token[1:]
            return sympy.Integer(token[0])
        return self.leaf(token)

    def leaf(self, token: str) -> Any:
        if _NUMBER.match(token):
            return sympy.Rational(token)
        if re.fullmatch(r"[a-zA-Z]", token):
            return sympy.Symbol(token)
        if token[1:] in _CONSTANTS:
            return _CONSTANTS[token[1:]]
        raise Unreadable(token)

    def atom(self) -> Any:
        token = self.peek()
        if token in ("(", "[", "{"):
            return self.group()
        self.take()
        if token == "\\frac":
            above = self.argument()
            return above / self.argument()
        if token == "\\binom":
            above = self.argument()
            return sympy.binomial(above, self.argument())
        if token == "\\sqrt":
            order: Any = self.group() if self.peek() == "[" else 2
            return self.argument() ** (sympy.Integer(1) / order)
        if token[1:] in _FUNCTIONS:
            return self.function(token[1:])
        if token in tuple("fghyFGP") and self.peek() == "(":
            raise Unreadable("a function's value or a product")
        return self.leaf(token)

    def function(self, name: str) -> Any:
        exponent = None
        if self.peek() == "^":
            self.take()
            exponent = self.argument()
            if not (exponent.is_Integer and exponent > 0):
                raise Unreadable("an inverse or a power of a function")
        inner = self.group() if self.peek() in ("(", "{") else self.bare()
        if self.peek() == "^":
            raise Unreadable("a power of the value or of the argument")
        value = _FUNCTIONS[name](inner)
        return value if exponent is None else value**exponent

    def bare(self) -> Any:
        """The argument of `\\sin 2x`: numbers and letters up to anything else."""
        value: Any = sympy.Integer(1)
        start = self.at
        while re.fullmatch(r"\.?\d.*|[a-zA-Z]|\\pi", self.peek()):
            value = value * self.leaf(self.take())
        if self.at == start or self.peek() in ("^", "/", "(", "[", "{", "_", "\\sqrt", "\\frac"):
            raise Unreadable("the argument of a function")
        return value


def same(one: Value, other: Value) -> bool | None:
    """Whether two values are equal in every reading; None where that is not sure."""
    if (one.kind, one.mark) != (other.kind, other.mark):
        return False if one.kind == other.kind else None
    if one.kind == "expression":
        return equal(one.parts[0], other.parts[0])
    if one.kind == "relation":
        return _same_relation(one, other)
    if one.kind == "matrix":
        if [len(row) for row in one.parts] != [len(row) for row in other.parts]:
            return False
        pairs = [(a, b) for r, s in zip(one.parts, other.parts, strict=True) for a, b in zip(r, s, strict=True)]
        return _every([same(a, b) for a, b in pairs])
    if len(one.parts) != len(other.parts):
        return False
    if one.kind == "tuple":
        return _every([same(a, b) for a, b in zip(one.parts, other.parts, strict=True)])
    return _permuted(one.parts, other.parts)


def _every(verdicts: list[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def _permuted(one: tuple[Value, ...], other: tuple[Value, ...]) -> bool | None:
    left = list(other)
    for item in one:
        verdicts = [same(item, candidate) for candidate in left]
        if True not in verdicts:
            return None if None in verdicts else False
        left.pop(verdicts.index(True))
    return True


def equal(a: Any, b: Any) -> bool | None:
    """Whether two expressions agree at positive, negative and complex points. True needs all, False a positive one."""
    if a in (sympy.oo, -sympy.oo) or b in (sympy.oo, -sympy.oo):
        return bool(a == b)
    names = sorted((a - b).free_symbols | a.free_symbols | b.free_symbols, key=str)
    chance = random.Random(1)
    verdicts = [_agree(a, b, _point(names, chance, turn)) for turn in range(POINTS if names else 1)]
    if all(verdicts):
        return True
    positive = [v for turn, v in enumerate(verdicts) if turn % 3 == 0 and v is not None]
    usual = {sympy.Symbol("e"): sympy.E, sympy.Symbol("i"): sympy.I}
    if positive and not any(positive):
        a, b = a.subs(usual), b.subs(usual)
        again = _agree(a, b, _point(sorted(a.free_symbols | b.free_symbols, key=str), chance, 0))
        return False if again is False else None
    return None


def _point(names: list[Any], chance: random.Random, turn: int) -> dict[Any, Any]:
    def number() -> Any:
        positive = sympy.Rational(chance.randint(3, 97), chance.choice((7, 11, 13)))
        return (positive, -positive, positive + sympy.I * sympy.Rational(chance.randint(1, 9), 17))[turn % 3]

    return {name: number() for name in names}


def _agree(a: Any, b: Any, point: dict[Any, Any]) -> bool | None:
    x, y = (side.evalf(30, subs=point) for side in (a, b))
    if not (x.is_number and y.is_number) or any(v.has(sympy.nan, sympy.zoo, sympy.oo) for v in (x, y)):
        return None
    size = max(abs(x), abs(y), sympy.Rational(1, 10**25))
    return bool(abs(x - y) <= _TOLERANCE * size)


def _same_relation(one: Value, other: Value) -> bool | None:
    """Equal where one side minus the other is a constant multiple (positive for `<`); different by a common zero."""
    f, g = one.parts[0] - one.parts[1], other.parts[0] - other.parts[1]
    names = sorted(f.free_symbols | g.free_symbols, key=str)
    if not names or f == 0 or g == 0:
        return None
    chance = random.Random(2)
    points = [_point(names, chance, turn) for turn in range(POINTS)]
    ratios = [(f / g).evalf(30, subs=point) for point in points]
    if all(r.is_number and not r.has(sympy.nan, sympy.zoo) and abs(r - ratios[0]) < 1e-12 for r in ratios):
        return one.mark == "=" or bool(sympy.re(ratios[0]) > 0)
    if f.free_symbols != g.free_symbols:
        return False
    return _other_zeros(f, g, names, points[0])


def _other_zeros(f: Any, g: Any, names: list[Any], point: dict[Any, Any]) -> bool | None:
    """False when `g` is not zero where `f` is; polynomials of a low degree only."""
    top = sympy.numer(sympy.together(f))
    name = next((n for n in names if top.has(n) and top.is_polynomial(n) and sympy.degree(top, n) <= 6), None)
    if name is None or not all(top.is_polynomial(n) for n in names):
        return None
    rest = {key: value for key, value in point.items() if key != name}
    try:
        roots = sympy.Poly(top.subs(rest), name).sqf_part().nroots(n=20)
    except (NoConvergence, sympy.PolynomialError):
        return None
    values = [abs(g.evalf(20, subs={**rest, name: root})) for root in roots]
    return False if any(v.is_number and v > 1e-6 for v in values) else None
