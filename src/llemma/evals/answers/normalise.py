"""One canonical form for each answer, so that comparing and voting are comparisons of strings.

Conventions, each of which a reader may disagree with:

- Numbers are exact rationals: `1,200`, `1200.0`, `1.2e3`, `\\frac{2400}{2}` and `$1,200` are one number, and `0.33`
  is not 1/3 (a decimal of six digits and more may stand for it: `equivalent.rounded`).
- Formulas are compared by their values, see `values`.
- A currency sign, a percent sign and trailing unit words are units; 50% is 50 of something, never 0.5.
  The unit is no part of the canonical form; `equivalent` refuses two answers in different measures (`3 hours`,
  `3 minutes`), but does not compare counted things (`3 apples`, `3 pears`).
- A comma between groups of three digits separates thousands (`1,234`); any other comma separates items.
- `n\\frac{a}{b}` and `n a/b` with a/b below 1 are mixed numbers.
- `x = 5` is the number 5. Any other answer is compared as text: TeX spacing, font commands, outer `$`, `\\boxed`,
  `\\text` and a final full stop do not count; letter case counts in formulas and not in words; `(A)` is the choice A.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

import msgspec

from llemma.evals.answers.numbers import plain, read_number
from llemma.evals.answers.relations import variable
from llemma.evals.answers.structure import scalar, structure

MAX_TEXT = 2_000
"""Characters of an answer that is normalised; a longer one is compared as it stands."""

_NEAR = 330  # bits behind the point
_WRAPPING = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("*", "*"), ("`", "`"), ('"', '"'))
_WRAPPING_COMMAND = re.compile(r"\\(?:boxed|fbox|text|textbf|textrm|textit|mathbf|mathrm|mbox|displaystyle) ?(?=\{)")
_FONT = re.compile(r"\\(?:text|textbf|textrm|textit|mathbf|mathrm|mbox|operatorname) ?\{([^{}]*)\}")
_FORMULA_AND_UNIT = re.compile(r"\$([^$]+)(?<!\\)\$( ?[A-Za-z%][^$]*)")  # `$5$ apples`
_WORDS = re.compile(r"[A-Za-z][A-Za-z' -]+")
_CLOCK = re.compile(r"([0-9]{1,2}:[0-9]{2}) ?([AaPp])\.? ?[Mm]\.?")
_BASED = re.compile(r"\(? ?([0-9A-F]+) ?\)? ?_ ?\{? ?([1-9][0-9]?) ?\}?")
# fmt: off
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)
# fmt: on
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS).replace("(?:)", "")
_DATE = re.compile(
    rf"(?:(?P<m1>{_MONTH})\.? (?P<d1>[0-9]{{1,2}})(?:st|nd|rd|th)?|"
    rf"(?P<d2>[0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m2>{_MONTH})\.?)(?:,? (?P<y>[0-9]{{4}}))?"
    r"|(?P<y3>[0-9]{4})-(?P<m3>[0-9]{2})-(?P<d3>[0-9]{2})",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\( ?([A-Za-z]) ?\)")
_FONT_CHOICE = re.compile(r"\( ?\\(?:text|textbf|mathrm|mathbf) ?\{ ?([A-Za-z]) ?\} ?\)")
_SYNONYMS = ((r"\\leq(?![A-Za-z])", r"\\le"), (r"\\geq(?![A-Za-z])", r"\\ge"), (r"\\(?:ne|neq)(?![A-Za-z])", r"\\ne"))


class Canonical(msgspec.Struct, frozen=True):
    """The comparable form of an answer: `form` is all that a vote compares; `unit` and `name` (of `x = 5`) may be
    empty. `text` is what was read, without wrapping, for people."""

    form: str
    number: bool = False
    unit: str = ""
    name: str = ""
    text: str = ""


def canonical(answer: str) -> Canonical:
    """The canonical form of an answer. Never raises; time is bounded. Each distinct string is worked out once."""
    return _canonical(answer) if len(answer) <= MAX_TEXT else Canonical(answer.strip(), text=answer.strip())


@lru_cache(maxsize=8192)
def _canonical(answer: str) -> Canonical:
    text = plain(unwrap(answer))
    quantity = read_number(text)
    if quantity is not None:
        return Canonical(str(quantity.value), True, quantity.unit, variable(text), text)
    found = structure(text)
    if found is not None:
        return Canonical(found.form, found.number, found.unit, found.name, text)
    return Canonical(_text_form(text), text=text)


@lru_cache(maxsize=1024)
def near(text: str) -> Fraction | None:
    """The value of an answer's `text`, to 100 digits, when it is one real number."""
    value = scalar(text)
    if value is None:
        return None
    if value.exact is not None:
        return value.exact
    at = value.at[0]
    if len(value.at) > 1 or at is None or at.imag:
        return None
    return Fraction(int(at.real * 2**_NEAR), 2**_NEAR)


