"""Numbers as people and models write them, read exactly; and the units behind them.

Nothing is evaluated: a pattern is matched, its digits are bounded, and `fractions.Fraction` does the rest.
"""

from __future__ import annotations

import re
from fractions import Fraction

import msgspec

MAX_DIGITS = 400
"""Digits of a number, and absolute value of a power of ten: beyond these an answer stays a text."""

_DECIMAL = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SIGN = r"(?P<sign>[+-]?) ?"
_WHOLE = r"(?:(?P<whole>[0-9]{1,9}) ?)?"
_FRAC = re.compile(
    rf"{_SIGN}{_WHOLE}\\frac ?(?:\{{ ?(?P<a>[+-]?{_DECIMAL}) ?\}}|(?P<a1>[0-9]) ?)"
    rf"(?:\{{ ?(?P<b>[+-]?{_DECIMAL}) ?\}}|(?P<b1>[0-9]))"
)
_RATIO = re.compile(rf"{_SIGN}(?:(?P<whole>[0-9]{{1,9}}) )?(?P<a>{_DECIMAL}) ?/ ?(?P<b>{_DECIMAL})")
_PLAIN = re.compile(
    rf"{_SIGN}(?P<a>{_DECIMAL})"
    r"(?:[eE](?P<e>[+-]?[0-9]+)"
    r"| ?(?:\\times|\\cdot|\*) ?10 ?\^ ?"
    r"(?:(?P<p1>[0-9])(?![0-9])|\{ ?(?P<p>[+-]?[0-9]+) ?\}|\(?(?P<p2>[+-]?[0-9]+)\)?))?"
)
_REPEATING = re.compile(rf"{_SIGN}(?P<a>[0-9]*)\.(?P<b>[0-9]*) ?\\(?:overline|bar|dot) ?\{{? ?(?P<c>[0-9]+) ?\}}?")
_NEW_ROW = re.compile(r"\\\\(?:\[[0-9.]{1,6}(?:em|ex|pt|mm|cm)\])?")
# a backslash too many before a command, out of text that was quoted twice; in a matrix three would stand there
_DOUBLED = re.compile(
    r"(?<!\\)\\\\(?=(?:d?frac|sqrt|left|right|text|boxed|pi|leq?|geq?|lt|gt|in|cup|infty|cdot|times|circ|pm|begin|end)"
    r"(?![A-Za-z]))"
)
ROW = "\x1e"
"""What `plain` makes of TeX's new row, so that the spacing commands behind it are told apart from it."""

_THOUSANDS = re.compile(r"(?<=[0-9])(?: ?\{ ?, ?\} ?|,?\\! ?|\\[,;:]|[\u2009\u202f])(?=[0-9]{3}(?![0-9]))")
_SQUARE_METRE = re.compile(r"(?<=[0-9 ])([cdkm]?m)([²³])")
_SPACED = re.compile(r"([+-]? ?[1-9][0-9]{0,2})((?: [0-9]{3})+)((?:\.[0-9]+)?)")
_VULGAR = "1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/6 5/6 1/8 3/8 5/8 7/8"
_CHARACTERS = str.maketrans(
    {"−": "-", "–": "-", "﹣": "-", "\uff0d": "-", "×": "\\times ", "⁄": "/", "∕": "/", "°": "\\degree "}
    | {"¹": "^1", "²": "^2", "³": "^3"}
    | {sign: f" {value}" for sign, value in zip("½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞", _VULGAR.split(), strict=True)}
    | dict.fromkeys("~\u00a0\u2007\u2009\u202f\u3000\t\r\n", " ")
)
_ASSIGNED = re.compile(r"\\?[A-Za-z]{1,6}(?:_\{?[A-Za-z0-9]\}?)? ?= ?")

