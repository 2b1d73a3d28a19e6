"""maj@k and pass@k for every smaller k, out of the same K samples a problem.

Samples in which no answer is found, or that failed, were drawn like all others: they count in k, never vote, and are
not right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

import msgspec
import numpy as np
from numpy.typing import NDArray

SUBSETS = 64
"""Subsets of k samples that stand for all of them where there are more. A problem's value then has a standard error of
1/16 at most, a task's mean one smaller by the square root of the number of its problems: far within its interval."""


class Samples(msgspec.Struct, frozen=True):
    """The K samples of one problem in sampling order: whether each is right, and its cluster (None: no vote)."""

    right: Sequence[bool]
    clusters: Sequence[int | None]


def ladder(samples: int) -> list[int]:
    """1, 2, 4, 8, ... below `samples`, and `samples` itself."""
    steps = [2**power for power in range(samples.bit_length())]
    return [step for step in steps if step < samples] + ([samples] if samples else [])


def pass_at(right: int, samples: int, k: int) -> float:
    """1 - C(samples - right, k) / C(samples, k): the chance that k of the samples hold a right one.

    The unbiased estimator of Chen et al. 2021 (Evaluating Large Language Models Trained on Code, section 2.1),
    as a product of factors between 0 and 1, which neither overflows nor cancels.
    """
    if not 0 <= right <= samples or not 0 < k <= samples:
        raise ValueError(f"{k} of {samples} samples, {right} of them right")
    if samples - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - right + 1, samples + 1)))


def pass_curve(problems: Iterable[Samples], ks: Sequence[int]) -> NDArray[np.float64]:
    """pass@k of each problem, [problems, len(ks)]."""
    known: dict[tuple[int, int], list[float]] = {}
    rows = []
    for problem in problems:
        key = (sum(problem.right), len(problem.right))
        if key not in known:
            known[key] = [pass_at(*key, k) for k in ks]
        rows.append(known[key])
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(ks))


def majority_curve(problems: Iterable[Samples], ks: Sequence[int], seed: int = 0) -> NDArray[np.float64]:
    """maj@k of each problem, [problems, len(ks)]: the share of subsets of k samples whose vote is right.

    All subsets where they are at most `SUBSETS` or n, else `SUBSETS` random ones, drawn once and used for every
    problem: the samples of a problem are exchangeable, so this is unbiased, and a problem's values do not depend on
    those beside it. In a subset a tie goes to the answer whose first sample in it came earliest (Wang et al. 2022 vote
    by count and leave ties open; this is the tie rule of the full vote).
    """
    drawn: dict[int, tuple[NDArray[np.int32], NDArray[np.int64]]] = {}
    rows: list[NDArray[np.float64]] = []
    for problem in problems:
        n = len(problem.right)
        if n not in drawn:
            drawn[n] = _membership(n, ks, seed)
        rows.append(_won(problem, *drawn[n]))
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(ks))


def _membership(n: int, ks: Sequence[int], seed: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Which of n samples are in which subset, [subsets of all ks, n], and where the subsets of each k begin."""
    rng = np.random.default_rng(seed)
    parts = []
    for k in ks:
        if comb(n, k) <= max(SUBSETS, n):
            chosen = np.array(list(combinations(range(n), k)), dtype=np.int64)
        else:
            chosen = rng.permuted(np.tile(np.arange(n), (SUBSETS, 1)), axis=1)[:, :k]
        part = np.zeros((len(chosen), n), dtype=np.int32)
        np.put_along_axis(part, chosen, 1, axis=1)
        parts.append(part)
    sizes = [len(part) for part in parts]
    return np.concatenate([np.zeros((0, n), dtype=np.int32), *parts]), np.cumsum([0, *sizes])[:-1]


def _won(problem: Samples, member: NDArray[np.int32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of subsets whose vote is right, for each k."""
    if not len(starts):
        return np.zeros(0)
    right = np.asarray(problem.right, dtype=np.float64)
    cluster = np.array([-1 if c is None else c for c in problem.clusters], dtype=np.int64)
    voting = np.flatnonzero(cluster >= 0)
    sizes = np.diff([*starts, len(member)])
    if not right[voting].any():
        return np.zeros(len(starts))
    order = voting[np.argsort(cluster[voting], kind="stable")]
    begins = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    n = member.shape[1]
    chosen = member[:, order]
    votes = np.add.reduceat(chosen, begins, axis=1).astype(np.int64)
    # the earliest sample of each cluster in the subset, counted from the end so that none is 0
    early = np.maximum.reduceat(chosen * (n - order).astype(np.int32), begins, axis=1).astype(np.int64)
    best = (votes * (n + 1) + early).max(axis=1)
    first = n - best % (n + 1)  # n itself where nobody voted
    return np.add.reduceat(np.append(right, 0.0)[first], starts) / sizes
