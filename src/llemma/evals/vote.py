"""Majority voting over sampled answers (self-consistency, Wang et al. 2022; maj@k in Minerva and Llemma)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from llemma.evals.answers.equivalent import DEFAULT


class Vote(msgspec.Struct, frozen=True):
    """The winning answer as its earliest sample wrote it, the samples that gave it, the number of distinct answers."""

    answer: str | None
    votes: int
    clusters: int


def majority(answers: Sequence[str | None], canonical: Callable[[str], str] = DEFAULT.canonical) -> Vote:
    """Vote by canonical form, computed once for each distinct string.

    A tie goes to the cluster whose first sample came earliest. None and blank answers cast no vote; with no vote
    cast the answer is None. The order of samples matters to nothing else.
    """
    forms: dict[str, str] = {}
    first: dict[str, str] = {}
    votes: dict[str, int] = {}
    for answer in answers:
        if answer is None or not answer.strip():
            continue
        if answer not in forms:
            forms[answer] = canonical(answer)
        form = forms[answer]
        first.setdefault(form, answer)
        votes[form] = votes.get(form, 0) + 1
    if not votes:
        return Vote(None, 0, 0)
    winner = max(votes, key=votes.__getitem__)  # dicts keep the order of first votes, and max the first of equals
    return Vote(first[winner], votes[winner], len(votes))
