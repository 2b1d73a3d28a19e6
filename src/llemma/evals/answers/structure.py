"""Answers made of parts: sets, tuples and intervals, lists, plus-minus, matrices, unions, equations, inequalities.

One recursive normal form over text that is already `plain`. What is not understood gives None, and is then compared as
text: a wrong "different" is better than a wrong "same".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from llemma.evals.answers import exact, formula
from llemma.evals.answers.exact import Sum, Unread
from llemma.evals.answers.numbers import ROW, read_number, unit_of

MAX_PARTS, MAX_NESTING = 200, 6

_UNICODE = str.maketrans(
    {
        "π": "\\pi ",
        "∞": "\\infty ",
        "±": "\\pm ",
        "≤": "\\le ",
        "≥": "\\ge ",
        "≠": "\\ne ",
        "∪": "\\cup ",
        "·": "\\cdot ",
    }
    | {"⟨": "\\langle ", "⟩": "\\rangle ", "θ": "\\theta "}
)
_ROOT_SIGN = re.compile(r"√ ?([0-9]+|[A-Za-z](?![A-Za-z]))")
_JOINING = re.compile(r"\\(?:text|mbox|textrm|mathrm|textbf) ?\{ ?(and|or) ?\}")
_SEPARATOR = re.compile(r" ?([,;]) ?(?:(and|or)\b ?)?| (and|or)(?![A-Za-z]) ?")
_OPEN, _CLOSE = "([{", ")]}"
_INFINITY = re.compile(r"([+-]?) ?(?:\\infty|\\infinity|infinity|infty|inf)")
_MATRIX = re.compile(
    r"\\begin ?\{([pbvBV]?matrix|smallmatrix|array)\} ?(?:\{[lcr| ]{1,20}\})?(.*)\\end ?\{\1\}", re.DOTALL
)
_NAME = re.compile(r"\\?[A-Za-z](?:_\{?[A-Za-z0-9]\}?)?|\\(?:theta|alpha|beta|lambda)")
_NAMES = re.compile(r"\( ?[A-Za-z] ?(?:, ?[A-Za-z] ?){1,4}\)")  # of a tuple
_FUNCTION = re.compile(r"[A-Za-z] ?\( ?[a-z](?: ?, ?[a-z])? ?\)|[A-Za-z]\^\{ ?-1 ?\} ?\( ?[a-z] ?\)")
_MEMBER = re.compile(r"([A-Za-z]) ?\\in(?![A-Za-z]) ?")
_RELATION = re.compile(r"\\(?:leq?|geq?|neq?|lt|gt|leqslant|geqslant)(?![A-Za-z])|[<>]=?|=")
# fmt: off
_KINDS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "\\le": "<=", "\\leq": "<=", "\\leqslant": "<=",
    "\\ge": ">=", "\\geq": ">=", "\\geqslant": ">=", "\\lt": "<", "\\gt": ">", "\\ne": "!=", "\\neq": "!=",
}
# fmt: on
_UNIT_BEHIND = re.compile(
    r"(?: ?\\(?:text|mathrm|textrm|mbox) ?\{ ?[A-Za-z][A-Za-z ]{0,40}\}| [A-Za-z]{2,20}(?: [A-Za-z]{2,20}){0,3})"
    r"(?: ?\^ ?\{? ?[23] ?\}?)?$"
)


class Found(NamedTuple):
    """A normal form; whether it is one rational number; the unit and the name of a value that were taken off."""

    form: str
    number: bool = False
    unit: str = ""
    name: str = ""


def structure(text: str) -> Found | None:
    """The normal form of an answer made `plain`, or None where its shape is not known. Never raises."""
    text = _ROOT_SIGN.sub(r"\\sqrt{\1}", text.translate(_UNICODE))
    try:
        return _form(_JOINING.sub(r" \1 ", text).strip(), 0)
    except (Unread, RecursionError):
        return None


def variable(text: str) -> str:
    """The one-letter name in `x = 5`, or an empty string."""
    name = _NAME.match(text)
    return name.group() if name and text[name.end() :].lstrip().startswith("=") else ""


def _form(text: str, depth: int) -> Found:
    if depth > MAX_NESTING or not text:
        raise Unread
    if depth and (number := _number(text)):
        return number  # a part `10,000` is no list
    for reader in (_set, _matrix, _union, _tuple, _list, _relation, _plus_minus, _infinity):
        found = reader(text, depth)
        if found is not None:
            return found
    return _value(text)


def _number(text: str) -> Found | None:
    if re.match(r"[+-]? ?0[0-9]", text):
        raise Unread  # a code or a cut thousand, not a number
    quantity = read_number(text)
    return Found(str(quantity.value), True, quantity.unit, variable(text)) if quantity else None


def _value(text: str) -> Found:
    if number := _number(text):
        return number
    unit = ""
    behind = _UNIT_BEHIND.search(text)
    if behind is not None:
        measure = unit_of(behind.group())
        if measure is None:
            raise Unread
        text, unit = text[: behind.start()], measure
    value = formula.read(text)
    return Found(exact.show(value), exact.rational(value) is not None, unit)


def _infinity(text: str, depth: int) -> Found | None:
    match = _INFINITY.fullmatch(text)
    return Found(f"{match.group(1).replace('+', '')}oo") if match else None


def _set(text: str, depth: int) -> Found | None:
    text = _MEMBER.sub("", text, count=1) if _MEMBER.match(text) else text
    if not (text.startswith("\\{") and text.endswith("\\}")):
        return None
    inside = text[2:-2]
    if "\\{" in inside or "|" in inside or "\\mid" in inside or ":" in inside:
        raise Unread
    return Found(_all(list({_part(part, depth) for part, _ in _split(inside)})))


def _part(text: str, depth: int) -> str:
    """A member's form with its unit: what `equivalent` compares apart for a whole answer belongs here to the form."""
    return _shown(_form(text, depth + 1))


