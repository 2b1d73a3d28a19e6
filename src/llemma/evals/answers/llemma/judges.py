"""The published judges, by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llemma.evals.answers.equivalent import Judge, Judgement
from llemma.evals.answers.llemma import ocw, prepare, strings, tex
from llemma.evals.answers.llemma.vote import published_vote


def _with_vote(judge: Judge) -> Judge:
    """`judge` with the published vote, which asks for equivalence in the order of the samples."""

    def vote(samples: Sequence[str | None], gold: str) -> Judgement:
        found = published_vote(samples, gold, judge)
        return Judgement(found.outcome, found.answer, found.why)

    return replace(judge, vote=vote)


GSM8K = _with_vote(
    Judge("llemma-gsm8k", 1, find=strings.find_gsm8k, canonical=str, compare=strings.same_text, gold=strings.gold_gsm8k)
)
"""GSM8K."""

CHOICE = _with_vote(
    Judge(
        "llemma-choice", 2, find=strings.find_choice, canonical=str, compare=strings.same_text, gold=strings.gold_choice
    )
)
"""MMLU-STEM and SAT."""

MATH = _with_vote(
    Judge(
        "llemma-math",
        1,
        find=tex.find_math,
        canonical=tex.normalise,
        compare=tex.compare_math,
        gold=tex.gold_math,
        prepare=prepare,
    )
)
"""MATH. Its comparison may raise `workers.Undecided`."""

OCW = _with_vote(
    Judge(
        "llemma-ocw", 1, find=ocw.find_ocw, canonical=tex.normalise, compare=ocw.compare_ocw, gold=str, prepare=prepare
    )
)
"""OCWCourses. Its comparison may raise `workers.Undecided`."""
