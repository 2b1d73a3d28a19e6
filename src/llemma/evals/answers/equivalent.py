"""Whether two answers are the same, and the verdict on a completion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from llemma.core.types import Completion, Outcome
from llemma.evals.answers.find import MAX_ANSWER, Found, boxed, find
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
    """A way of judging, as functions: registered by name (kind "judge") and named by tasks.

    `gold` reads the final answer out of what a data set calls its answer, which may be a whole solution.
    `guess` says that a prediction in which no answer is found may still be the answer itself.
    """

    name: str
    version: int
    find: Callable[[str], Found | None]
    canonical: Callable[[str], str]
    compare: Callable[[str, str], Comparison]
    gold: Callable[[str], str] = str.strip
    guess: bool = False


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
    if one.name and other.name and one.name != other.name:
        return Comparison(False, f"same value of different names: {one.name} and {other.name}")
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


def judge_answer(text: str, gold: str, by: Judge | None = None) -> Judgement:
    """`judge` where `gold` may be a whole reference solution, and `text` any answer as it stands, however long."""
    by = by or DEFAULT
    gold = by.gold(gold)
    found = by.find(text)
    if found is None and by.guess and text.strip():
        equal, why = by.compare(text.strip(), gold)
        if equal:
            return Judgement("right", text.strip()[:MAX_ANSWER], f"{why} [found by: the whole text]")
    return _judge_found(found, gold, by)


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


def final(gold: str) -> str:
    """The final answer of a gold answer that may be a whole solution: after its last `####`, or in its last box."""
    _, marker, behind = gold.rpartition("####")
    return behind.strip() if marker else boxed(gold) or gold.strip()


DEFAULT = Judge("default", 2, find=find, canonical=_form, compare=compare, gold=final, guess=True)
"""The judge of the protocol `default`."""
