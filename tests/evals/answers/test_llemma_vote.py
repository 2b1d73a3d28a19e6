"""The published majority vote."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.evals.answers.llemma import sympy_pool
from llemma.evals.answers.llemma import vote as voting
from llemma.evals.answers.llemma.judges import CHOICE, GSM8K, MATH, OCW
from llemma.evals.answers.llemma.vote import cluster, published_vote


@pytest.fixture(scope="module", autouse=True)
def no_workers_left():
    yield
    sympy_pool().close()


def math(*answers: str, gold: str):
    return published_vote([f"Final Answer: The final answer is ${answer}$. " for answer in answers], gold, MATH)


def ocw(*answers: str, gold: str):
    return published_vote([f"Final answer: The final answer is {answer}. " for answer in answers], gold, OCW)


def test_equal_answers_are_one_cluster_under_its_first_member():
    result = math("3", "\\frac12", "0.5", "\\frac{2}{4}", "3", gold="\\frac{1}{2}")
    assert (result.answer, result.outcome, result.votes, result.clusters, result.pass_rate) == (
        "$\\frac12$",
        "right",
        3,
        2,
        0.6,
    )


def test_a_tie_goes_to_the_cluster_founded_first():
    assert math("8", "7", "7", "8", gold="7").answer == "$8$"
    assert math("7", "8", "8", "7", gold="7").outcome == "right"


def test_a_wrong_winner_keeps_the_pass_rate_of_the_right_cluster():
    result = math("8", "8", "7", "9", gold="7")
    assert (result.outcome, result.votes, result.pass_rate) == ("wrong", 2, 0.25)


def test_the_order_of_samples_decides_where_equivalence_is_not_symmetric():
    assert math("x-x+0", "0", gold="1").clusters == 1
    assert math("0", "x-x+0", gold="1").clusters == 2  # a first member that is zero equals nothing but its own text


def test_invalid_samples_do_not_vote_and_count_in_the_pass_rate_by_task():
    samples = ["The answer is 5.", "", "no idea", "The answer is 5."]
    assert published_vote(samples, "5", GSM8K).pass_rate == 1.0  # of the valid ones
    letters = ["Final Answer: The final answer is (B).", "", "no idea", "Final Answer: The final answer is (B)."]
    result = published_vote([*letters, None], "B", CHOICE)
    assert (result.answer, result.votes, result.pass_rate) == ("(B)", 2, 0.4)  # of all


@pytest.mark.parametrize("judge", [GSM8K, CHOICE, MATH, OCW], ids=lambda judge: judge.name)
@pytest.mark.parametrize("samples", [[], ["", None], ["no answer", "no answer either"]])
def test_no_votes_are_no_answer(judge, samples):
    result = published_vote(samples, "5", judge)
    assert (result.answer, result.outcome, result.votes, result.clusters, result.pass_rate) == (
        None,
        "no_answer",
        0,
        0,
        0.0,
    )


def test_an_empty_answer_votes_where_the_published_code_lets_it():
    assert published_vote(["Final Answer: The final answer is . "] * 2, "5", MATH).votes == 2


def test_numbers_of_ocw_vote_as_numbers():
    result = ocw("1.60 cm", "16/10", "2", "one", gold="1.6")
    assert (result.answer, result.outcome, result.votes, result.clusters) == ("1.60 cm", "right", 2, 2)
    assert result.pass_rate == 2 / 3  # "one" is no number and dropped
    assert ocw("-5", "-5.0", gold="-5").outcome == "wrong"
    assert ocw("x=5", "x=5", gold="x=5").outcome == "no_answer"
    assert ocw("\\frac12 t", "t/2", "t", gold="\\frac{t}{2}").outcome == "right"


def literal(votes, same):
    """The published loop, written down as it is: it asks on after a match."""
    clusters = {}
    for vote in votes:
        if vote in clusters:
            clusters[vote] += 1
        else:
            homes = [first for first in clusters if same(vote, first)]
            clusters[homes[0] if homes else vote] = clusters.get(homes[0] if homes else vote, 0) + 1
    return clusters


@given(st.lists(st.integers(0, 9), max_size=30), st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_clusters_are_those_of_the_published_loop_whatever_the_equivalence(votes, pairs):
    found = cluster(votes, lambda one, other: (one, other) in pairs)
    expected = literal(votes, lambda one, other: (one, other) in pairs)
    assert list(found.items()) == list(expected.items())


@pytest.mark.slow
def test_hostile_samples_end_in_time_and_the_others_are_counted(monkeypatch):
    monkeypatch.setattr(voting, "EACH", 0.4)
    towers = [f"9^{{9^{{9^{{{n}}}}}}}" for n in range(9, 12)]
    begun = time.monotonic()
    result = math("\\frac12", *towers, "\\frac24", "7", gold="\\frac{1}{2}")
    assert time.monotonic() - begun < 6
    assert (result.answer, result.outcome, result.votes) == ("$\\frac12$", "right", 2)
