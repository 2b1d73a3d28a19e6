import random
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.evals.curves import SUBSETS, Samples, ladder, majority_curve, pass_at, pass_curve
from llemma.evals.vote import majority

CLUSTERS = st.lists(st.sampled_from([None, 0, 1, 2]), min_size=1, max_size=7)


def problem(clusters, right=0):
    return Samples([c == right for c in clusters], clusters)


def by_hand(clusters, k, right=0):
    """The share of k-subsets whose majority, in sampling order, is the cluster `right`."""
    answers = [None if c is None else f"{c}" for c in clusters]
    won = [
        majority([answers[i] for i in subset]).answer == f"{right}" for subset in combinations(range(len(answers)), k)
    ]
    return sum(won) / len(won)


@given(CLUSTERS)
def test_small_numbers_of_samples_are_counted_out(clusters):
    ks = list(range(1, len(clusters) + 1))
    assert majority_curve([problem(clusters)], ks)[0] == pytest.approx([by_hand(clusters, k) for k in ks])


def test_random_subsets_stand_for_all_of_them():
    draw = random.Random(2)
    groups = [[draw.choice([None, 0, 0, 1, 1, 2]) for _ in range(14)] for _ in range(60)]
    assert comb(14, 6) > SUBSETS
    found = majority_curve([problem(group) for group in groups], [6])[:, 0]
    exact = np.array([by_hand(group, 6) for group in groups])
    assert np.abs(found - exact).max() < 0.3
    assert abs(found.mean() - exact.mean()) < 0.03


@given(CLUSTERS, CLUSTERS)
def test_a_problem_s_values_do_not_depend_on_its_neighbours(one, other):
    n = min(len(one), len(other))
    ks = ladder(n)
    both = majority_curve([problem(one[:n]), problem(other[:n])], ks)
    assert (both[1] == majority_curve([problem(other[:n])], ks)[0]).all()


def test_the_last_step_is_the_vote_itself_and_the_first_one_sample():
    draw = random.Random(4)
    clusters = [draw.choice([None, 0, 1, 2, 3]) for _ in range(100)]
    first, last = majority_curve([problem(clusters)], [1, 100])[0]
    assert first == pytest.approx(clusters.count(0) / 100)
    assert last == by_hand(clusters, 100)


def test_a_tie_goes_to_the_earliest_right_or_wrong():
    assert majority_curve([problem([0, 1]), problem([1, 0])], [2])[:, 0].tolist() == [1.0, 0.0]


def test_the_winner_is_judged_as_its_earliest_sample_wrote_it():
    # two strings of one form of which only the first is right, as a unit may decide
    assert majority_curve([Samples([True, False], [0, 0])], [1, 2])[0].tolist() == [0.5, 1.0]


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_formula_of_the_paper(case):
    n, c, k = case
    assert pass_at(c, n, k) == pytest.approx(float(1 - Fraction(comb(n - c, k), comb(n, k))))


def test_pass_at_k_of_many_samples_neither_overflows_nor_leaves_its_range():
    assert pass_at(1, 100_000, 50_000) == pytest.approx(0.5)
    assert pass_at(0, 100_000, 99_999) == 0.0
    assert pass_at(2, 5, 4) == 1.0
    with pytest.raises(ValueError, match="6 of 5 samples"):
        pass_at(1, 5, 6)


def test_lost_samples_are_drawn_but_not_right():
    assert pass_curve([problem([0, None, None, None])], [1, 2, 4])[0] == pytest.approx([0.25, 0.5, 1])
    assert majority_curve([problem([None, None])], [1, 2])[0].tolist() == [0, 0]


def test_the_ladder_doubles_and_ends_in_all_samples():
    assert ladder(1) == [1]
    assert ladder(8) == [1, 2, 4, 8]
    assert ladder(100) == [1, 2, 4, 8, 16, 32, 64, 100]
    assert ladder(0) == []
