"""Facets: questions that split the list of problems, each with a code a problem."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from llemma.core.types import OUTCOMES, Problem
from llemma.report.overlaps import NO_HIT, Found
from llemma.report.samples import MISSING, Judged, as_text
from llemma.report.text import visible

SHARES = ("no votes", "below 25 %", "25 to 49 %", "50 to 74 %", "75 to 99 %", "all agree")
META_FACETS = ("subject", "level", "type", "kind", "difficulty")
MAX_FACET_VALUES = 40
LETTERS = string.ascii_letters + string.digits + "-_"
"""A code is one letter, so that the codes of 100,000 problems are one string that a browser reads at once."""


class Facet(msgspec.Struct, frozen=True):
    """A question that splits the list: for each problem, in `codes`, the place of its answer in `values`, by letter."""

    key: str
    label: str
    values: list[str]
    codes: str


def facets(problems: Sequence[Problem], models: Sequence[Judged], overlap: Mapping[str, Found]) -> Iterator[Facet]:
    """Outcome by model, what flipped against the first, votes, task, overlap, and the problems' own facts."""
    outcomes = [[_outcome(problem.id, "greedy", model) for problem in problems] for model in models]
    for number, (model, column) in enumerate(zip(models, outcomes, strict=True)):
        yield _facet(f"outcome{number}", visible(model.label), column, (*OUTCOMES, MISSING))
    for number in range(1, len(models)):
        flips = [flip(before, after) for before, after in zip(outcomes[0], outcomes[number], strict=True)]
        label = "Change" if len(models) == 2 else f"Change, {visible(models[number].label)}"
        yield _facet("flip" if number == 1 else f"flip{number}", label, flips, FLIPS)
    for number, model in enumerate(models):
        if any(reading == "maj" for _, reading in model.completions):
            yield from _votes(number, model, problems)
    columns = {"task": [problem.task for problem in problems]}
    columns |= {key: [as_text(problem.meta.get(key)) for problem in problems] for key in META_FACETS}
    for key, column in columns.items():
        if 1 < len(set(column)) <= MAX_FACET_VALUES:
            yield _facet(key, key.capitalize(), [visible(value) or "none" for value in column], ())
    yield from _overlap(problems, overlap)


FLIPS = ("gained", "lost", "both right", "both not")


def _votes(number: int, model: Judged, problems: Sequence[Problem]) -> Iterator[Facet]:
    votes = [_outcome(problem.id, "vote", model) for problem in problems]
    if set(votes) != {MISSING}:
        yield _facet(f"vote{number}", f"Majority, {visible(model.label)}", votes, (*OUTCOMES, MISSING))
    column = [_agreement(problem.id, model) for problem in problems]
    yield _facet(f"share{number}", f"Agreement, {visible(model.label)}", column, SHARES)


def _overlap(problems: Sequence[Problem], overlap: Mapping[str, Found]) -> Iterator[Facet]:
    """One facet a kind of text that was looked for: the most words of a hit."""
    for kind in dict.fromkeys(kind for found in overlap.values() for kind in found.longest):
        column = [overlap[p.id].longest.get(kind, NO_HIT) if p.id in overlap else NO_HIT for p in problems]
        values = sorted(set(column), key=_longest_first)
        yield _facet(f"overlap-{kind}", f"In the corpus: {kind}", column, values[: MAX_FACET_VALUES - 1])


def _longest_first(word: str) -> tuple[bool, int]:
    number = word.partition(" ")[0]
    return word == NO_HIT, -int(number) if number.isdecimal() else -(10**9)


def _facet(key: str, label: str, column: Sequence[str], order: Sequence[str]) -> Facet:
    present = set(column)
    values = [value for value in order if value in present] + sorted(present.difference(order))
    codes = {value: LETTERS[number] for number, value in enumerate(values)}
    return Facet(key, label, values, "".join(codes[value] for value in column))


def _outcome(problem: str, reading: str, model: Judged) -> str:
    verdict = model.verdicts.get((problem, reading, 0))
    return verdict.outcome if verdict else MISSING


def flip(before: str, after: str) -> str:
    """What became of a problem between two models, by their greedy outcomes."""
    if before == "right":
        return "both right" if after == "right" else "lost"
    return "gained" if after == "right" else "both not"


def _agreement(problem: str, model: Judged) -> str:
    """The agreement class of `SHARES`, without building the samples again."""
    answers = [
        (v.outcome == "right", "" if v.outcome == "right" else (v.answer or "").strip())
        for c in model.completions.get((problem, "maj"), [])
        if (v := model.verdicts.get((problem, "maj", c.sample))) is not None
    ]
    counts = Counter(answer for answer in answers if answer[0] or answer[1])
    if not counts:
        return SHARES[0]
    share = max(counts.values()) / len(answers)
    return SHARES[5] if share == 1 else SHARES[1 + int(share * 4)]
