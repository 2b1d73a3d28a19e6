import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.intervals import bootstrap_mean, bootstrap_means, bootstrap_ratio, wilson


# Newcombe, Statistics in Medicine 17 (1998), Table I, method 3
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_the_published_table(right, n, low, high):
    assert wilson(right, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_value_and_mirrors(case):
    right, n = case
    low, high = wilson(right, n)
    assert 0 <= low <= right / n <= high <= 1
    assert low < high
    other_low, other_high = wilson(n - right, n)
    assert (1 - other_high, 1 - other_low) == (pytest.approx(low), pytest.approx(high))


def test_wilson_of_nothing_is_everything_and_nonsense_is_refused():
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 successes in 2 trials"):
        wilson(3, 2)


def test_the_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    draw = random.Random(5)
    values = [draw.gauss(10, 3) for _ in range(400)]
    mean = sum(values) / 400
    half = 1.96 * math.sqrt(sum((v - mean) ** 2 for v in values) / 400) / 20
    low, high = bootstrap_mean(values, seed=1)
    assert low == pytest.approx(mean - half, abs=0.1 * half)
    assert high == pytest.approx(mean + half, abs=0.1 * half)


def test_the_bootstrap_of_a_ratio_resamples_pairs():
    # every document has the same ratio, so no resampling can change it
    low, high = bootstrap_ratio([2.0, 4.0, 600.0], [1.0, 2.0, 300.0])
    assert (low, high) == (pytest.approx(2.0), pytest.approx(2.0))
    low, high = bootstrap_ratio([1.0, 9.0], [1.0, 3.0])
    assert (low, high) == (pytest.approx(1.0), pytest.approx(3.0))


def test_the_bootstrap_is_seeded_and_the_seed_counts():
    values = [0.0, 1.0, 0.3, 0.25, 0.7, 0.9, 0.11]
    assert bootstrap_mean(values, 3) == bootstrap_mean(values, 3)
    assert bootstrap_mean(values, 3) != bootstrap_mean(values, 4)


def test_the_bootstrap_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 values"):
        bootstrap_mean([])


def test_the_bootstrap_of_columns_is_that_of_each():
    draw = random.Random(3)
    table = np.array([[draw.random(), draw.gauss(2, 1)] for _ in range(50)])
    for (low, high), column in zip(bootstrap_means(table, 7), table.T, strict=True):
        assert (low, high) == (pytest.approx(bootstrap_mean(column.tolist(), 7)))
    with pytest.raises(ValueError, match="no rows"):
        bootstrap_means(np.zeros((0, 2)))
