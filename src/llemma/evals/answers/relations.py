"""Equations and inequalities: solved for one variable where they are linear in it, else up to rearranging and scaling.

`2x = 10` is `x = 5`, `x > 5` is the interval `(5, oo)` with the name x, and `y = 2x + 1` is `4x - 2y + 2 = 0`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from llemma.evals.answers import formula, values
from llemma.evals.answers.forms import INFINITY, Found, of_value, shown, union, without_unit
from llemma.evals.answers.values import Unread, Value, key

Reader = Callable[[str], Found]
"""Reads the form of a part of an answer, one level deeper."""

NAME = re.compile(r"\\?[A-Za-z](?:_\{?[A-Za-z0-9]{1,3}\}?)?|\\(?:theta|alpha|beta|gamma|lambda|phi|mu|sigma)")
_NUMBERED = re.compile(r"([a-z])_\{?([0-9])\}?")
_NAMES = re.compile(r"\( ?[A-Za-z] ?(?:, ?[A-Za-z] ?){1,4}\)")  # of a tuple
_FUNCTION = re.compile(r"[A-Za-z] ?\( ?[a-z](?: ?, ?[a-z])? ?\)|[A-Za-z]\^\{ ?-1 ?\} ?\( ?[a-z] ?\)")
# what is no formula but a name: f(3), P(A), |AB|, AB, \angle ABC, A : B, \frac{NO}{BO}, S_{ABC} : S
_LABEL = re.compile(
    r"[A-Za-z]\([A-Za-z0-9]{1,4}\)|\|[A-Z]{2}\||[A-Z]{2,4}|(?:m ?)?\\(?:angle|triangle) ?[A-Z]{1,3}"
    r"|[A-Z](?:_\{?[A-Za-z0-9]{1,6}\}?)? ?: ?[A-Z](?:_\{?[A-Za-z0-9]{1,6}\}?)?|\\frac ?\{ ?[A-Z]{2} ?\}\{ ?[A-Z]{2} ?\}"
    r"|\\text ?\{[A-Za-z ]{1,40}\}"
)
_RELATION = re.compile(r"\\(?:leq?|geq?|neq?|lt|gt|leqslant|geqslant|approx)(?![A-Za-z])|!=|[<>]=?|=")
_CONGRUENCE = re.compile(
    r"(?:([^=<>]{1,60})\\equiv ?)?([^=<>()]{1,60}?) ?"
    r"(?:\\pmod ?\{? ?|\( ?(?:\\(?:text|mathrm) ?\{ ?mod ?\}|\\?b?mod) ?|\\bmod ?\{? ?)([0-9]{1,9}) ?[})]?"
)
# fmt: off
_KINDS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "\\le": "<=", "\\leq": "<=", "\\leqslant": "<=", "!=": "!=",
    "\\ge": ">=", "\\geq": ">=", "\\geqslant": ">=", "\\lt": "<", "\\gt": ">", "\\ne": "!=", "\\neq": "!=",
    "\\approx": "~",
}
# fmt: on
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}


def variable(text: str) -> str:
    """The one-letter name in `x = 5`, or an empty string."""
    name = NAME.match(text)
    return name.group() if name and text[name.end() :].lstrip().startswith("=") else ""


def relation(text: str, read: Reader) -> Found | None:
    """The form of an equation, a congruence, an inequality or a chain of them; None for anything else."""
    if congruence := _CONGRUENCE.fullmatch(text):
        return _congruence(congruence, read)
    signs = [sign for sign in _RELATION.finditer(text) if _outside_braces(text[: sign.start()])]
    if not signs:
        return None
    kinds = [_KINDS[sign.group()] for sign in signs]
    ends = [0] + [sign.end() for sign in signs]
    sides = [text[end : sign.start()].strip() for end, sign in zip(ends, signs, strict=False)] + [
        text[ends[-1] :].strip()
    ]
    if "~" in kinds[1:]:  # x = 1/3 \approx 0.333 says 1/3
        at = kinds.index("~", 1)
        kinds, sides = kinds[:at], sides[: at + 1]
    if kinds in (["="], ["~"]):
        return _equation(sides[0], sides[1], read)
    if set(kinds) == {"="}:
        return _chain(sides, read)
    if "=" in kinds or "~" in kinds or "!=" in kinds[1:] or any("\\pm" in side for side in sides):
        raise Unread
    if len(kinds) == 1:
        return _inequality(sides[0], kinds[0], sides[1])
    return _between(sides, kinds)


def _congruence(match: re.Match[str], read: Reader) -> Found:
    """`x \\equiv 10 \\pmod 7` is 3 modulo 7, of x."""
    left, right, modulus = match.groups()
    found = read(right)
    if not found.number or int(modulus) == 0:
        raise Unread
    name = (left or "").strip()
    if name and not NAME.fullmatch(name):
        name = f"~{key(_value(name))}"
    return Found(f"{Fraction(found.form) % int(modulus)} mod {int(modulus)}", name=name)


def _outside_braces(before: str) -> bool:
    return before.count("{") == before.count("}")  # not the k = 0 of \\sum_{k=0}


def _chain(sides: list[str], read: Reader) -> Found:
    """`x = 5 + 6 = 11` says 11: the last, when it is a value; what leads to it may hold a slip, and is not judged."""
    last = read(sides[-1])
    if sum(NAME.fullmatch(side) is not None for side in sides[:-1]) > 1:
        raise Unread  # x = y = 3 says it of two
    if not last.number and _value(sides[-1]).names:
        raise Unread
    return last._replace(name=sides[0] if NAME.fullmatch(sides[0]) else "")


def _equation(left: str, right: str, read: Reader) -> Found:
    """`x = 5` is 5 with the name x; a label (`f(3)`, `AB`) is such a name; the rest is left - right = 0."""
    if _LABEL.fullmatch(right) and not _LABEL.fullmatch(left) and not NAME.fullmatch(left):
        left, right = right, left
    if NAME.fullmatch(left):
        found = _named(right, read)
        if found is not None:
            return found._replace(name=left)
    if _LABEL.fullmatch(left) and (labelled := _labelled(right, read)) is not None:
        return labelled._replace(name=left.replace(" ", "") if left[0] != "\\" else "")
    if _NAMES.fullmatch(left) and right.startswith("("):
        return read(right)._replace(name=left.replace(" ", ""))
    if _FUNCTION.fullmatch(left):
        return Found(f"{left.replace(' ', '')}={shown(read(right))}")
    one, other = formula.read(left), formula.read(right)
    if not one.names and not other.names:
        return read(right)  # 2 + 3 = 5 says 5
    difference = _with_names(values.add(one, other, -1))
    solved = values.linear_root(difference)
    if solved is not None:
        return of_value(solved[0], name=next(iter(difference.names)))
    return Found(f"rel:{key(values.scaled(difference, keep_sign=False))}=0")


def _labelled(right: str, read: Reader) -> Found | None:
    """The value behind a label, None when it is a formula in variables."""
    found = read(right)
    try:
        return found if found.number or found.unit or not _value(right).names else None
    except Unread:
        return found  # 7 : 32, a point


def _named(right: str, read: Reader) -> Found | None:
    """What a name is said to be, when that is a value; `y = 2x` is an equation."""
    found = read(right)
    if found.form[0] in "([{<m":  # a point, an interval, a list, a vector, a matrix
        return found
    try:
        return None if _value(right).names else found
    except Unread:
        return found if found.number or found.unit else None


def _value(text: str) -> Value:
    """The value of a formula, its unit off."""
    return formula.read(without_unit(text)[0])


def _inequality(left: str, kind: str, right: str) -> Found:
    if _infinite(left) or _infinite(right):
        raise Unread
    difference = _with_names(values.add(formula.read(left), formula.read(right), -1))
    solved = values.linear_root(difference)
    if solved is None:
        return Found(_scaled(difference, kind))
    root, slope = solved
    kind, name, at = kind if slope > 0 else _FLIPPED[kind], next(iter(difference.names)), key(root)
    if kind == "!=":
        return Found(f"!={at}", name=name)
    close = "]" if kind == "<=" else ")"
    return Found(f"(-oo,{at}{close}" if "<" in kind else f"{'[' if kind == '>=' else '('}{at},oo)", name=name)


def _between(sides: list[str], kinds: list[str]) -> Found:
    """`1 < x \\le 3` is the interval (1, 3] of x; a chain that is no interval, its inequalities."""
    if len(kinds) != 2 or any(_infinite(side) for side in sides):
        raise Unread
    if all(">" in kind for kind in kinds):
        sides, kinds = sides[::-1], [_FLIPPED[kind] for kind in kinds[::-1]]
    low, middle, high = (formula.read(side) for side in sides)
    if all("<" in kind for kind in kinds) and not low.names and not high.names and middle.names:
        form = f"{'(['['=' in kinds[0]]}{key(low)},{key(high)}{')]'['=' in kinds[1]]}"
        if NAME.fullmatch(sides[1]) or _FUNCTION.fullmatch(sides[1]):
            return Found(form, name=sides[1].replace(" ", ""))
        return Found(f"{key(middle)} in {form}")  # of 2x + 1 or |z|
    pairs = zip((low, middle), kinds, (middle, high), strict=True)
    both = [_scaled(_with_names(values.add(a, b, -1)), kind) for a, kind, b in pairs]
    return Found("rel:" + "&".join(sorted(both)))


def _scaled(difference: Value, kind: str) -> str:
    if kind in (">", ">="):
        difference, kind = values.multiply(values.constant(-1), difference), _FLIPPED[kind]
    return f"rel:{key(values.scaled(difference, keep_sign=kind != '!='))}{kind}0"


def _with_names(difference: Value) -> Value:
    """A difference that still depends on something: `x = x` and `1 < 2` say nothing."""
    difference = values.settled(difference)
    if not difference.names:
        raise Unread
    return difference


def joined(found: list[Found], joints: set[str]) -> Found | None:
    """A list of inequalities: "or" makes a union of intervals, "and" and a comma keep them side by side."""
    if not any(item.form.startswith(("rel:", "!=")) or _half_line(item) for item in found):
        return None
    one_name = len({item.name for item in found}) == 1
    name = found[0].name if one_name else ""
    forms = [item.form if one_name else f"{item.name}~{item.form}" for item in found]
    if joints == {"or"} and one_name and all(item.form[0] in "([" for item in found):
        return Found(union(forms), name=name)
    if joints == {"or"}:
        return Found("or:" + ";".join(sorted(forms)), name=name)
    # `x > 1, x < 3` and `x > 1 and x < 3` say the same
    if joints <= {",", ";", "and"}:
        return Found("and:" + ";".join(sorted(forms)), name=name)
    raise Unread


def _half_line(item: Found) -> bool:
    """Whether a form is an interval that an inequality gave; a point has the name of a point."""
    return bool(item.name) and item.name[0] != "(" and item.form[0] in "(["


def numbered(names: set[str]) -> bool:
    """Whether names number the solutions of one unknown: x_1, x_2 (of a sequence a_1, a_2 the order counts)."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    letters = {match.group(1) for match in found if match}
    digits = sorted(int(match.group(2)) for match in found if match)
    return (
        all(found) and letters <= {"x", "z", "t", "r"} and len(letters) == 1 and digits == [*range(1, len(digits) + 1)]
    )


def _infinite(text: str) -> bool:
    return INFINITY.fullmatch(text) is not None
