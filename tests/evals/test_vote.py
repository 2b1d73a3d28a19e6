from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from llemma.evals.answers import canonical
from llemma.evals.vote import Vote, majority

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
