from __future__ import annotations

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.report import paired


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_two_sided_binomial_test(first: int, second: int) -> None:
    n, few = first + second, min(first, second)
    exact = min(1.0, 2 * sum(comb(n, k) for k in range(few + 1)) / 2**n)
    assert paired.mcnemar(first, second) == pytest.approx(exact, rel=1e-9)
    assert paired.mcnemar(first, second) == paired.mcnemar(second, first)


def test_mcnemar_known_values_and_large_counts() -> None:
    assert paired.mcnemar(0, 0) == 1.0
    assert paired.mcnemar(0, 5) == pytest.approx(0.0625)
    assert paired.mcnemar(1, 9) == pytest.approx(22 / 1024)
    assert 0.0 <= paired.mcnemar(100, 40_000) < 1e-300


def test_the_bootstrap_covers_the_true_difference() -> None:
    rng, hits = random.Random(5), 0
    for seed in range(200):
        moved = [float((rng.random() < 0.5) - (rng.random() < 0.4)) for _ in range(150)]
        low, high = paired.bootstrap(moved, seed)
        hits += low <= 0.1 <= high
    assert 180 <= hits <= 199
    assert paired.bootstrap([0.25, 0.25], 0) == (0.25, 0.25)
    with pytest.raises(ValueError):
        paired.bootstrap([])
