"""Whether prompts fit a model's context, asked before the first request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from llemma.backends.base import Backend
from llemma.core.errors import RecipeError
from llemma.core.types import Request
from llemma.evals import runner
from llemma.evals.config import EvalConfig
from llemma.evals.task import Task

Lengths = Callable[[Request], tuple[int, int]]


def check_context(backend: Backend, tasks: Sequence[Task], config: EvalConfig, warn: Callable[[str], None]) -> None:
    """Look at the longest prompt of each task, where the backend can count tokens (`lengths`).

    Warns where worked examples will be cut off on the left, as in the published evaluation; raises `RecipeError` where
    not even the problem alone fits.
    """
    lengths: Any = getattr(backend, "lengths", None)
    for task in tasks if lengths is not None else ():
        _check(task, config, lengths, warn)


def _check(task: Task, config: EvalConfig, lengths: Lengths, warn: Callable[[str], None]) -> None:
    _, problems = runner.load(task, config)
    longest = max(problems, key=lambda problem: len(problem.meta["prompt"]), default=None)
    if longest is None:
        return
    [request, *_] = runner.plan(task, [longest], config)
    tokens, room = lengths(request)
    if tokens <= room:
        return
    alone, _ = lengths(msgspec.structs.replace(request, prompt=task.prompt(longest, ())))
    fits = f"{room:,} fit beside its answer"
    if alone > room:
        raise RecipeError(
            f"the model's context is too short for '{longest.id}': the problem alone has {alone:,} tokens, {fits}",
            where=f"task '{task.name}'",
            mend="set --max-tokens lower, or take a model with a longer context",
        )
    warn(
        f"the longest prompt of {task.name} has {tokens:,} tokens, {fits}: its first worked examples are cut off "
        "(fewer of them: --shots)"
    )
