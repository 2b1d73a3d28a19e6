"""Reading a formula in TeX or plain text and working out its value.

Whatever is ambiguous (`1/2x`, `2\\frac{1}{2}x`, words) is not read at all, and is then compared as text.
"""

from __future__ import annotations

import re
from fractions import Fraction

from llemma.evals.answers import functions, values
from llemma.evals.answers.functions import FUNCTIONS, TRIGONOMETRIC
from llemma.evals.answers.numbers import is_unit_word
from llemma.evals.answers.values import Undefined, Unread, Value

MAX_DEPTH, MAX_TOKENS = 25, 400

_TOKEN = re.compile(r" *(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(\\[A-Za-z]+|\\[{}])|([A-Za-z])|([-+*/^_(){}\[\]|!=<>']))")
_LETTERS = re.compile(r"\\[A-Za-z]+|[A-Za-z]{2,}")  # commands, to be passed over, and runs of letters
_SUBSCRIPT = re.compile(r"_ ?(?:\{[^{}]{0,40}\}|[A-Za-z0-9])")
_TIMES = frozenset({"*", "\\cdot", "\\times", "\\ast"})
_OVER = frozenset({"/", "\\div"})
_INFIX = frozenset({"\\over", "\\choose"})  # {a \over b}
_CLOSING = frozenset({"+", "-", ")", "}", "]", "\\}", "\\rfloor", "\\rceil"}) | _INFIX
_ROUNDED = {"\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
_BIG = frozenset({"\\sum", "\\prod", "\\int", "\\oint"})
# fmt: off
_SYMBOLS = frozenset(f"\\{name}" for name in (
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "theta", "lambda", "mu", "nu", "rho", "sigma",
    "tau", "phi", "varphi", "psi", "chi", "omega", "Omega", "Delta", "Gamma", "Phi", "Psi", "Sigma", "Lambda", "Theta",
    "ell", "hbar", "eta", "kappa", "xi", "vartheta", "derivative",
))
# fmt: on
_ACCENTS = frozenset({"\\dot", "\\ddot", "\\hat", "\\bar", "\\tilde", "\\overline"})
_UNKNOWN = frozenset("fghFGHPQTu")  # before a bracket these are functions
_RUN = frozenset("abckmnpqrtuvwxyzABCEGHIJKLMNPQRSTUVWXYZ")
_RUNS_NOT = frozenset({"an", "am", "at", "by", "cm", "km", "mm", "pm", "pt", "up", "my", "man", "cat", "car", "map"})
_PLAIN_NAMES = re.compile(
    r"(?<![\\A-Za-z])(sqrt|pi|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|ln|log|exp|theta|alpha|beta|binom)(?![A-Za-z])"
)
_ASIN = re.compile(r"(?<![\\A-Za-z])(?:np\.|math\.)?a(?:rc)?(sin|cos|tan)(?=\()")
_FONTS = re.compile(r"\\(?:mathbf|mathrm|mathit|operatorname|boldsymbol|vec|mathcal|mathsf) ?\{ ?([A-Za-z]{1,8}) ?\}")
_SUBSCRIPT_TEXT = re.compile(r"_ ?\{ ?\\(?:text|mathrm|mathit|rm|textrm) ?\{ ?([A-Za-z0-9 ]{1,30}) ?\} ?\}")
_THOUSANDS = re.compile(r"(?<![0-9,.])([0-9]{1,3}(?:,[0-9]{3})+)(?= ?(?:\\[A-Za-z]|[A-Za-z(]))")
_DERIVATIVE = re.compile(
    r"\\frac ?\{ ?(?:d|\\partial) ?(\^ ?\{? ?[2-9] ?\}?)? ?(\\?[A-Za-z]+(?:_ ?\{? ?[A-Za-z0-9] ?\}?)?) ?\}"
    r" ?\{ ?(?:d|\\partial) ?(\\?[A-Za-z]+)(?: ?\^ ?\{? ?[2-9] ?\}?)? ?\}"
)
_SAME = (
    (r"\^ ?(?:\{ ?\\circ ?\}|\\circ(?![A-Za-z]))", r"\\degree "),
    (r"\^ ?\{ ?((?:\\prime ?){1,3})\}", lambda found: "'" * found.group().count("prime")),
    (r"\\[lr]?vert(?![A-Za-z])", "|"),
    (r"\\[td]binom(?![A-Za-z])", r"\\binom"),
    (r"\*\*", "^"),
)


def standard(text: str) -> str:
    """`text` (made `plain`) with plain names as commands (`sqrt(2)`, `2 pi`) and one spelling of each command."""
    text = _PLAIN_NAMES.sub(r"\\\1 ", _ASIN.sub(r"\\arc\1", text))
    text = _SUBSCRIPT_TEXT.sub(lambda found: f"_{{{found.group(1).replace(' ', '')}}}", text)
    text = _FONTS.sub(lambda found: f"\\{found.group(1)} " if found.group(1) in FUNCTIONS else found.group(1), text)
    for pattern, command in _SAME:
        text = re.sub(pattern, command, text)
    text = _DERIVATIVE.sub(_derivative, text)
    return _THOUSANDS.sub(lambda found: found.group().replace(",", ""), text)


def _derivative(found: re.Match[str]) -> str:
    """A derivative as one name, lest the d's cancel."""
    order, above, below = (re.sub(r"[^A-Za-z0-9]", "", group or "") for group in found.groups())
    return f"\\derivative_{{{order}{above}/{below}}} "


def read(text: str) -> Value:
    """The value of the formula that all of `text` (made `plain` and `standard`) is; `Unread` where it is none."""
    if _wordy(text):
        raise Unread
    tokens = _tokens(text.strip().removesuffix("\\$"))
    # an i, but not as an index, makes the formula one of complex numbers
    complex_too = any(token == "i" and (not at or tokens[at - 1] not in ("_", "{")) for at, token in enumerate(tokens))
    try:
        return _read(tokens, complex_too=complex_too)
    except Undefined:
        return _read(tokens, complex_too=True)


def _read(tokens: list[str], *, complex_too: bool) -> Value:
    reader = _Reader(tokens, complex_too=complex_too)
    value = reader.whole(0)
    if reader.next() is not None:
        raise Unread
    return values.settled(value)


def _wordy(text: str) -> bool:
    """Whether letters stand together that may be a word or a name, not a product."""
    text = _SUBSCRIPT.sub("", text)
    runs = [run for run in _LETTERS.findall(text) if not run.startswith("\\")]
    if runs and text.replace(" ", "").isalpha():
        return True
    return any(len(run) > 3 or not _RUN.issuperset(run) or run in _RUNS_NOT or is_unit_word(run) for run in runs)


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(tokens) > MAX_TOKENS:
            raise Unread
        tokens.append(match.group().lstrip())
        at = match.end()
    return tokens


class _Reader:
    """Recursive descent over tokens, bounded in depth and work."""

    def __init__(self, tokens: list[str], *, complex_too: bool) -> None:
        self.tokens, self.at, self.bars, self.complex = tokens[:], 0, 0, complex_too

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

    def whole(self, depth: int) -> Value:
        """A sum, or `a \\over b`, `n \\choose k`."""
        value = self.sum(depth)
        if self.take("\\over"):
            return values.divide(value, self.sum(depth))
        return functions.binomial(value, self.sum(depth)) if self.take("\\choose") else value

    def sum(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise Unread
        negative = self.take("-")
        if not negative:
            self.take("+")
        total = self.product(depth)
        total = values.multiply(values.constant(-1), total) if negative else total
        while (token := self.next()) in ("+", "-"):
            self.at += 1
            total = values.add(total, self.product(depth), -1 if token == "-" else 1)
        return total

    def product(self, depth: int) -> Value:
        total, divided = self.power(depth), False
        while (token := self.next()) is not None:
            if token in _TIMES:
                self.at += 1
                sign = values.constant(-1 if self.take("-") else 1)
                total = values.multiply(total, values.multiply(sign, self.power(depth)))
            elif token in _OVER:
                self.at += 1
                total, divided = values.divide(total, self.power(depth)), True
            elif token in _CLOSING or (token == "|" and self.bars):
                break
            else:
                total = values.multiply(total, self.beside(token, divided, depth))
        return total

    def beside(self, token: str, divided: bool, depth: int) -> Value:
        """A factor without a sign of multiplication before it: `1/2x`, `2 3` and `2\\frac{1}{2}` are ambiguous."""
        before = self.tokens[self.at - 1]
        if divided or token[0] in "0123456789.":
            raise Unread
        value = self.power(depth)
        if token == "\\frac" and before[-1].isdigit() and values.settled(value).exact is not None:
            raise Unread
        return value

    def power(self, depth: int) -> Value:
        base = self.factorial(self.base(depth))
        if self.take("^"):
            exponent = self.argument(depth, whole=True)
            if self.next() in ("^", "!"):
                raise Unread
            return values.power(base, exponent, complex_too=self.complex)
        return base

    def factorial(self, value: Value) -> Value:
        if not self.take("!"):
            return value
        if self.next() == "!":
            raise Unread  # n!! is another function
        return functions.factorial(value)

    def base(self, depth: int) -> Value:
        token = self.next()
        if token is None:
            raise Unread
        self.at += 1
        if token[0] in "0123456789.":
            if (len(token) > 1 and token[0] == "0" and token[1] != ".") or self.next() == "_":
                raise Unread  # a code; a number in another base
            return values.constant(_decimal(token))
        if token in ("(", "{", "["):
            value = self.whole(depth + 1)
            self.need({"(": ")", "{": "}", "[": "]"}[token])
            return value
        if token.isalpha() and len(token) == 1:
            return self.letter(token, depth)
        return self.command(token, depth)

    def letter(self, token: str, depth: int) -> Value:
        name = token + self.subscript() + self.primes()
        if self.next() == "(" and (token in _UNKNOWN or self.of_one_token()):
            return values.opaque(name, self.base(depth))
        constants = {"e": values.euler, "i": values.imaginary}
        return constants[name]() if name in constants else values.variable(name)

    def primes(self) -> str:
        begun = self.at
        while self.take("'"):
            pass
        return "'" * (self.at - begun)

    def of_one_token(self) -> bool:
        """Whether brackets around one number or letter follow: x(2), y(t) are values of functions, no products."""
        inside = self.tokens[self.at + 1 : self.at + 3]
        return len(inside) == 2 and inside[1] == ")" and inside[0][0].isalnum()

    def command(self, token: str, depth: int) -> Value:
        if token in ("\\frac", "\\binom"):
            above = self.argument(depth)
            combined = values.divide if token == "\\frac" else functions.binomial
            return combined(above, self.argument(depth))
        if token == "\\sqrt":
            return self.root(depth)
        if token == "\\pi":
            return values.pi() if self.next() != "_" else values.variable(token + self.subscript())
        if token in _ACCENTS:
            return self.accented(token)
        if token in _SYMBOLS:
            name = token + self.subscript() + self.primes()
            if self.next() == "(" and self.of_one_token():
                return values.opaque(name, self.base(depth))
            return values.variable(name)
        if token == "|":
            return self.absolute(depth)
        if token in _ROUNDED:
            value = self.whole(depth + 1)
            self.need(_ROUNDED[token])
            return functions.rounded(value, up=token == "\\lceil")
        if token in _BIG:
            return self.big(token, depth)
        if token[1:] in FUNCTIONS:
            return self.function(token[1:], depth)
        raise Unread

    def accented(self, token: str) -> Value:
        """`\\dot{x}_0`: a variable of its own."""
        self.need("{")
        name = self.next() or ""
        self.at += 1
        self.need("}")
        if not name.strip("\\").isalpha():
            raise Unread
        return values.variable(f"{token} {name}{self.subscript()}")

    def absolute(self, depth: int) -> Value:
        self.bars += 1
        value = self.whole(depth + 1)
        self.bars -= 1
        self.need("|")
        return functions.absolute(value)

    def argument(self, depth: int, *, whole: bool = False) -> Value:
        """What a command or `^` takes: a group, one symbol, one digit (`whole`: all digits, as people write x^10)."""
        token = self.next()
        if token is None or token in _CLOSING - {"-"} or token in ("*", "/", "^", "_", "["):
            raise Unread
        if token == "-":
            if not whole or self.at + 1 >= len(self.tokens) or not self.tokens[self.at + 1].isdigit():
                raise Unread
            self.at += 2
            return values.constant(-int(_short(self.tokens[self.at - 1])))
        if token[0] in "0123456789." and not whole:
            if not token.isdigit():
                raise Unread
            # TeX takes one digit: \frac12 is a half, \sqrt12 is the root of 1, then 2, which nobody means
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]] if len(token) > 1 else [token]
        if depth >= MAX_DEPTH:
            raise Unread
        return self.base(depth + 1)

    def root(self, depth: int) -> Value:
        degree = 2
        if self.take("["):
            token = self.next() or ""
            if not token.isdigit() or not 2 <= int(_short(token)) <= 100:
                raise Unread
            self.at, degree = self.at + 1, int(token)
            self.need("]")
        token = self.next() or ""
        if token.isdigit() and len(token) > 1:
            raise Unread
        return values.power(self.argument(depth), values.constant(Fraction(1, degree)), complex_too=self.complex)

    def subscript(self) -> str:
        """`_1`, `_{12}`, `_{max}`, `_{n+1}` as part of a name."""
        if not self.take("_"):
            return ""
        if not self.take("{"):
            token = self.next() or ""
            if not token.isalnum():
                raise Unread
            self.at += 1
            return f"_{token}"
        begun = self.at
        while (token := self.next() or "}") not in ("{", "}"):
            self.at += 1
        self.need("}")
        if self.at == begun + 1:
            raise Unread
        return f"_{''.join(self.tokens[begun : self.at - 1])}"

    def big(self, token: str, depth: int) -> Value:
        """`\\sum_{k=0}^{n} a_k`: a symbol of its own, by its bounds and its terms."""
        bounds = []
        for mark in ("_", "^"):
            if self.take(mark):
                begun = self.at
                self.group()
                bounds.append(mark + "".join(self.tokens[begun : self.at]).strip("{}"))
        return values.opaque(token + "".join(bounds), self.product(depth + 1))

    def group(self) -> None:
        """Pass over one token, or over a group in braces."""
        level = 0
        while (token := self.next()) is not None:
            self.at += 1
            level += (token == "{") - (token == "}")
            if level <= 0:
                return
        raise Unread

    def function(self, name: str, depth: int) -> Value:
        """`\\sin 2x`, `\\log_2(x+1)`, `\\cos^2 x`, `\\sin^{-1} x`."""
        base = self.argument(depth) if name == "log" and self.take("_") else None
        exponent = None
        if self.take("^"):
            exponent = self.argument(depth, whole=True)
            if exponent.exact == -1:
                name, exponent = functions.inverse(name), None
            elif exponent.exact is None or not 0 < exponent.exact <= 64:
                raise Unread
        if self.next() in ("(", "{"):
            argument = self.degrees(self.base(depth), name)
            if self.next() == "^":
                raise Unread
        else:
            argument = self.bare_argument(name, depth)
        found = functions.call(name, argument, base, complex_too=self.complex)
        return found if exponent is None else values.power(found, exponent)

    def bare_argument(self, name: str, depth: int) -> Value:
        value, found = values.constant(1), False
        while (token := self.next()) is not None and (
            (token[0] in "0123456789." and not found)
            or (token.isalpha() and len(token) == 1)
            or token in _SYMBOLS
            or token in ("\\pi", "\\frac", "\\sqrt")
            or (token == "|" and not found and not self.bars)
        ):
            value, found = values.multiply(value, self.power(depth)), True
        if not found or self.next() in ("/", "("):
            raise Unread
        return self.degrees(value, name)

    def degrees(self, value: Value, name: str) -> Value:
        """An angle in radians: `30\\degree` behind a sine."""
        if not self.take("\\degree"):
            return value
        if name not in TRIGONOMETRIC:
            raise Unread
        return values.multiply(value, values.divide(values.pi(), values.constant(180)))


def _short(digits: str) -> str:
    if len(digits) > 9:
        raise Unread
    return digits


def _decimal(token: str) -> Fraction:
    if len(token) > 400:
        raise Unread
    whole, _, after = token.partition(".")
    return Fraction(int(whole + after), 10 ** len(after))
