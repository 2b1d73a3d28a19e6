"""Answers made of parts: sets, tuples and intervals, lists, plus-minus, matrices, unions; relations are in `relations`.

One recursive normal form over text that is already `plain`. What is not understood gives None, and is then compared as
text: a wrong "different" is better than a wrong "same".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llemma.evals.answers import formula, matrices, relations
from llemma.evals.answers.forms import INFINITY, Found, all_of, of_value, shown, union, without_unit
from llemma.evals.answers.numbers import read_number
from llemma.evals.answers.values import Unread, Value

MAX_PARTS, MAX_NESTING = 200, 6

_UNICODE = str.maketrans(
    {
        "π": "\\pi ",
        "∞": "\\infty ",
        "±": "\\pm ",
        "≤": "\\le ",
        "≥": "\\ge ",
        "≠": "\\ne ",
        "≈": "\\approx ",
        "∪": "\\cup ",
        "∈": "\\in ",
        "·": "\\cdot ",
        "∅": "\\emptyset ",
        "ℝ": "\\mathbb{R}",
    }
    | {"⟨": "\\langle ", "⟩": "\\rangle ", "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "∠": "\\angle "}
    | {sup: f"^{digit}" for digit, sup in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    | {sub: f"_{digit}" for digit, sub in enumerate("₀₁₂₃₄₅₆₇₈₉")}
)
_ROOT_SIGN = re.compile(r"√ ?(?:([0-9]+|[A-Za-z](?![A-Za-z]))|(?=[({]))")
_JOINING = re.compile(r"\\(?:text|mbox|textrm|mathrm|textbf) ?\{ ?(and|or) ?\}|(?<=[)\]0-9}])(and|or)(?=[(\[0-9\\-])")
_SEPARATOR = re.compile(r" ?([,;]) ?(?:(and|or)\b ?)?| (and|or)(?![A-Za-z]) ?")
_BETWEEN = re.compile(r"[ ,;]*(?:and|or)?[ ,;]*")  # two formulas
_RATIO = re.compile(r"[0-9.]+(?: ?: ?[0-9.]+)+")
_OPEN, _CLOSE = "([{", ")]}"
_MEMBER = re.compile(r"(\\?[A-Za-z](?:_\{?[A-Za-z0-9]\}?)?) ?\\in(?![A-Za-z]) ?")
_CONDITION = re.compile(r" ?[A-Za-z](?: ?\\in ?\\(?:mathbb ?\{ ?R ?\}|R))? ?(?:\||\\mid(?![A-Za-z])|:) ?(?=[^|:]*$)")
_FIXED = {"\\emptyset": "{}", "\\varnothing": "{}", "\\mathbb{R}": "(-oo,oo)", "\\R": "(-oo,oo)"}
_WORDS_FIXED = {"all real numbers": "(-oo,oo)", "all reals": "(-oo,oo)", "the empty set": "{}"}


def structure(text: str) -> Found | None:
    """The normal form of an answer made `plain`, or None where its shape is not known. Never raises."""
    try:
        return form(_standard(text), 0)
    except (Unread, RecursionError):
        return None


def scalar(text: str) -> Value | None:
    """The value of an answer made `plain` that is one formula without variables, its name and unit off, or None."""
    text = _standard(text)
    try:
        left, _, right = text.rpartition("=")
        text, _ = without_unit(right.strip() if relations.NAME.fullmatch(left.strip()) else text)
        value = formula.read(text)
    except (Unread, RecursionError):
        return None
    return None if value.names else value


def _standard(text: str) -> str:
    text = _ROOT_SIGN.sub(lambda found: f"\\sqrt{{{found.group(1)}}}" if found.group(1) else "\\sqrt", text)
    text = _JOINING.sub(lambda found: f" {found.group(1) or found.group(2)} ", _spans(text).translate(_UNICODE))
    return formula.standard(re.sub(r" {2,}", " ", text).strip())


def _spans(text: str) -> str:
    """`$21,16$ or $11$` without its signs; of `$5, $6` they are money and stay."""
    pieces = text.split("$")
    if len(pieces) < 5 or len(pieces) % 2 == 0 or not all(_BETWEEN.fullmatch(piece) for piece in pieces[::2]):
        return text
    return "".join(pieces)


def form(text: str, depth: int) -> Found:
    """The normal form of a text made standard, `depth` levels inside an answer; `Unread` where it has none."""
    if depth > MAX_NESTING or not text:
        raise Unread
    if depth and (number := _number(text)):
        return number  # a part `10,000` is no list
    if fixed := _FIXED.get(text) or _WORDS_FIXED.get(text.casefold()):
        return Found(fixed)
    for reader in (_set, _matrix, _union, _tuple, _list, _relation, _plus_minus, _infinity, _ratio):
        found = reader(text, depth)
        if found is not None:
            return found
    return _value(text)


def _number(text: str) -> Found | None:
    if re.match(r"[+-]? ?0[0-9]", text):
        raise Unread  # a code or a cut thousand, not a number
    quantity = read_number(text)
    return Found(str(quantity.value), True, quantity.unit, relations.variable(text)) if quantity else None


def _value(text: str) -> Found:
    if number := _number(text):
        return number
    text, unit = without_unit(text)
    if text.startswith("[") and _whole(text):
        raise Unread  # [4] is no 4; inside a formula square brackets are brackets
    return of_value(formula.read(text), unit)


def _infinity(text: str, depth: int) -> Found | None:
    match = INFINITY.fullmatch(text)
    return Found(f"{match.group(1).replace('+', '')}oo") if match else None


def _ratio(text: str, depth: int) -> Found | None:
    """`7:32` as it is written; 14:64 is not reduced."""
    return Found(text.replace(" ", "")) if _RATIO.fullmatch(text) else None


def _set(text: str, depth: int) -> Found | None:
    member = _MEMBER.match(text)
    text = text[member.end() :] if member else text
    if not (text.startswith("\\{") and text.endswith("\\}")):
        # `{1,2}` without backslashes is a set that somebody wrote in plain text
        if not (text.startswith("{") and text.endswith("}") and "," in text and _whole(text)):
            return None
        text = f"\\{text[:-1]}\\}}"
    inside = text[2:-2]
    if condition := _CONDITION.match(inside):  # {x | x > 5} is the interval
        return relations.relation(inside[condition.end() :].strip(), lambda side: form(side, depth + 1))
    if "\\{" in inside or "|" in inside or "\\mid" in inside or ":" in inside:
        raise Unread
    name = member.group(1) if member else ""
    return Found(all_of(list({part(one, depth) for one, _ in split(inside)})) if inside.strip() else "{}", name=name)


def part(text: str, depth: int) -> str:
    """A member's form with its unit: what `equivalent` compares apart for a whole answer belongs here to the form."""
    return shown(form(text, depth + 1))


