"""The published judging of GSM8K+Python and MATH+Python (`python_gsm8k.py` and `unsafe_score_sympy_math.py`).

GSM8K+Python: what the program prints must be a float that is exactly the gold answer's. MATH+Python: the program's
value and the gold answer, read by sympy, are cast to numbers before they are compared.

Faults: the cast tries `int` before `float`, so that 1/2 is 0, 7/2 is 3, √2 is 1, and a gold answer 1/2 accepts 0.
Lists, tuples and strings, which `solve` gives and the prompt teaches, are never right. A program that failed votes for
"no value" like any other answer, and can win. (The published code also ran programs in its own process, with globals
apart from locals, so that functions could not call themselves; ours run in the sandbox, as Python means it.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from llemma.evals.answers.equivalent import Comparison, Judge, Judgement
from llemma.evals.answers.llemma import prepare, sympy_pool, tex
from llemma.evals.answers.llemma.strings import gold_gsm8k
from llemma.evals.answers.llemma.vote import SECONDS, cluster
from llemma.evals.answers.python_values import given
from llemma.evals.answers.workers import Undecided

_NO_VALUE = "None"


def compare_floats(answer: str, gold: str) -> Comparison:
    """Whether both are floats and exactly equal."""
    try:
        same = float(answer) == float(gold.replace(",", ""))
    except ValueError:
        return Comparison(False, f"no float: {answer[:60]!r}")
    return Comparison(same, f"{'the same float' if same else 'another float'}: {answer[:60]}")


def compare_cast(answer: str, gold: str, seconds: float | None = None) -> Comparison:
    """Whether a program's value (exact form) is the gold answer after the published cast. May raise `Undecided`."""
    equal, why = sympy_pool().ask("equal_after_cast", answer, tex.normalise(gold), seconds=seconds)
    return Comparison(equal, why)


def _vote_cast(answers: Sequence[str | None], gold: str) -> Judgement:
    """The published vote over the values of programs, None among them."""
    votes = [_NO_VALUE if answer is None else answer for answer in answers]
    asked: dict[tuple[str, str], bool] = {}

    def same(one: str, other: str) -> bool:
        if _NO_VALUE in (one, other):
            return one == other
        if (one, other) not in asked:
            try:
                asked[one, other] = sympy_pool().ask("same_after_cast", one, other, seconds=SECONDS / len(votes) + 0.5)
            except Undecided:
                asked[one, other] = False
        return asked[one, other]

    counts = cluster(votes, same)
    if not counts:
        return Judgement("no_answer", None, "no samples")
    winner = max(counts, key=counts.__getitem__)
    why = f"{counts[winner]} of {len(votes)} votes, distinct values: {len(counts)}"
    if winner == _NO_VALUE:
        return Judgement("no_answer", None, f"{why}; failed programs win")
    equal, reason = compare_cast(winner, gold)
    return Judgement("right" if equal else "wrong", winner, f"{why}; {reason}")


def _float_form(answer: str) -> str:
    try:
        value = float(answer)
        return repr(value) if math.isfinite(value) else answer
    except ValueError:
        return answer


GSM8K_PYTHON = Judge(
    "llemma-gsm8k-python", 1, find=given, canonical=_float_form, compare=compare_floats, gold=gold_gsm8k
)
"""GSM8K+Python. The published code has no vote for it; ours counts equal floats."""

MATH_PYTHON = Judge(
    "llemma-math-python",
    1,
    find=given,
    canonical=str,
    compare=compare_cast,
    gold=tex.gold_math,
    vote=_vote_cast,
    exact_values=True,
    prepare=prepare,
)
"""MATH+Python. Its comparison may raise `workers.Undecided`."""
