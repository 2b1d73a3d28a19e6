"""Reading a formula in TeX or plain text as an exact sum."""

from __future__ import annotations

import re
from fractions import Fraction

from llemma.evals.answers import exact
from llemma.evals.answers.exact import Budget, Sum, Unread
from llemma.evals.answers.numbers import is_unit_word

_TOKEN = re.compile(r" *(?:([0-9]+(?:\.[0-9]+)?|\.[0-9]+)|(\\[A-Za-z]+)|([A-Za-z])|([-+*/^_(){}\[\]]))")
_LETTERS = re.compile(r"\\[A-Za-z]+|[A-Za-z]{2,}")  # commands, to be passed over, and runs of letters
_TIMES = frozenset({"*", "\\cdot", "\\times"})
_FUNCTIONS = frozenset(f"\\{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc", "ln", "log", "exp", "arctan"))
# fmt: off
_SYMBOLS = frozenset(f"\\{name}" for name in (
    "pi", "alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "nu", "rho", "sigma", "tau", "phi",
    "varphi", "psi", "omega", "Omega", "Delta", "ell", "hbar", "eta", "kappa", "xi",
))
# fmt: on
_NO_PRODUCT = frozenset("fghFGHPQTu")  # before a bracket these are functions
_RUN = frozenset("abckmnpqrtuvwxyz")
_RUNS_NOT = frozenset({"an", "am", "at", "by", "cm", "km", "mm", "pm", "pt", "up", "my", "man", "cat", "car", "map"})


def read(text: str) -> Sum:
    """The formula that all of `text` (made `plain`) is; `Unread` where it is none or ambiguous."""
    if _wordy(text):
        raise Unread
    reader = _Reader(_tokens(text))
    value = reader.sum(0)
    if reader.next() is not None:
        raise Unread
    return value


def _wordy(text: str) -> bool:
    """Whether letters stand together that may be a word or a name, not a product."""
    runs = [run for run in _LETTERS.findall(text) if not run.startswith("\\")]
    if runs and text.replace(" ", "").isalpha():
        return True
    return any(len(run) > 3 or not _RUN.issuperset(run) or run in _RUNS_NOT or is_unit_word(run) for run in runs)


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(tokens) > exact.MAX_TOKENS:
            raise Unread
        tokens.append(match.group().lstrip())
        at = match.end()
    return tokens