_MONEY = {"\\$": "dollar", "$": "dollar", "US$": "dollar", "USD": "dollar", "€": "euro", "£": "pound sterling"}
_MONEY_BEFORE = re.compile(r"([+-]? ?)(US\$|USD|\\\$|\$|€|£) ?(?=[+-]?[.0-9])")
_SIGNS = {"%": "percent", "$": "dollar", "€": "euro", "£": "pound sterling", "¢": "cent"}
_DEGREES = re.compile(r" ?(?:\^ ?\{? ?\\(?:circ|degree) ?\}?|\\degree|\\circ) ?([CF]?)")
_FONT_WORDS = re.compile(
    r" ?\\(?:text|mathrm|textrm|textbf|textit|textnormal|mbox) ?\{ ?([A-Za-z][A-Za-z /.-]{0,60}) ?\}"
    r"(?: ?\^ ?\{? ?([23]) ?\}?)?"
)
_SPEED = re.compile(r" ([kc]?m|g|l) ?/ ?([smh]|min)(\^2)?")  # letters that mean units only together
_ASIDE = re.compile(r" ?\(([A-Za-z][A-Za-z ./-]{0,60})\)")
_WORDS = re.compile(r"( ?)([A-Za-z]{2,}(?:[ /-][A-Za-z]+){0,6})(?: ?\^ ?\{? ?([23]) ?\}?)?")
_MEASURES = {
    name: measure
    for measure, aliases in {
        "millimetre": "mm millimeter millimetre",
        "centimetre": "cm centimeter centimetre",
        "metre": "m meter metre",
        "kilometre": "km kilometer kilometre",
        "inch": "in inch inches",
        "foot": "ft foot feet",
        "yard": "yd yard",
        "mile": "mi mile",
        "milligram": "mg milligram",
        "gram": "g gm gram",
        "kilogram": "kg kilogram",
        "ounce": "oz ounce",
        "pound": "lb lbs pound",
        "millilitre": "ml milliliter millilitre",
        "litre": "l liter litre",
        "gallon": "gal gallon",
        "quart": "qt quart",
        "pint": "pt pint",
        "cup": "cup",
        "tablespoon": "tbsp tablespoon",
        "teaspoon": "tsp teaspoon",
        "ton": "ton tonne",
        "acre": "acre",
        "hectare": "ha hectare",
        "decade": "decade",
        "century": "century centuries",
        "second": "s sec second",
        "minute": "min minute",
        "hour": "h hr hour",
        "day": "day",
        "week": "week",
        "month": "month",
        "year": "yr year",
        "am": "am a.m",
        "pm": "pm p.m",
        "mile per hour": "mph mile/hour",
        "kilometre per hour": "km/h kph kmh",
        "degree": "degree deg",
        "radian": "radian rad",
        "percent": "percent",
        "dollar": "dollar usd buck",
        "cent": "cent penny pennies",
        "dime": "dime",
        "nickel": "nickel",
        "euro": "euro eur",
    }.items()
    for name in aliases.split()
}
# After one of these, what follows the number is part of its value: "5 or 6", "5 million", "2 pi".
# fmt: off
_NO_UNIT = frozenset({
    "and", "or", "to", "plus", "minus", "times", "over", "by", "than", "mod", "modulo", "if", "when", "where",
    "with", "base", "million", "billion", "trillion", "thousand", "hundred", "dozen", "half", "halves", "third",
    "thirds", "quarter", "quarters", "fourths", "fifths", "sixths", "eighths", "tenths", "hundredths", "pi", "sqrt",
    "infinity", "squared", "cubed", "factorial", "choose", "is", "are", "not", "one", "two", "three", "four",
    "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "january", "february", "march", "april", "may",
    "june", "july", "august", "september", "october", "november", "december",
})
# fmt: on


class Quantity(msgspec.Struct, frozen=True):
    """An exact number and its measure: a name of the table above, empty for plain numbers and counted things."""

    value: Fraction
    unit: str = ""