def _shown(found: Found) -> str:
    return f"{found.name}={found.form}[{found.unit}]" if found.unit or found.name else found.form


def _matrix(text: str, depth: int) -> Found | None:
    match = _MATRIX.fullmatch(text)
    if match is None or "\\begin" in match.group(2):
        return None
    kind = "det" if match.group(1) in ("vmatrix", "Vmatrix") else "matrix"
    rows = [row for row in match.group(2).split(ROW) if row.strip()]
    if len(rows) > MAX_PARTS:
        raise Unread
    cells = [",".join(_part(cell.strip(), depth) for cell in row.split("&")) for row in rows]
    return Found(f"{kind}[{';'.join(cells)}]")


def _union(text: str, depth: int) -> Found | None:
    member = _MEMBER.match(text)
    parts = re.split(r" ?\\cup(?![A-Za-z]) ?", text[member.end() :] if member else text)
    if len(parts) < 2:
        return None
    if len(parts) > MAX_PARTS or any(part[:1] not in ("(", "[", "\\") for part in parts):
        raise Unread
    return Found("U".join(sorted({_part(part, depth) for part in parts})))


def _tuple(text: str, depth: int) -> Found | None:
    """`(1, 2)`, `[1, 2)`, `\\langle 1, 2\\rangle`: ordered, and the kind of bracket counts."""
    member = _MEMBER.match(text)
    text = text[member.end() :] if member else text
    if not text:
        raise Unread
    left, right = text[0], text[-1]
    if text.startswith("\\langle") and text.endswith("\\rangle"):
        left, right, inside = "<", ">", text[7:-7]
    elif left in "([" and right in ")]" and _whole(text):
        inside = text[1:-1]
    else:
        return None
    parts = [part for part, joint in _split(inside) if joint in ("", ",", ";") or _not_joined()]
    if len(parts) < 2:
        return None if left == "(" else _single(left, right, parts, depth)
    return Found(left + ",".join(_part(part, depth) for part in parts) + right)


def _not_joined() -> bool:
    raise Unread


def _single(left: str, right: str, parts: list[str], depth: int) -> Found | None:
    if left == "[" and right == "]":
        return None
    return Found(left + _part(parts[0], depth) + right)


