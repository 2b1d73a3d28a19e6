"""Held-out theorems, proved by the models of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llemma.core.console import Console
from llemma.core.errors import LlemmaError
from llemma.prove.config import ProveConfig
from llemma.prove.prover import Refused, open_prover
from llemma.prove.theorem import Theorem
from llemma.reproduce.schema import LlemmaRecipe

PROVER = "rocq"
_TRIAL = Theorem("trial", "", "Theorem trial : True.")


def identity(config: ProveConfig) -> str:
    """What names the prover of this machine. Raises `MissingError` where it, or what confines it, is not there."""
    worker = open_prover(PROVER, config.prover)
    try:
        opened = worker.open(_TRIAL, config.prover.open_seconds)
        if isinstance(opened, Refused):
            raise LlemmaError(f"the prover does not take a trivial theorem: {opened.why}", where=worker.identity)
        return worker.identity
    finally:
        worker.close()


def prove_phase(run: Path, phase: str, recipe: LlemmaRecipe, console: Console) -> dict[str, Any]:
    """Let the model `run/<phase>` prove the run's theorems into `run/prove/<phase>`; how many of how many it proved."""
    from llemma.backends.base import open_backend
    from llemma.prove.runner import prove
    from llemma.prove.tasks import open_tasks
    from llemma.reproduce.stages import THEOREMS

    config = recipe.prove
    assert config is not None
    task = open_tasks(str(run / THEOREMS), PROVER)
    with console.progress(f"load {phase}"):
        backend = open_backend(f"run:{run / phase}", batch=config.batch)
    results = prove(backend, task, PROVER, config, run / "prove" / phase, console=console)
    return {"proved": results.score.outcomes.get("right", 0), "theorems": results.score.n}
