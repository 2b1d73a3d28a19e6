from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.types import Score
from llemma.report import changes


def score(value: float, low: float, high: float) -> Score:
    return Score("t", "greedy", value, low, high, 100)


def wilson(hits: int, n: int) -> Score:
    z, p = 1.959963984540054, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Score("t", "greedy", p, (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n), n)


@pytest.mark.parametrize(
    ("cells", "expected"),
    # Newcombe's 1998 paper on paired data, method 10: (both, first only, second only, neither) and the interval of
    # first minus second.
    [((36, 12, 2, 0), (0.0569, 0.3404)), ((20, 12, 2, 16), (0.0562, 0.3290)), ((53, 0, 0, 1), None)],
)
def test_paired_interval(cells: tuple[int, int, int, int], expected: tuple[float, float] | None) -> None:
    both, first, second, _ = cells
    n = sum(cells)
    change = changes.difference(wilson(both + second, n), wilson(both + first, n), changes.phi(*cells))
    assert change.paired and change.low <= change.value <= change.high
    if expected:
        assert (change.low, change.high) == pytest.approx(expected, abs=5e-4)
    else:
        assert not change.clear


VALUES = st.tuples(*[st.floats(0, 1)] * 3).map(sorted)


@given(VALUES, VALUES, st.floats(-1, 1))
def test_a_change_lies_in_its_interval_and_turns_with_the_order(a: list[float], b: list[float], rho: float) -> None:
    one, two = score(a[1], a[0], a[2]), score(b[1], b[0], b[2])
    there, back = changes.difference(one, two, rho), changes.difference(two, one, rho)
    assert there.low <= there.value <= there.high
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_phi_agrees_with_its_definition_and_is_zero_where_undefined() -> None:
    assert changes.phi(10, 0, 0, 0) == 0
    assert changes.phi(0, 5, 5, 0) == pytest.approx(-1)
    assert 0 < changes.phi(5, 0, 0, 5) < 1  # the continuity correction


def test_correlation_of_equal_and_opposed_items() -> None:
    items = [(1.0, 2.0), (3.0, 2.0), (7.0, 4.0)]
    assert changes.correlation([(item, item) for item in items]) == pytest.approx(1)
    assert changes.correlation([((a, b), (-a, b)) for a, b in items]) == pytest.approx(-1)
    assert changes.correlation([]) == changes.correlation([((2.0, 1.0), (2.0, 1.0))]) == 0


def test_pairing_documents_predicts_the_spread_of_the_difference() -> None:
    """The paired interval of a change agrees with a bootstrap of the change itself."""
    rng = random.Random(4)
    documents = []
    for _ in range(200):
        size, hardness = float(rng.randrange(500, 4000)), rng.gauss(0, 0.3)
        documents.append(
            (((2.5 + hardness + rng.gauss(0, 0.1)) * size, size), ((2.0 + hardness + rng.gauss(0, 0.1)) * size, size))
        )

    def ratio(rows: list[tuple[float, float]]) -> float:
        return sum(value for value, _ in rows) / sum(size for _, size in rows)

    def spread(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))

    draws = [rng.choices(documents, k=len(documents)) for _ in range(600)]
    before, after = ([ratio([pair[side] for pair in draw]) for draw in draws] for side in (0, 1))
    real = 1.96 * spread([b - a for a, b in zip(before, after, strict=True)])
    one, two = (1.96 * spread(values) for values in (before, after))
    rho = changes.correlation(documents)
    change = changes.difference(score(2.5, 2.5 - one, 2.5 + one), score(2.0, 2.0 - two, 2.0 + two), rho)
    assert rho > 0.8
    assert (change.high - change.low) / 2 == pytest.approx(real, rel=0.15)


def test_other_documents_are_not_paired() -> None:
    key = ("web", changes.BITS)
    one, two = Score("web", changes.BITS, 2.0, 1.9, 2.1, 1), Score("web", changes.BITS, 1.0, 0.9, 1.1, 1)
    assert changes.change(one, two, [{key: {"a": (2.0, 9.0)}}, {key: {"a": (1.0, 9.0)}}]).paired
    assert not changes.change(one, two, [{key: {"a": (2.0, 9.0)}}, {key: {"b": (1.0, 9.0)}}]).paired
    assert not changes.change(one, two, [{key: {"a": (2.0, 9.0)}}, {key: {"a": (1.0, 8.0)}}]).paired
    assert not changes.change(one, two, [{}, {}]).paired