def _whole(text: str) -> bool:
    """Whether the bracket that opens `text` is closed by its last character."""
    level = 0
    for at, letter in enumerate(text):
        level += (letter in _OPEN) - (letter in _CLOSE)
        if level == 0:
            return at == len(text) - 1
    return False


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Parts between commas, semicolons, "and", "or" outside brackets, each with what separates it from the next."""
    grouped = (
        re.search(r"[0-9],[0-9]{3}(?![0-9])", text) is not None and re.search(r", |;| (?:and|or) ", text) is not None
    )
    level, begun, at = 0, 0, 0
    for _ in range(len(text) + 1):
        if at >= len(text):
            break
        level += (text[at] in _OPEN) - (text[at] in _CLOSE)
        match = _SEPARATOR.match(text, at) if level == 0 and text[at] in " ,;" else None
        if match is None or (grouped and re.match(r",[0-9]{3}(?![0-9])", text[at:]) and text[at - 1 : at].isdigit()):
            at += 1
            continue
        yield _given(text[begun:at]), match.group(2) or match.group(3) or match.group(1)
        begun = at = match.end()
    if level:
        raise Unread
    yield _given(text[begun:]), ""


def _given(part: str) -> str:
    part = part.strip()
    if not part:
        raise Unread
    return part.strip("$") if part.count("$") == 2 and part[0] == part[-1] == "$" else part


def _list(text: str, depth: int) -> Found | None:
    """`1, 2 and 3`: values in any order; `x = 1, y = 2` keeps its names; of inequalities the joining word counts."""
    parts = list(_split(text))
    if len(parts) < 2:
        return None
    if len(parts) > MAX_PARTS:
        raise Unread
    found = [_form(part, depth + 1) for part, _ in parts]
    if all(len(part) == 1 and part.isupper() for part, _ in parts):
        return Found(",".join(part for part, _ in parts))  # letters may be an order ("from least to greatest")
    names = {item.name for item in found}
    one_name = len(names) == 1 or (names == {"", found[0].name} and not any(item.name for item in found[1:]))
    forms = [_shown(item._replace(name="") if one_name else item) for item in found]
    if any(item.form.startswith("rel") for item in found):
        joint = next((word for _, word in parts if word in ("and", "or")), ",")
        return Found(f"{joint}:" + ";".join(sorted(forms)))
    either = "" if one_name or not any(word == "or" for _, word in parts) else "or:"  # x = 1 or y = 2
    return Found(either + _all(forms), name=found[0].name if one_name else "")


def _all(forms: list[str]) -> str:
    """Values in any order: `1, 2` is the set {1, 2}; one that is given twice makes another answer."""
    return "{" + ";".join(sorted(forms)) + "}"


def _plus_minus(text: str, depth: int) -> Found | None:
    """`a \\pm b` is the list of a + b and a - b."""
    if "\\pm" not in text and "\\mp" not in text:
        return None
    if text.count("\\pm") != 1 or "\\mp" in text:
        raise Unread
    above, below = (_form(re.sub(r"\\pm(?![A-Za-z])", sign, text).strip(), depth + 1) for sign in "+-")
    return Found(_all([_shown(above), _shown(below)]))


def _relation(text: str, depth: int) -> Found | None:
    signs = list(_RELATION.finditer(text))
    if not signs:
        return None
    if len(signs) > 2:
        raise Unread
    kinds = [_KINDS[sign.group()] for sign in signs]
    ends = [0] + [sign.end() for sign in signs]
    sides = [text[end : sign.start()].strip() for end, sign in zip(ends, signs, strict=False)] + [
        text[ends[-1] :].strip()
    ]
    if kinds == ["="]:
        return _equation(sides[0], sides[1], depth)
    if "=" in kinds or "!=" in kinds[1:] or any("\\pm" in side for side in sides):
        raise Unread
    both = [_inequality(sides[n], kinds[n], sides[n + 1]) for n in range(len(kinds))]
    return Found("rel:" + "&".join(sorted(both)))


def _equation(left: str, right: str, depth: int) -> Found:
    if _NAME.fullmatch(left):
        found = _named(right, depth)
        if found is not None:
            return found._replace(name=left)
    if _NAMES.fullmatch(left) and right.startswith("("):
        return _form(right, depth + 1)._replace(name=left.replace(" ", ""))
    if _FUNCTION.fullmatch(left):
        return Found(f"{left.replace(' ', '')}={_part(right, depth)}")
    difference = exact.add(formula.read(left), formula.read(right), -1)
    if not exact.variables(difference):
        raise Unread
    return Found(f"rel:{exact.show(exact.scale(difference, 1 / exact.leading(difference)))}=0")


def _named(right: str, depth: int) -> Found | None:
    """What a name is said to be, when that is a value; `y = 2x` is an equation."""
    found = _form(right, depth + 1)
    if found.form[0] in "([{<lmU":
        return found
    try:
        return None if exact.variables(formula.read(right)) else found
    except Unread:
        return found if found.number or found.unit else None


def _inequality(left: str, kind: str, right: str) -> str:
    if infinite := [side for side in (left, right) if _INFINITY.fullmatch(side)]:
        raise Unread(infinite)
    difference: Sum = exact.add(formula.read(left), formula.read(right), -1)
    if not exact.variables(difference):
        raise Unread
    if kind in (">", ">="):
        difference, kind = exact.scale(difference, Fraction(-1)), kind.replace(">", "<")
    lead = exact.leading(difference)
    return f"{exact.show(exact.scale(difference, 1 / (lead if kind == '!=' else abs(lead))))}{kind}0"