class _Reader:
    """Recursive descent over tokens, bounded in depth and work."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at, self.budget = tokens, 0, Budget()

    def next(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *expected: str) -> bool:
        if self.next() in expected:
            self.at += 1
            return True
        return False

    def need(self, token: str) -> None:
        if not self.take(token):
            raise Unread

    def sum(self, depth: int) -> Sum:
        if depth > exact.MAX_DEPTH:
            raise Unread
        sign = -1 if self.take("-") else 1
        if sign == 1:
            self.take("+")
        total = exact.scale(self.product(depth), Fraction(sign))
        while (token := self.next()) in ("+", "-"):
            self.at += 1
            total = exact.add(total, self.product(depth), -1 if token == "-" else 1)
        return total

    def product(self, depth: int) -> Sum:
        total, divided = self.power(depth), False
        while (token := self.next()) is not None:
            if token in _TIMES:
                self.at += 1
                sign = -1 if self.take("-") else 1
                total = exact.multiply(total, exact.scale(self.power(depth), Fraction(sign)), self.budget)
            elif token == "/":
                self.at += 1
                total = exact.multiply(total, exact.inverse(self.power(depth), self.budget), self.budget)
                divided = True
            elif token in "+-)}]":
                break
            else:
                total = exact.multiply(total, self.beside(token, divided, depth), self.budget)
        return total

    def beside(self, token: str, divided: bool, depth: int) -> Sum:
        """A factor without a sign of multiplication before it: `1/2x`, `2 3` and `2\\frac{1}{2}` are ambiguous."""
        before = self.tokens[self.at - 1]
        if divided or token[0] in "0123456789." or (token == "(" and before in _NO_PRODUCT):
            raise Unread
        begun = self.at
        value = self.power(depth)
        if token == "(" and before.isalpha() and self.at - begun <= 3:
            raise Unread  # x(2), y(t)
        if token == "\\frac" and before[-1].isdigit() and exact.rational(value) is not None:
            raise Unread
        return value

    def power(self, depth: int) -> Sum:
        base = self.base(depth)
        if not self.take("^"):
            return base
        exponent = self.argument(depth, whole=True)
        if self.next() == "^":
            raise Unread
        return exact.power(base, exponent, self.budget)

    def base(self, depth: int) -> Sum:
        token = self.next()
        if token is None:
            raise Unread
        self.at += 1
        if token[0] in "0123456789.":
            if len(token) > 1 and token[0] == "0" and token[1] != ".":
                raise Unread
            return exact.constant(_decimal(token))
        if token in ("(", "{"):
            value = self.sum(depth + 1)
            self.need(")" if token == "(" else "}")
            return value
        if token == "\\frac":
            above = self.argument(depth)
            return exact.multiply(above, exact.inverse(self.argument(depth), self.budget), self.budget)
        if token == "\\sqrt":
            return self.root(depth)
        if token in _FUNCTIONS:
            return self.function(token, depth)
        if token in _SYMBOLS or (token.isalpha() and len(token) == 1):
            return exact.symbol(token + self.subscript())
        raise Unread

    def argument(self, depth: int, *, whole: bool = False) -> Sum:
        """What a command or `^` takes: a group, one symbol, one digit (`whole`: all digits, as people write x^10)."""
        token = self.next()
        if token is None or token in ("+", "*", "/", "^", "_", ")", "}", "[", "]"):
            raise Unread
        if token == "-":
            if not whole or self.at + 1 >= len(self.tokens) or not self.tokens[self.at + 1].isdigit():
                raise Unread
            self.at += 2
            return exact.constant(-int(_short(self.tokens[self.at - 1])))
        if token[0] in "0123456789." and not whole:
            if not token.isdigit():
                raise Unread
            # TeX takes one digit: \frac12 is a half, \sqrt12 is the root of 1, then 2, which nobody means
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]] if len(token) > 1 else [token]
        return self.base(depth + 1) if depth < exact.MAX_DEPTH else self._deep()

    def _deep(self) -> Sum:
        raise Unread

    def root(self, depth: int) -> Sum:
        degree = 2
        if self.take("["):
            token = self.next() or ""
            if not token.isdigit() or not 2 <= int(_short(token)) <= 20:
                raise Unread
            self.at, degree = self.at + 1, int(token)
            self.need("]")
        token = self.next() or ""
        if token.isdigit() and len(token) > 1:
            raise Unread
        return exact.root(self.argument(depth), degree)

    def subscript(self) -> str:
        if not self.take("_"):
            return ""
        braced = self.take("{")
        token = self.next()
        if token is None or not token.isalnum():
            raise Unread
        self.at += 1
        if braced:
            self.need("}")
        return f"_{token}"

    def function(self, name: str, depth: int) -> Sum:
        """`\\sin 2x`, `\\log_2(x+1)`, `\\cos^2 x`: a symbol of its own, by its argument."""
        name += self.subscript() if name == "\\log" else ""
        exponent = 1
        if self.take("^"):
            number = exact.rational(self.argument(depth, whole=True))
            if number is None or number.denominator != 1 or not 0 < number <= 20:
                raise Unread
            exponent = int(number)
        if self.next() in ("(", "{"):
            value = self.base(depth)
            if self.next() == "^":
                raise Unread
        else:
            value = self.bare_argument(depth)
        return exact.symbol(f"{name}({exact.show(value)})", exponent)

    def bare_argument(self, depth: int) -> Sum:
        value, found = exact.constant(1), False
        while (token := self.next()) is not None and (
            (token[0] in "0123456789." and not found) or token.isalpha() or token in _SYMBOLS or token == "\\frac"
        ):
            value, found = exact.multiply(value, self.base(depth), self.budget), True
        if not found or self.next() in ("^", "/", "("):
            raise Unread
        return value


def _short(digits: str) -> str:
    if len(digits) > 9:
        raise Unread
    return digits


def _decimal(token: str) -> Fraction:
    if len(token) > 400:
        raise Unread
    whole, _, after = token.partition(".")
    return Fraction(int(whole + after), 10 ** len(after))
