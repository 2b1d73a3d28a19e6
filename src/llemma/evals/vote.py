"""Majority voting over sampled answers (self-consistency, Wang et al. 2022; maj@k in Minerva and Llemma)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from llemma.core.errors import DataError
from llemma.evals.answers.equivalent import DEFAULT


class Vote(msgspec.Struct, frozen=True):
    """The winning answer as its earliest sample wrote it, the samples that gave it, the number of distinct answers.

    `weight` is the sum of the winner's weights where the samples have weights.
    """

    answer: str | None
    votes: int
    clusters: int
    weight: float | None = None


def majority(
    answers: Sequence[str | None],
    canonical: Callable[[str], str] = DEFAULT.canonical,
    weights: Sequence[float] | None = None,
) -> Vote:
    """Vote by canonical form, computed once for each distinct string.

    A tie goes to the cluster whose first sample came earliest. None and blank answers cast no vote; with no vote
    cast the answer is None. The order of samples matters to nothing else.

    With `weights`, one for each answer (a reward, a probability: Wang et al. 2022, section 3.2, weigh by the latter),
    the largest sum of weights wins instead of the largest count; the sum is rounded once, so that it is the same in any
    order. Weights of samples that cast no vote are not looked at; a negative or non-finite weight of one that does, or
    a wrong number of weights, is a `DataError`.
    """
    if weights is not None and len(weights) != len(answers):
        raise DataError(f"{len(weights)} weights for {len(answers)} answers", mend="give one weight for each answer")
    members: dict[int, list[int]] = {}
    for sample, cluster in enumerate(clusters(answers, canonical)):
        if cluster is not None:
            members.setdefault(cluster, []).append(sample)
    if not members:
        return Vote(None, 0, 0)
    if weights is None:
        winner = max(members.values(), key=len)  # clusters come in the order of first votes, and max takes the first
        return Vote(answers[winner[0]], len(winner), len(members))
    sums = [math.fsum(_weight(weights, sample) for sample in group) for group in members.values()]
    heaviest = max(sums)
    winner = list(members.values())[sums.index(heaviest)]
    return Vote(answers[winner[0]], len(winner), len(members), heaviest)


def clusters(answers: Sequence[str | None], canonical: Callable[[str], str] = DEFAULT.canonical) -> list[int | None]:
    """The cluster of each answer, counted from 0 in the order of first votes; None for an answer that casts no vote."""
    strings: dict[str, int] = {}
    forms: dict[str, int] = {}
    found: list[int | None] = []
    for answer in answers:
        if answer is None or not answer.strip():
            found.append(None)
            continue
        if answer not in strings:
            strings[answer] = forms.setdefault(canonical(answer), len(forms))
        found.append(strings[answer])
    return found


def _weight(weights: Sequence[float], sample: int) -> float:
    weight = weights[sample]
    if not (math.isfinite(weight) and weight >= 0):
        raise DataError(
            f"a weight of {weight}",
            where=f"sample {sample}",
            mend="weights are finite and not negative; of a log-probability take the exponential",
        )
    return weight
