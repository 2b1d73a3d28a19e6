"""95 % intervals: Wilson's for proportions, the percentile bootstrap for everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

DRAWS = 2_000
"""Bootstrap resamples: the ends of a 95 % percentile interval are then good to about a twentieth of its width
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13 asks for at least 1,000)."""

_CELLS = 2_000_000  # resampled indices held at once: 16 MB


def wilson(right: int, n: int) -> tuple[float, float]:
    """The score interval of E. B. Wilson (JASA 22, 1927, p. 209): `right` successes in `n` trials; (0, 1) for n = 0."""
    if not 0 <= right <= n:
        raise ValueError(f"{right} successes in {n} trials")
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # rounding must not move an end past the value itself
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Percentile interval (Efron, Annals of Statistics 7, 1979) of the mean of `values`, resampled as whole items."""
    return bootstrap_ratio(values, [1.0] * len(values), seed)


def bootstrap_ratio(above: Sequence[float], below: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Percentile interval of sum(above) / sum(below), pairs resampled together: bits per byte over documents.

    `below` is positive. A single pair has no spread: its interval is the value itself.
    """
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    if len(top) == 0 or len(top) != len(bottom):
        raise ValueError(f"{len(top)} values over {len(bottom)}")
    ratios = np.sort(_resampled(top, bottom, np.random.default_rng(seed)))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_means(values: NDArray[np.float64], seed: int = 0) -> list[tuple[float, float]]:
    """`bootstrap_mean` of each column of `values`, [items, columns], all by the same resamples of whole rows.

    A row is a problem with whatever was made of its samples, so that the interval covers both the choice of problems
    and the drawing of samples (resampling the outer level alone: Davison & Hinkley, Bootstrap Methods and their
    Application, 1997, section 3.8).
    """
    n = len(values)
    if n == 0:
        raise ValueError("no rows to resample")
    rng, parts = np.random.default_rng(seed), []
    rows = max(1, min(DRAWS, _CELLS // n))
    for start in range(0, DRAWS, rows):
        drawn = rng.integers(0, n, size=(min(rows, DRAWS - start), n))
        flat = drawn + n * np.arange(len(drawn))[:, None]
        times = np.bincount(flat.ravel(), minlength=drawn.size).reshape(drawn.shape)
        parts.append(times @ values / n)
    low, high = np.quantile(np.concatenate(parts), [0.025, 0.975], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _resampled(top: NDArray[np.float64], bottom: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    n, parts = len(top), []
    rows = max(1, min(DRAWS, _CELLS // n))
    for start in range(0, DRAWS, rows):
        drawn = rng.integers(0, n, size=(min(rows, DRAWS - start), n))
        parts.append(top[drawn].sum(axis=1) / bottom[drawn].sum(axis=1))
    return np.concatenate(parts)
