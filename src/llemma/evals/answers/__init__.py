"""Right or wrong: finding the answer in a text, and comparing it with the gold answer."""

from llemma.evals.answers.equivalent import (
    DEFAULT,
    Comparison,
    Judge,
    Judgement,
    compare,
    equivalent,
    judge,
    judge_answer,
    judge_completion,
)
from llemma.evals.answers.find import Found, find
from llemma.evals.answers.normalise import Canonical, canonical

__all__ = [
    "DEFAULT",
    "Canonical",
    "Comparison",
    "Found",
    "Judge",
    "Judgement",
    "canonical",
    "compare",
    "equivalent",
    "find",
    "judge",
    "judge_answer",
    "judge_completion",
]