def _matrix(text: str, depth: int) -> Found | None:
    return matrices.matrix(text) if "\\begin" in text else None


def _union(text: str, depth: int) -> Found | None:
    member = _MEMBER.match(text)
    parts = re.split(r" ?\\cup(?![A-Za-z]) ?", text[member.end() :] if member else text)
    if len(parts) < 2:
        return None
    if len(parts) > MAX_PARTS or any(part[:1] not in ("(", "[", "\\") for part in parts):
        raise Unread
    return Found(union([part(one, depth) for one in parts]), name=member.group(1) if member else "")


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
    parts = [one for one, joint in split(inside) if joint in ("", ",", ";") or _not_joined()]
    name = member.group(1) if member else ""
    if len(parts) < 2:
        return None if left == "(" else _single(left, right, parts, depth)
    return Found(left + ",".join(part(one, depth) for one in parts) + right, name=name)


def _not_joined() -> bool:
    raise Unread


def _single(left: str, right: str, parts: list[str], depth: int) -> Found | None:
    if left == "[" and right == "]":
        return None
    return Found(left + part(parts[0], depth) + right)


def _whole(text: str) -> bool:
    """Whether the bracket that opens `text` is closed by its last character."""
    level = 0
    for at, letter in enumerate(text):
        level += (letter in _OPEN) - (letter in _CLOSE)
        if level == 0:
            return at == len(text) - 1
    return False


def split(text: str) -> Iterator[tuple[str, str]]:
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
    return part.strip("$").strip() if part.count("$") == 2 and part[0] == part[-1] == "$" else part


def _list(text: str, depth: int) -> Found | None:
    """`1, 2 and 3`: values in any order; `x = 1, y = 2` keeps its names; of inequalities the joining word counts."""
    parts = list(split(text))
    if len(parts) < 2:
        return None
    if len(parts) > MAX_PARTS:
        raise Unread
    if any(";" in word for _, word in parts) and any("," in word for _, word in parts):
        return _groups(text, depth)
    if all(len(one) == 1 and one.isupper() for one, _ in parts):
        return Found(",".join(one for one, _ in parts))  # letters may be an order ("from least to greatest")
    found = [form(one, depth + 1) for one, _ in parts]
    joints = {word for _, word in parts if word}
    return relations.joined(found, joints) or _listed(found, joints)


def _groups(text: str, depth: int) -> Found:
    """`p=5, q=2; p=7, q=2`: a list of lists."""
    found = [form(group.strip(), depth + 1) for group in text.split(";")]
    return _listed(found, {";"})


def _listed(found: list[Found], joints: set[str]) -> Found:
    names = [item.name for item in found]
    if len(set(names)) == len(names) and all(names) and "or" not in joints and not relations.numbered(set(names)):
        # x = 1, y = 2 is the point (1, 2) of (x, y)
        ordered = sorted(found, key=lambda item: item.name)
        point = ",".join(shown(item._replace(name="")) for item in ordered)
        return Found(f"({point})", name=f"({','.join(item.name for item in ordered)})")
    one_name = len(set(names) - {""}) <= 1 or relations.numbered(set(names))  # x = 2, 1
    items = [shown(item._replace(name="") if one_name else item) for item in found]
    if all(item.startswith("(") for item in items):
        items = list(set(items))  # a point that is named twice is one solution
    either = "" if one_name or "or" not in joints else "or:"  # x = 1 or y = 2
    return Found(either + all_of(items), name=max(names) if one_name else "")


def _relation(text: str, depth: int) -> Found | None:
    return relations.relation(text, lambda side: form(side, depth + 1))


def _plus_minus(text: str, depth: int) -> Found | None:
    """`a \\pm b` is the list of a + b and a - b."""
    if "\\pm" not in text and "\\mp" not in text:
        return None
    if text.count("\\pm") != 1 or "\\mp" in text:
        raise Unread
    above, below = (form(re.sub(r"\\pm(?![A-Za-z])", sign, text).strip(), depth + 1) for sign in "+-")
    return Found(all_of([shown(above), shown(below)]))
