"""Tests and intervals for two models on the same problems."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

DRAWS = 2_000
"""Bootstrap resamples, as many as behind the intervals of single scores."""

_CELLS = 2_000_000  # resampled indices held at once: 16 MB


def mcnemar(first: int, second: int) -> float:
    """The two-sided p-value of McNemar's exact test: `first` problems only one model solved, `second` only the other.

    Under equal skill each of these problems is a toss of a fair coin (McNemar, Psychometrika 12, 1947, with the
    binomial distribution itself in place of its approximation). Problems that both or neither solved tell nothing.
    """
    n, few = first + second, min(first, second)
    if 2 * few >= n - 1:  # the middle of the distribution, or no toss at all
        return 1.0
    # the terms from the largest down, as shares of it: no number leaves the range of a float
    term = total = 1.0
    for k in range(few, 0, -1):
        term *= k / (n - k + 1)
        total += term
    log = math.lgamma(n + 1) - math.lgamma(few + 1) - math.lgamma(n - few + 1) - n * math.log(2)
    return min(1.0, 2 * math.exp(log) * total)


def bootstrap(differences: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of paired differences, problems resampled (Efron 1979)."""
    values = np.asarray(differences, dtype=np.float64)
    if not len(values):
        raise ValueError("no pairs to resample")
    rng, parts = np.random.default_rng(seed), []
    rows = max(1, min(DRAWS, _CELLS // len(values)))
    for start in range(0, DRAWS, rows):
        parts.append(values[rng.integers(0, len(values), size=(min(rows, DRAWS - start), len(values)))].mean(axis=1))
    low, high = np.quantile(np.concatenate(parts), [0.025, 0.975])
    return float(low), float(high)
