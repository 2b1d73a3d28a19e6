"""Which judge a task's answers need, by protocol."""

from __future__ import annotations

from llemma.core import registry
from llemma.core.errors import MissingError, UsageError, suggest
from llemma.evals.answers.equivalent import DEFAULT, Judge
from llemma.evals.answers.workers import Undecided

_KINDS = {
    "default": ("math", "math500", "college_math"),
    "measured": ("ocw_courses",),
    "program": ("gsm8k_python", "math_python"),
    "number": ("gsm8k", "svamp", "asdiv", "gsm_hard", "aime24", "amc23"),
    "choice": ("mmlu_stem", "sat_math"),
}
_DEFAULT = {task: kind for kind, tasks in _KINDS.items() for task in tasks}
_LLEMMA = {
    "gsm8k": "llemma-gsm8k",
    "math": "llemma-math",
    "math500": "llemma-math",  # a part of MATH
    "ocw_courses": "llemma-ocw",
    "gsm8k_python": "llemma-gsm8k-python",
    "math_python": "llemma-math-python",
    "mmlu_stem": "llemma-choice",
    "sat_math": "llemma-choice",
}


def judge_of(task: str | None, protocol: str = "default") -> Judge:
    """The judge of `task` under `protocol` ("default" or "llemma"); without a task, the one for any text.

    An unknown task is a `UsageError`, a task that the published code does not have a `MissingError`.
    """
    name = task.replace("-", "_") if task else None
    if name is not None and name not in _DEFAULT:
        known = ", ".join(sorted(_DEFAULT))
        raise UsageError(f"unknown task '{task}'", where="--task", mend=suggest(name, _DEFAULT) or f"one of {known}")
    if protocol == "default":
        return DEFAULT if name is None else _named(_DEFAULT[name])
    if name is None:
        raise UsageError("the protocol llemma needs a task", where="--protocol", mend="add --task NAME")
    if name not in _LLEMMA:
        raise MissingError(
            f"the protocol llemma has no task '{name}'",
            where="--protocol",
            mend=f"leave --protocol out, or take one of {', '.join(sorted(_LLEMMA))}",
        )
    return _named(_LLEMMA[name])


def ready(judge: Judge) -> Judge:
    """`judge`, prepared: a `MissingError` says why it cannot work here."""
    if judge.prepare is not None:
        try:
            judge.prepare()
        except Undecided as undecided:
            raise MissingError(
                f"the judge '{judge.name}' cannot start: {undecided.why}", mend="pip install sympy, then try again"
            ) from undecided
    return judge


def _named(name: str) -> Judge:
    judge: Judge = registry.find("judge", name)
    return judge
