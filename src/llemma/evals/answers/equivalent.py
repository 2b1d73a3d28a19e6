"""Whether two answers are the same, and the verdict on a completion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from llemma.core.types import Completion, Outcome
from llemma.evals.answers.find import Found, find
from llemma.evals.answers.normalise import Canonical, canonical

_SHOWN = 60  # characters of an answer in a reason


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
    """A way of judging, as three functions: registered by name (kind "judge") and named by tasks."""

    name: str
    version: int
    find: Callable[[str], Found | None]
    canonical: Callable[[str], str]
    compare: Callable[[str, str], Comparison]


def equivalent(a: str, b: str) -> bool:
    """Whether two final answers are the same, by the conventions of `normalise`. Symmetric, reflexive, never raises."""
    return compare(a, b).equal


def compare(answer: str, gold: str) -> Comparison:
    """`equivalent` with its reason."""
    one, other = canonical(answer), canonical(gold)
    if one.form != other.form or one.number != other.number:
        return Comparison(False, _difference(one, other))
    if one.unit and other.unit and one.unit != other.unit:
        return Comparison(False, f"same number, different units: {one.unit} and {other.unit}")
    return Comparison(True, f"same {'number' if one.number else 'text'} {_short(one.form)}")


def _difference(one: Canonical, other: Canonical) -> str:
    kind = {(True, True): "numbers", (False, False): "texts"}.get((one.number, other.number), "a number and a text")
    return f"{kind} differ: {_short(one.form)} and {_short(other.form)}"


def _short(form: str) -> str:
    return form if len(form) <= _SHOWN else f"{form[:_SHOWN]}… ({len(form)} characters)"


def judge(text: str, gold: str, by: Judge | None = None) -> Judgement:
    """The verdict on a completion's (or bare answer's) text."""
    by = by or DEFAULT
    return _judge_found(by.find(text), gold, by)


def judge_completion(completion: Completion, gold: str, by: Judge | None = None) -> Judgement:
    """The verdict on a completion: a backend's error and a cut-off text without an answer are outcomes of their own.

    A cut-off text that is nothing but a bare answer may be half of one (`12` of `120`), so it is cut off too.
    """
    by = by or DEFAULT
    if completion.finish == "error":
        return Judgement("error", None, completion.error or "the backend reported an error")
    found = by.find(completion.text)
    if completion.finish == "length" and (found is None or found.rule == "bare"):
        return Judgement("cut_off", None, f"no answer within {completion.tokens or 'the allowed'} tokens")
    return _judge_found(found, gold, by)


def _judge_found(found: Found | None, gold: str, by: Judge) -> Judgement:
    if found is None:
        return Judgement("no_answer", None, "no answer found in the text")
    equal, why = by.compare(found.answer, gold)
    return Judgement("right" if equal else "wrong", found.answer, f"{why} [found by: {found.rule}]")


def _form(answer: str) -> str:
    return canonical(answer).form


DEFAULT = Judge(name="default", version=1, find=find, canonical=_form, compare=compare)
"""The judge of the protocol `default`."""
