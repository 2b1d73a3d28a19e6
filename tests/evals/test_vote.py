import math
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import DataError
from llemma.evals.answers import canonical
from llemma.evals.vote import Vote, clusters, majority

ANSWERS = st.lists(st.sampled_from(["1/2", "0.5", "50", "$50", "x", "X", "\\frac12", "", "  ", None]), max_size=30)


def oracle(answers):
    """The slow and obvious way: count canonical forms, take the first of the most frequent."""
    cast = [answer for answer in answers if answer is not None and answer.strip()]
    counts = Counter(canonical(answer).form for answer in cast)
    for answer in cast:
        if counts[canonical(answer).form] == max(counts.values()):
            return Vote(answer, counts[canonical(answer).form], len(counts))
    return Vote(None, 0, 0)


@given(ANSWERS)
def test_a_vote_is_what_counting_says(answers):
    assert majority(answers) == oracle(answers)


@given(ANSWERS, st.randoms())
def test_order_decides_ties_and_nothing_else(answers, random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    one, other = majority(answers), majority(shuffled)
    assert (one.votes, one.clusters) == (other.votes, other.clusters)
    counts = Counter(canonical(answer).form for answer in answers if answer and answer.strip())
    if list(counts.values()).count(one.votes) == 1:
        assert canonical(one.answer or "").form == canonical(other.answer or "").form


def test_a_tie_goes_to_the_earliest_sample():
    assert majority(["7", "8", "8", "7.0"]).answer == "7"
    assert majority(["8", "7", "7.0", "8"]).answer == "8"


def test_lost_samples_do_not_vote_and_cannot_win():
    assert majority([None, "", " ", None, "3"]) == Vote("3", 1, 1)
    assert majority([None, "", " "]) == Vote(None, 0, 0)
    assert majority([]) == Vote(None, 0, 0)


def test_each_distinct_string_is_read_once():
    read = []
    majority(["a", "b", "a", "a", "b"] * 50, canonical=lambda answer: read.append(answer) or answer)
    assert read == ["a", "b"]


def test_clusters_are_numbered_by_their_first_votes():
    assert clusters(["b", None, "1/2", "b", " ", "0.5", "a"]) == [0, None, 1, 0, None, 1, 2]


@given(ANSWERS)
def test_equal_weights_vote_like_counts(answers):
    plain, weighted = majority(answers), majority(answers, weights=[0.3] * len(answers))
    assert (plain.answer, plain.votes, plain.clusters) == (weighted.answer, weighted.votes, weighted.clusters)
    assert weighted.weight is None or weighted.weight == math.fsum([0.3] * weighted.votes)


WEIGHTED = st.lists(
    st.tuples(st.sampled_from(["1/2", "0.5", "3", "x", "", None]), st.floats(0, 1e6)), min_size=1, max_size=20
)


@given(WEIGHTED, st.randoms())
def test_the_heaviest_answer_wins_in_any_order(cast, random):
    vote = majority([answer for answer, _ in cast], weights=[weight for _, weight in cast])
    sums = {}
    for answer, weight in cast:
        if answer:
            sums.setdefault(canonical(answer).form, []).append(weight)
    assert vote.weight == max((math.fsum(weights) for weights in sums.values()), default=None)
    random.shuffle(cast)
    assert majority([a for a, _ in cast], weights=[w for _, w in cast]).weight == vote.weight


def test_weights_beat_counts_and_ties_of_weights_go_to_the_earliest():
    assert majority(["7", "8", "8"], weights=[0.9, 0.3, 0.4]) == Vote("7", 1, 2, 0.9)
    assert majority(["8", "7", "7.0"], weights=[1, 0.5, 0.5]).answer == "8"
    assert majority(["5", "6"], weights=[0, 0]) == Vote("5", 1, 2, 0.0)


def test_weights_of_samples_that_do_not_vote_are_not_looked_at():
    assert majority([None, "3", ""], weights=[math.nan, 1, -1]) == Vote("3", 1, 1, 1.0)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_weights_that_are_none_are_refused(weight):
    with pytest.raises(DataError, match="a weight of") as caught:
        majority(["1", "2"], weights=[1, weight])
    assert caught.value.where == "sample 1"
    with pytest.raises(DataError, match="1 weights for 2 answers"):
        majority(["1", "2"], weights=[1])


def test_a_vote_of_many_samples_takes_little_time():
    forms = [f"\\frac{{{n}x^2+{n}}}{{{n + 7}}}+\\sqrt{{{n}}}" for n in range(40, 80)]
    answers = [forms[(n * n) % 40] for n in range(256)]
    begun = time.process_time()
    assert majority(answers).clusters == len(set(answers))
    assert time.process_time() - begun < 0.6  # 0.2 is wanted; a loaded machine gets more