def plain(text: str) -> str:
    """Typography made uniform: minus signs, blanks, TeX spacing, thousands separators, fraction commands."""
    text = _SQUARE_METRE.sub(r" \\text{\1}\2", text.replace("\\text{,}", ","))
    text = _THOUSANDS.sub(",", text).translate(_CHARACTERS)
    text = _DOUBLED.sub(lambda _: "\\", text)
    text = _NEW_ROW.sub(ROW, text)
    text = re.sub(r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\q?quad|\\[,!;: ]", " ", text)
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    return re.sub(r" {2,}", " ", text).strip()


def read_number(text: str) -> Quantity | None:
    """The number that the whole of `text` (made `plain`) is, or None."""
    text = _ASSIGNED.sub("", text, count=1) if _ASSIGNED.match(text) else text
    if _SPACED.fullmatch(text):
        text = text.replace(" ", "")  # 1 000 000
    money = _MONEY_BEFORE.match(text)
    if money is not None:
        text = money.group(1) + text[money.end() :]
    if repeating := _REPEATING.fullmatch(text):
        return Quantity(_repeating(**repeating.groupdict())) if len(text) < MAX_DIGITS else None
    for pattern in (_FRAC, _RATIO, _PLAIN):
        match = pattern.match(text)
        if match is not None:
            value, unit = _value(match), _unit(text[match.end() :])
            if value is None or unit is None:
                return None
            return Quantity(value, _MONEY[money.group(2)] if money else unit)
    return None


def _repeating(sign: str, a: str, b: str, c: str) -> Fraction:
    """a.bccc..."""
    value = Fraction(int((a + b) or "0"), 10 ** len(b)) + Fraction(int(c), (10 ** len(c) - 1) * 10 ** len(b))
    return -value if sign == "-" else value


def _value(match: re.Match[str]) -> Fraction | None:
    parts = match.groupdict()
    if sum(map(str.isdigit, match.group())) > MAX_DIGITS:
        return None
    value = _decimal(parts.get("a") or parts.get("a1") or "")
    if "b" in parts:
        below = _decimal(parts["b"] or parts.get("b1") or "")
        if below == 0:
            return None
        value /= below
    if parts.get("whole"):
        if not 0 < value < 1:
            return None  # not a mixed number: `2\frac{3}{2}` may be a product
        value += int(parts["whole"])
    exponent = int(parts.get("e") or parts.get("p") or parts.get("p1") or parts.get("p2") or 0)
    if abs(exponent) > MAX_DIGITS:
        return None
    return value * Fraction(10) ** exponent * (-1 if parts["sign"] == "-" else 1)


def _decimal(digits: str) -> Fraction:
    whole, _, after = digits.replace(",", "").partition(".")
    sign = -1 if whole.startswith("-") else 1
    whole = whole.lstrip("+-")
    return sign * Fraction(int((whole + after) or "0"), 10 ** len(after))


def _unit(rest: str) -> str | None:
    """The measure that `rest` names, empty for none or for counted things, None when `rest` is no unit at all."""
    sign = rest.strip().removeprefix("\\")
    if not sign or sign in _SIGNS:
        return _SIGNS.get(sign, "")
    if degrees := _DEGREES.fullmatch(rest):
        return f"degree {degrees.group(1)}".strip()
    if font := _FONT_WORDS.fullmatch(rest):
        return _measure(font.group(1), font.group(2), alone=True)
    if aside := _ASIDE.fullmatch(rest):
        return _measure(aside.group(1), None, alone=True)
    if speed := _SPEED.fullmatch(rest):
        return f"{_MEASURES[speed.group(1)]} per {_MEASURES[speed.group(2)]}{speed.group(3) or ''}"
    if words := _WORDS.fullmatch(rest):
        return _measure(words.group(2), words.group(3), alone=words.group(1) == " ")
    return None


def _measure(words: str, power: str | None, *, alone: bool) -> str | None:
    """The measure that `words` name; `alone` says that they stand apart, so that others count things (not `5x`)."""
    parts = words.lower().rstrip(". ").split()
    if parts and parts[0] in ("square", "sq", "cubic"):
        power, parts = ("3" if parts[0] == "cubic" else "2"), parts[1:]
    name = "/".join(_singular(part) for part in parts).replace("/per/", "/")
    if name == "unit":
        return f"unit^{power}" if power else ""
    measure = _MEASURES.get(name) or _rate(name)
    if measure is not None:
        return f"{measure}^{power}" if power else measure
    return "" if alone and not _NO_UNIT.intersection(re.split(r"[ /-]", words.lower())) else None


def _rate(name: str) -> str | None:
    """`foot/second` out of measures that are known, else None."""
    parts = [_MEASURES.get(part) for part in name.split("/")]
    return " per ".join(part for part in parts if part) if len(parts) > 1 and all(parts) else None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and word not in _MEASURES else word


def units_differ(one: str, other: str) -> bool:
    """Whether two measures contradict each other; square units are any squares."""
    if not one or not other or one == other:
        return False
    if "unit^" in one or "unit^" in other:
        return one.partition("^")[2] != other.partition("^")[2]
    return True


def is_unit_word(word: str) -> bool:
    """Whether a word names a measure or continues a number (`cm`, `or`, `pi`), so that it is no product of letters."""
    return word in _MEASURES or word in _NO_UNIT


def unit_of(rest: str) -> str | None:
    """The measure that the text behind a value names, empty for counted things, None when it is no unit at all."""
    return _unit(rest)
