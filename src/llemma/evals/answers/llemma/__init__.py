"""The paper's own judging, as its published code behaves, so that numbers can be set beside the paper's.

Azerbayev et al. 2023; wellecks/lm-evaluation-harness at bec2172. The faults are reproduced on purpose and each is
named, with the word "fault", where it is: `strings.py` judges GSM8K, MMLU-STEM and SAT, `tex.py` MATH, `ocw.py`
OCWCourses, `programs.py` the values of programs, and `vote.py` counts votes. For judging that is right, take the
default protocol.
"""

from __future__ import annotations

from functools import cache

from llemma.evals.answers.workers import Pool

STARTING = 60.0
"""Wall seconds that a worker may take to start, on a machine that is busy."""


def prepare() -> None:
    """Start a worker and wait for it, so that no answer pays for that; raises `Undecided` where none starts."""
    sympy_pool().ask("readable", "1", seconds=STARTING)


@cache
def sympy_pool() -> Pool:
    """The workers with sympy of this process; none is started before the first question."""
    return Pool("llemma.evals.answers.llemma.answers")
