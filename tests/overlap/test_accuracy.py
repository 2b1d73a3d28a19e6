"""Intervals and tests against published figures, and who is counted where."""

from __future__ import annotations

import math
from itertools import pairwise
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import MissingError
from llemma.overlap.accuracy import (
    Split,
    adjusted,
    fisher,
    mantel_haenszel,
    newcombe,
    read_answers,
    read_judged,
    side,
    split,
    splits,
)
from llemma.overlap.items import of_run


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombe(a: tuple[int, int], b: tuple[int, int], low: float, high: float) -> None:
    sides = [side([True] * right + [False] * (n - right)) for right, n in (a, b)]
    assert newcombe(*sides) == pytest.approx((low, high), abs=6e-5)


def test_fisher_on_the_lady_tasting_tea() -> None:
    assert fisher(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert fisher(4, 4, 0, 4) == pytest.approx(2 / 70)
    assert fisher(0, 5, 0, 9) == fisher(5, 5, 9, 9) == pytest.approx(1)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_fisher_is_the_sum_over_no_more_probable_tables(a: int, b: int, c: int, d: int) -> None:
    n, m, total = a + b, c + d, a + c
    ways = {k: comb(n, k) * comb(m, total - k) for k in range(max(0, total - m), min(n, total) + 1)}
    expected = sum(way for way in ways.values() if way <= ways[a]) / comb(n + m, total)
    assert math.isclose(fisher(a, n, c, m), min(1, expected), rel_tol=1e-6)


def test_every_problem_is_on_one_side(run: Path) -> None:
    judged = read_judged(run)
    items = list(of_run(run, ("problem",)))
    rows = splits(judged, items, {("problem", 5): {"p0", "p1"}})
    assert [(row.level, row.hits.right, row.hits.n, row.rest.right, row.rest.n) for row in rows] == [
        ("all", 2, 2, 1, 2),
        ("1", 2, 2, 0, 0),
        ("2", 0, 0, 1, 2),
    ]
    assert rows[0].difference == 0.5 and rows[0].p == pytest.approx(1.0)
    assert rows[1].difference is None and rows[1].p is None
    assert all(row.hits.low <= row.hits.high for row in rows)


def test_the_rest_shrinks_as_hits_grow(run: Path) -> None:
    judged = list(read_judged(run).values())
    rows = [split("t", "problem", 5, "all", judged, {f"p{i}" for i in range(k)}) for k in range(5)]
    assert all(a.hits.n + 1 == b.hits.n and a.rest.n - 1 == b.rest.n for a, b in pairwise(rows))


def test_completions_of_a_run(run: Path) -> None:
    assert list(read_answers(run, {"p1"})) == ["p1"]
    with pytest.raises(MissingError, match="no finished evaluation"):
        read_judged(run.parent)


def strata(*rows: tuple[int, int, int, int]) -> list[Split]:
    sides = [(side([True] * a + [False] * (n - a)), side([True] * c + [False] * (m - c))) for a, n, c, m in rows]
    return [Split("t", "problem", 30, str(level), hits, rest) for level, (hits, rest) in enumerate(sides)]


def test_one_stratum_is_the_plain_difference() -> None:
    difference, low, high, p = mantel_haenszel(strata((8, 10, 10, 20)))
    assert difference == pytest.approx(0.3)
    # two proportions' variance by Wald: 0.8 * 0.2 / 10 + 0.5 * 0.5 / 20
    assert (high - low) / 2 == pytest.approx(1.959964 * math.sqrt(0.016 + 0.0125))
    assert 0.05 < p < 0.2


def test_levels_take_away_what_is_theirs() -> None:
    # within each level hits make no difference, but there are more of them where problems are easy
    rows = strata((72, 80, 18, 20), (2, 20, 8, 80))
    assert mantel_haenszel(rows)[0] == pytest.approx(0, abs=1e-12)
    assert mantel_haenszel(rows)[3] == pytest.approx(1)
    (row,) = adjusted(rows)
    assert (row.levels, row.n) == (2, 30)
    assert adjusted(strata((1, 1, 0, 0))) == []


def test_no_spread_is_no_evidence() -> None:
    assert mantel_haenszel(strata((3, 3, 2, 2))) == (0.0, -1.0, 1.0, 1.0)
