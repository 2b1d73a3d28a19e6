import pytest

from llemma.core.errors import DataError
from llemma.core.types import Completion, Problem
from llemma.evals.answers import DEFAULT, Judge
from llemma.evals.judging import Sample, verdicts

PROBLEMS = {"p": Problem(id="p", task="t", text="?", answer="7")}


def judged(*completions, judge=DEFAULT):
    return list(verdicts(map(Sample, completions), PROBLEMS, {"t": judge}))


def sampled(*texts, finish="stop"):
    return [Completion("p#maj", i, text, finish=finish) for i, text in enumerate(texts)]


def test_each_sample_has_a_verdict_and_the_vote_has_one_more():
    found = judged(Completion("p#greedy", 0, "The answer is 6."), *sampled("#### 7", "#### 8", "#### 7.0"))
    assert [(v.problem, v.sample, v.outcome) for v in found] == [
        ("p#greedy", 0, "wrong"),
        ("p#maj", 0, "right"),
        ("p#maj", 1, "wrong"),
        ("p#maj", 2, "right"),
        ("p#vote", 0, "right"),
    ]
    assert found[-1].why == "2 of 3 votes, 2 distinct answers; same number 7"


def test_a_vote_without_answers_is_no_answer_and_no_crash():
    [*_, vote] = judged(*sampled("", "we go on and on and on"))
    assert (vote.outcome, vote.answer) == ("no_answer", None)


def test_a_vote_over_nothing_but_errors_is_an_error():
    [*_, vote] = judged(*sampled("", "", finish="error"))
    assert vote.outcome == "error"


def test_a_judge_that_fails_is_an_error_and_not_a_wrong_answer():
    def broken(answer, gold):
        raise RecursionError("too deep")

    judge = Judge("broken", 1, DEFAULT.find, DEFAULT.canonical, broken)
    [verdict] = judged(Completion("p#greedy", 0, "#### 7"), judge=judge)
    assert verdict.outcome == "error"
    assert verdict.why == "judge 'broken' failed: RecursionError: too deep"


def test_a_judge_that_cannot_vote_is_an_error_too():
    def broken(answer):
        raise RecursionError("too deep")

    [*_, vote] = judged(*sampled("#### 7"), judge=Judge("broken", 1, DEFAULT.find, broken, DEFAULT.compare))
    assert (vote.outcome, vote.why) == ("error", "judge 'broken' failed: RecursionError: too deep")


def test_a_completion_of_an_unknown_problem_is_refused():
    with pytest.raises(DataError, match="unknown problem 'q'"):
        judged(Completion("q#greedy", 0, "#### 7"))