def unwrap(text: str) -> str:
    """`text` without what merely surrounds it: blanks, `$`, `\\(`, `\\boxed{}`, emphasis, quotes, a final full stop."""
    text = text.replace('\\"', '"')
    for _ in range(8):  # one layer a turn; deeper wrapping is no answer
        before, text = text, text.strip().removeprefix("\\displaystyle ").lstrip()
        text = text[:-1].rstrip() if text.endswith((".", ",", ";")) else text
        for left, right in _WRAPPING:
            text = _between(text, left, right)
        command = _WRAPPING_COMMAND.match(text)
        inside = inside_braces(text[command.end() if command else 0 :])
        text = text if inside is None else inside
        if text == before:
            break
    if choice := _FONT_CHOICE.fullmatch(text):
        return f"({choice.group(1)})"
    formula = _FORMULA_AND_UNIT.fullmatch(text)
    return formula.group(1) + formula.group(2) if formula else text


def _between(text: str, left: str, right: str) -> str:
    if len(text) <= len(left) + len(right) or not (text.startswith(left) and text.endswith(right)):
        return text
    inside = text[len(left) : -len(right)]
    bare = inside.replace("\\$", "")
    # `$3$ and $4$` is two formulas, `$5\$` ends in an escaped sign
    return text if inside.endswith("\\") or left in bare or right in bare else inside


def inside_braces(text: str) -> str | None:
    """What is inside when one pair of braces holds all of `text`, else None."""
    if not (text.startswith("{") and text.endswith("}")):
        return None
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[1:-1] if brace.end() == len(text) else None
    return None


def _date(match: re.Match[str]) -> str:
    """`2019-03-05`, `--03-05` without a year; the order of day and month is that of its writing, never guessed."""
    found = match.groupdict()
    if found["y3"]:
        return f"{found['y3']}-{found['m3']}-{found['d3']}"
    month = (found["m1"] or found["m2"])[:3].lower()
    number = 1 + next(i for i, name in enumerate(_MONTHS) if name.startswith(month))
    return f"{found['y'] or '-'}-{number:02d}-{int(found['d1'] or found['d2']):02d}"


def _text_form(text: str) -> str:
    text = unwrap(_FONT.sub(r" \1 ", text))
    if date := _DATE.fullmatch(" ".join(text.split())):
        return _date(date)
    if _WORDS.fullmatch(text):
        return " ".join(text.casefold().split())
    if clock := _CLOCK.fullmatch(text):
        return f"{clock.group(1)} {clock.group(2).lower()}m"
    if based := _BASED.fullmatch(text):
        return f"{based.group(1)}_{based.group(2)}"
    for pattern, standard in _SYNONYMS:
        text = re.sub(pattern, standard, text)
    text = re.sub(r"\\frac ?([0-9]) ?([0-9])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\sqrt ?([0-9A-Za-z])(?![0-9A-Za-z])", r"\\sqrt{\1}", text)
    text = re.sub(r"([\^_]) ?\{ ?([0-9A-Za-z]) ?\}", r"\1\2", text)
    text = _CHOICE.sub(r"\1", text) if _CHOICE.fullmatch(text) else text
    text = re.sub(r"(?<=[0-9]) (?=[A-Za-z])|(?<=\\[A-Za-z]{2}) (?=[0-9])|(?<=\\[A-Za-z]{3}) (?=[0-9])", "", text)
    # a blank between two letters or digits keeps them apart: `1 2` is not 12
    return re.sub(r"(?<![0-9A-Za-z]) +| +(?![0-9A-Za-z])", "", re.sub(r" {2,}", " ", text)).strip()
