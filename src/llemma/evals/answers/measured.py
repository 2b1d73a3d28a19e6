"""Answers that were measured or worked out to a few digits: physics, chemistry, astronomy (OCWCourses).

A gold answer like `4.45e15` or `0.0062` is itself rounded. A prediction with more digits is right when it rounds to the
gold answer's digits; one with fewer digits is compared exactly, like everything that is no decimal. (The published code
meant a tolerance of one per cent and, by a slip, used 1e-5: see `llemma`.)
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from llemma.evals.answers.equivalent import DEFAULT, Comparison, compare_forms, rounded
from llemma.evals.answers.normalise import Canonical, canonical, near
from llemma.evals.answers.numbers import units_differ

LEAST_DIGITS = 2
"""Significant digits that a rounded number must have; one digit would accept 0.46 for 0.5."""

_WRITTEN = re.compile(
    r"[+-]? ?(?P<digits>[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?: ?(?:[eE]|(?:\\times|\\cdot|\*) ?10 ?\^) ?\{? ?(?P<power>[+-]?[0-9]{1,3}) ?\}?)?"
)
_FONT = re.compile(r"\\(?:mathrm|text|textrm|rm|cdot|,)(?![A-Za-z])|[{}~]")
# fmt: off
_UNITS = frozenset((  # noqa: SIM905 - a table of words reads better as text
    "m s g K N J W V A C L F H T Hz kHz MHz GHz kg cm mm km nm um pm fm ms us ns eV keV MeV GeV Pa kPa MPa mol mmol "
    "M mM rad sr erg dyn AU pc kpc Mpc yr yrs min h hr ft in lb cal kcal kJ mJ kW MW mV kV mA pF nF uF ohm Ohm "
    "Ohms G atm bar Torr sec years days hours seconds meters metres joules watts volts amps newtons kelvin Kelvin "
    "grams moles"
).split())
# fmt: on


def compare_measured(answer: str, gold: str) -> Comparison:
    """`equivalent`, or a gold answer that is `answer` rounded to the gold answer's digits. So it is not symmetric."""
    one, other = canonical(answer), canonical(gold)
    if other.number and not other.unit:
        one = _without_unit(one)
    same = compare_forms(one, other, rounded)
    if same.equal or units_differ(one.unit, other.unit) or not rounds(other, one):
        return same
    return Comparison(True, f"{other.text[:60]} is {one.text[:60]}, rounded")


def _without_unit(one: Canonical) -> Canonical:
    """A number whose unit is a letter or two (`3 K`, `5.2e7 m/s`), which elsewhere might be a variable."""
    written = None if one.number else _WRITTEN.match(one.text)
    behind = one.text[written.end() :] if written else ""
    words = _FONT.sub(" ", behind)
    if written is None or not behind.strip() or not all(word in _UNITS for word in re.findall(r"[A-Za-z]+", words)):
        return one
    return canonical(written.group()) if re.fullmatch(r"[ A-Za-z0-9/^{}.*\\-]*", words) else one


def rounds(short: Canonical, long: Canonical) -> bool:
    """Whether `short`, a decimal with a point or a power of ten, is the number `long` rounded to its digits."""
    written = _WRITTEN.match(short.text.rpartition("=")[2].strip()) if short.number else None
    if written is None or not (written["power"] or "." in written["digits"]):
        return False
    digits = written["digits"].replace(",", "")
    whole, _, after = digits.partition(".")
    value = Fraction(long.form) if long.number else near(long.text) if long.form.startswith("~") else None
    if value is None or len((whole + after).lstrip("0")) < LEAST_DIGITS:
        return False
    unit = Fraction(10) ** (int(written["power"] or 0) - len(after))
    return abs(value - Fraction(short.form)) <= unit / 2


MEASURED = replace(DEFAULT, name="measured", version=1, compare=compare_measured)
"""The judge of OCWCourses."""
