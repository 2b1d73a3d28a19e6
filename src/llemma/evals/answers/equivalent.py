"""Whether two answers are the same, and the verdict on a completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from llemma.core.types import Completion, Outcome
from llemma.evals.answers.conclusion import single
from llemma.evals.answers.find import MAX_ANSWER, Found, find
from llemma.evals.answers.normalise import Canonical, canonical, near
from llemma.evals.answers.numbers import units_differ

ROUNDED_DIGITS = 6
"""Significant digits from which a decimal may stand for an exact value."""

_SHOWN = 60  # characters of an answer in a reason
_DECIMAL_COMMA = re.compile(r"(-?[0-9]{1,9}),([0-9]{2,9})")
_DECIMAL = re.compile(r"[0-9][0-9,]*\.[0-9]+|\.[0-9]+")


class Comparison(NamedTuple):
    """Whether two answers are the same, and by which rule."""

    equal: bool
    why: str


class Judgement(NamedTuple):
    """How a sample ended, the answer found in it, and why."""

    outcome: Outcome
    answer: str | None
    why: str


@dataclass(frozen=True)
class Judge:
    """A way of judging, as functions: registered by name (kind "judge") and named by tasks.

    `gold` reads the final answer out of what a data set calls its answer, which may be a whole solution.
    `guess` says that a prediction in which no answer is found may still be the answer itself.
    `vote` votes over whole texts in a way of its own, given them (or the values of
    their programs) and the gold answer; without it `vote.majority` does.
    `exact_values` asks for programs' values as sympy writes them exactly (`srepr`), not as people do.
    `prepare` pays for what costs time once, before the first answer is timed.
    """

    name: str
    version: int
    find: Callable[[str], Found | None]
    canonical: Callable[[str], str]
    compare: Callable[[str, str], Comparison]
    gold: Callable[[str], str] = str.strip
    guess: bool = False
    vote: Callable[[Sequence[str | None], str], Judgement] | None = None
    exact_values: bool = False
    prepare: Callable[[], None] | None = None


def equivalent(a: str, b: str) -> bool:
    """Whether two final answers are the same, by the conventions of `normalise`. Symmetric, reflexive, never raises."""
    return compare(a, b).equal


def compare(answer: str, gold: str) -> Comparison:
    """`equivalent` with its reason."""
    return compare_forms(canonical(answer), canonical(gold), rounded)


def compare_forms(one: Canonical, other: Canonical, close: Callable[[Canonical, Canonical], bool]) -> Comparison:
    """Whether two canonical answers are the same; `close` says whether the first of two forms rounds the second."""
    same = one.form == other.form and one.number == other.number
    if not same and not close(one, other) and not close(other, one):
        return Comparison(False, _difference(one, other))
    if units_differ(one.unit, other.unit):
        return Comparison(False, f"same number, different units: {one.unit} and {other.unit}")
    if one.name and other.name and one.name != other.name:
        return Comparison(False, f"same value of different names: {one.name} and {other.name}")
    if not same:
        return Comparison(True, f"{_shown(one)} and {_shown(other)} agree in every decimal given")
    return Comparison(True, f"same {_kind(one)} {_shown(one)}")


def rounded(one: Canonical, other: Canonical) -> bool:
    """Whether `one` is `other` with a decimal comma, or a decimal of six digits or more, all of them those of `other`.

    In the second case `other` is no decimal: a fraction without a finite decimal form, or a value like \\sqrt{2}.
    It may be cut off or rounded behind its last digit.
    """
    if _comma_for_point(one, other):
        return True
    places = decimal_places(one.text) if one.number else None
    if places is None or places[0] < ROUNDED_DIGITS:
        return False
    if other.number and decimal_places(other.text) is None:
        value = Fraction(other.form) if len(other.form) < 200 else None
    else:
        value = near(other.text) if other.form.startswith("~") else None
    if value is None:
        return False
    missing, unit = abs(value) - abs(Fraction(one.form)), Fraction(10) ** -places[1]
    return value * Fraction(one.form) > 0 and -unit / 2 <= missing < unit


def _comma_for_point(one: Canonical, other: Canonical) -> bool:
    """`1,22` and `1.22`; not `1,2`, which is more often a list."""
    written = _DECIMAL_COMMA.fullmatch(one.text)
    return written is not None and other.number and other.text == f"{written.group(1)}.{written.group(2)}"


def decimal_places(text: str) -> tuple[int, int] | None:
    """Significant digits and decimal places of the one decimal number in `text`, None when there is none."""
    found = _DECIMAL.findall(text)
    if len(found) != 1 or "/" in text or "\\frac" in text or "10" in text.partition(found[0])[2]:
        return None
    whole, _, after = found[0].replace(",", "").partition(".")
    return len((whole + after).lstrip("0")), len(after)


def _difference(one: Canonical, other: Canonical) -> str:
    kinds = {_kind(one), _kind(other)}
    kind = f"{kinds.pop()}s" if len(kinds) == 1 else " and ".join(f"a {kind}" for kind in sorted(kinds))
    return f"{kind} differ: {_shown(one)} and {_shown(other)}"


def _kind(one: Canonical) -> str:
    return "number" if one.number else "formula" if "~" in one.form else "text"


def _shown(one: Canonical) -> str:
    text = one.text if "~" in one.form or "#" in one.form else one.form
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def judge(text: str, gold: str, by: Judge | None = None) -> Judgement:
    """The verdict on a completion's (or bare answer's) text."""
    by = by or DEFAULT
    return _judge_found(by.find(text), gold, by)


def judge_answer(text: str, gold: str, by: Judge | None = None) -> Judgement:
    """`judge` where `gold` may be a whole reference solution, and `text` any answer as it stands, however long."""
    by = by or DEFAULT
    gold = by.gold(gold)
    found = by.find(text)
    if by.guess and (found is None or found.rule == "last sentence") and text.strip():
        equal, why = by.compare(text.strip(), gold)
        if equal:
            return Judgement("right", text.strip()[:MAX_ANSWER], f"{why} [found by: the whole text; judge: {by.name}]")
    return _judge_found(found, gold, by)


def judge_completion(completion: Completion, gold: str, by: Judge | None = None) -> Judgement:
    """The verdict on a completion: a backend's error and a cut-off text without an answer are outcomes of their own.

    A cut-off text that is nothing but a bare answer may be half of one (`12` of `120`), so it is cut off too.
    """
    by = by or DEFAULT
    if completion.finish == "error":
        return Judgement("error", None, completion.error or "the backend reported an error")
    found = by.find(completion.text)
    if completion.finish == "length" and (found is None or found.rule in ("bare", "last sentence")):
        return Judgement("cut_off", None, f"no answer within {completion.tokens or 'the allowed'} tokens")
    return _judge_found(found, gold, by)


def _judge_found(found: Found | None, gold: str, by: Judge) -> Judgement:
    if found is None:
        return Judgement("no_answer", None, "no answer found in the text")
    equal, why = by.compare(found.answer, gold)
    return Judgement("right" if equal else "wrong", found.answer, f"{why} [found by: {found.rule}; judge: {by.name}]")


def _form(answer: str) -> str:
    return canonical(answer).form


def final(gold: str) -> str:
    """The final answer of a gold answer that may be a whole solution: behind `####`, in its last box, or stated."""
    _, marker, behind = gold.rpartition("####")
    if marker:
        return behind.strip()
    found = find(gold)
    stated = found.answer if found and found.rule in ("\\boxed", "answer is") else None
    return stated or single(gold) or gold.strip()


DEFAULT = Judge("default", 3, find=find, canonical=_form, compare=compare, gold=final, guess=True)
"""The judge of the protocol `default`."""
