"""Verdicts out of completions: one a sample, and one a vote."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from llemma.core.errors import DataError
from llemma.core.types import Completion, Outcome, Problem, Verdict
from llemma.evals.answers import Judge, Judgement, judge_completion
from llemma.evals.answers.workers import Undecided
from llemma.evals.programs import Ran, judge_program
from llemma.evals.results import SAMPLED, VOTED, request_id, split_id
from llemma.evals.vote import majority
from llemma.tools import Execution


class Sample(NamedTuple):
    """What is judged: a completion, and where its task runs programs how its program ended (`ran`)."""

    completion: Completion
    ran: bool = False
    end: Execution | None = None


def samples(
    completions: Iterable[Completion], problems: Mapping[str, Problem], programs: Collection[str], runs: Iterable[Ran]
) -> Iterator[Sample]:
    """Completions with the ends of their programs: `runs` has one row for each completion of the tasks in `programs`,
    in their order."""
    rows = iter(runs)
    for completion in completions:
        problem = _problem(problems, split_id(completion.request)[0])
        if problem.task not in programs:
            yield Sample(completion)
            continue
        row = next(rows, None)
        if row is None or (row.request, row.sample) != (completion.request, completion.sample):
            raise DataError(
                f"no program's end for sample {completion.sample} of '{completion.request}'",
                mend="run the evaluation again; its completions are kept",
            )
        yield Sample(completion, True, row.execution)


def verdicts(
    judged: Iterable[Sample], problems: Mapping[str, Problem], judges: Mapping[str, Judge]
) -> Iterator[Verdict]:
    """Judge samples in their order; after the samples of a problem comes the verdict on their vote.

    A verdict's `problem` is the request's id (`p1#greedy`, `p1#maj`), so that it joins with its completion; a vote's is
    `p1#vote`. `judges` are by task. A judge that fails is an `error`, never a wrong answer.
    """
    for request, group in groupby(judged, key=lambda sample: sample.completion.request):
        name, mode = split_id(request)
        problem = _problem(problems, name)
        judge, asked = judges[problem.task], list(group)
        found: list[Judgement] = []
        for sample in asked:
            begun = time.perf_counter()
            found.append(judged_safely(sample, problem.answer, judge))
            yield _verdict(request, sample.completion.sample, problem.answer, found[-1], begun)
        if mode == SAMPLED:
            begun = time.perf_counter()
            vote = voted_safely(asked, found, problem.answer, judge)
            yield _verdict(request_id(name, VOTED), 0, problem.answer, vote, begun)


def _problem(problems: Mapping[str, Problem], name: str) -> Problem:
    if name not in problems:
        raise DataError(f"a completion of an unknown problem '{name}'", mend="run the evaluation again")
    return problems[name]


def _verdict(name: str, sample: int, gold: str, judgement: Judgement, begun: float) -> Verdict:
    seconds = round(time.perf_counter() - begun, 6)
    return Verdict(name, sample, judgement.outcome, judgement.answer, gold, judgement.why, seconds)


def judged_safely(sample: Sample, gold: str, judge: Judge) -> Judgement:
    """The verdict on a sample, with an exception of a plugged-in judge as the outcome `error`."""
    try:
        if sample.ran:
            return judge_program(sample.completion, sample.end, gold, judge)
        return judge_completion(sample.completion, gold, judge)
    except Exception as error:
        return _failed(judge, error)


def voted_safely(asked: Sequence[Sample], found: Sequence[Judgement], gold: str, judge: Judge) -> Judgement:
    """The verdict on a vote, with an exception of a plugged-in judge as the outcome `error`."""
    try:
        if judge.vote is not None:
            return judge.vote([_voter(sample, judgement) for sample, judgement in zip(asked, found, strict=True)], gold)
        return judge_vote(found, gold, judge)
    except Exception as error:
        return _failed(judge, error)


def _voter(sample: Sample, judgement: Judgement) -> str | None:
    """What a judge with a vote of its own counts: whole texts, or the values of programs."""
    if sample.ran:
        return judgement.answer
    return None if sample.completion.finish == "error" else sample.completion.text


def _failed(judge: Judge, error: Exception) -> Judgement:
    if isinstance(error, Undecided):
        return Judgement(error.outcome, None, error.why)
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
