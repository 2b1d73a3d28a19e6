"""Verdicts out of completions: one a sample, and one a vote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from llemma.core.errors import DataError
from llemma.core.types import Completion, Outcome, Problem, Verdict
from llemma.evals.answers import Judge, Judgement, judge_completion
from llemma.evals.results import SAMPLED, VOTED, request_id, split_id
from llemma.evals.vote import majority


def verdicts(
    completions: Iterable[Completion], problems: Mapping[str, Problem], judges: Mapping[str, Judge]
) -> Iterator[Verdict]:
    """Judge completions in their order; after the samples of a problem comes the verdict on their vote.

    A verdict's `problem` is the request's id (`p1#greedy`, `p1#maj`), so that it joins with its completion; a vote's is
    `p1#vote`. `judges` are by task. A judge that fails is an `error`, never a wrong answer.
    """
    for request, group in groupby(completions, key=lambda completion: completion.request):
        name, mode = split_id(request)
        if name not in problems:
            raise DataError(f"a completion of an unknown problem '{name}'", mend="run the evaluation again")
        problem = problems[name]
        judge = judges[problem.task]
        judged = [(completion.sample, judged_safely(completion, problem.answer, judge)) for completion in group]
        for sample, judgement in judged:
            yield _verdict(request, sample, problem.answer, judgement)
        if mode == SAMPLED:
            vote = voted_safely([judgement for _, judgement in judged], problem.answer, judge)
            yield _verdict(request_id(name, VOTED), 0, problem.answer, vote)


def _verdict(name: str, sample: int, gold: str, judgement: Judgement) -> Verdict:
    return Verdict(name, sample, judgement.outcome, judgement.answer, gold, judgement.why)


def judged_safely(completion: Completion, gold: str, judge: Judge) -> Judgement:
    """`judge_completion`, with an exception of a plugged-in judge as the outcome `error`."""
    try:
        return judge_completion(completion, gold, judge)
    except Exception as error:
        return _failed(judge, error)


def voted_safely(samples: Sequence[Judgement], gold: str, judge: Judge) -> Judgement:
    """`judge_vote`, with an exception of a plugged-in judge as the outcome `error`."""
    try:
        return judge_vote(samples, gold, judge)
    except Exception as error:
        return _failed(judge, error)


def _failed(judge: Judge, error: Exception) -> Judgement:
    return Judgement("error", None, f"judge '{judge.name}' failed: {type(error).__name__}: {error}")


def judge_vote(samples: Sequence[Judgement], gold: str, judge: Judge) -> Judgement:
    """The verdict on the majority of `samples`; without any answer, the outcome they all share or `no_answer`."""
    vote = majority([sample.answer for sample in samples], judge.canonical)
    if vote.answer is None:
        shared = {sample.outcome for sample in samples}
        outcome: Outcome = shared.pop() if len(shared) == 1 else "no_answer"
        return Judgement(outcome, None, f"none of {len(samples)} samples has an answer")
    equal, why = judge.compare(vote.answer, gold)
    count = f"{vote.votes} of {len(samples)} votes, {vote.clusters} distinct answer{'s' * (vote.clusters > 1)}"
    return Judgement("right" if equal else "wrong", vote.answer, f"{count}; {why}")
