"""Normal forms of answers and of their parts."""

from __future__ import annotations

import re
from typing import NamedTuple

from llemma.evals.answers.numbers import unit_of
from llemma.evals.answers.values import Unread, Value, key

INFINITY = re.compile(r"([+-]?) ?(?:\\infty|\\infinity|infinity|infty|inf|oo)(?![A-Za-z])")
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


def of_value(value: Value, unit: str = "", name: str = "") -> Found:
    """The form of a formula's value. One with too many digits to be written out is compared, but is no number to reckon
    with."""
    form = key(value)
    return Found(form, value.exact is not None and not form.startswith("#"), unit, name)


def shown(found: Found) -> str:
    """A form with its name and unit."""
    return f"{found.name}={found.form}[{found.unit}]" if found.unit or found.name else found.form


def all_of(forms: list[str]) -> str:
    """Values in any order: `1, 2` is the set {1, 2}; one that is given twice makes another answer."""
    return "{" + ";".join(sorted(forms)) + "}"


def union(forms: list[str]) -> str:
    """Parts of a union in one order."""
    return "U".join(sorted(set(forms)))


def without_unit(text: str) -> tuple[str, str]:
    """A formula and the measure behind it; words that are none make it `Unread`."""
    behind = _UNIT_BEHIND.search(text)
    if behind is None:
        return text, ""
    measure = unit_of(behind.group())
    if measure is None:
        raise Unread
    return text[: behind.start()], measure
