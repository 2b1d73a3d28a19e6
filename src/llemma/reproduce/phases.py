"""Where the pipeline meets torch: training a phase and evaluating its model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llemma.core.console import Console
from llemma.core.errors import Interrupted, MissingError
from llemma.core.types import Document
from llemma.reproduce.schema import LlemmaRecipe
from llemma.tokens.store import Store
from llemma.train.config import ModelConfig, TrainConfig

if TYPE_CHECKING:
    from llemma.train.mesh import Mesh

T = TypeVar("T")
LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets in the environment of each process."""


def train_phase(
    run: Path,
    config: TrainConfig,
    *,
    tokens: Path,
    tokenizer: Path,
    init: Path | None,
    shape: ModelConfig | None,
    console: Console,
) -> dict[str, Any]:
    """Train one phase on the stores under `tokens` (`<subset>/<split>/`); returns its last metrics.

    Under torchrun the leader's call makes the other processes call it, too (`follow`).
    """
    from llemma.tokens.tokenizer import load
    from llemma.train.mesh import current

    processes = current()
    if processes.leader:
        processes.agree((run, config, tokens, tokenizer, init, shape))
    processes.busy = True
    with console.progress(f"load {run.name}"):
        from llemma.train.loop import Trainer

        trainer = Trainer(
            run,
            config,
            tokenizer=load(tokenizer),
            train=stores(tokens, "train"),
            validation=stores(tokens, "validation"),
            console=console,
            init=init,
            shape=shape if init is None else None,
        )
    for note in trainer.feed.notes:
        console.warn(f"{run.name}: {note}")
    facts = trainer.train()
    processes.busy = False
    return facts


def lead(work: Callable[[], T]) -> T | None:
    """`work` in this process; under torchrun in the leader alone, while the others take part in the phases that it
    trains and return None.

    An error of the leader outside a phase ends the others quietly; in a phase, torchrun ends them.
    """
    if not all(name in os.environ for name in LAUNCHED):
        return work()
    from llemma.train import mesh

    with mesh.opened() as processes:
        if not processes.leader:
            _follow(processes)
            return None
        try:
            return work()
        finally:
            if not processes.busy:
                processes.agree(None)


def _follow(processes: Mesh) -> None:
    """Take part in what the leader trains, without a word."""
    from llemma.train.guard import Hopeless

    silent = Console(quiet=True, stream=open(os.devnull, "w", encoding="utf-8"))
    while (phase := processes.agree(None)) is not None:
        run, config, tokens, tokenizer, init, shape = phase
        try:
            train_phase(run, config, tokens=tokens, tokenizer=tokenizer, init=init, shape=shape, console=silent)
        except (Interrupted, Hopeless) as error:  # the leader says so
            raise SystemExit(error.exit_code) from error


def stores(tokens: Path, split: str) -> dict[str, Store]:
    """The token stores of a split, by subset."""
    found = {path.parent.parent.name: Store(path.parent) for path in sorted(tokens.glob(f"*/{split}/store.json"))}
    if not found and split == "train":
        raise MissingError(
            f"no token stores in {tokens}", mend="run `llemma tokenize CORPUS --tokenizer T --out DIR` first"
        )
    return found


def evaluate_phase(
    run: Path, phase: str, recipe: LlemmaRecipe, texts: Mapping[str, Sequence[Document]], console: Console
) -> dict[str, Any]:
    """Evaluate `run/<phase>` on the run's held-out problems and validation texts into `run/eval/<phase>`."""
    from llemma.backends.base import open_backend
    from llemma.evals.runner import evaluate
    from llemma.evals.task import jsonl_task
    from llemma.reproduce.stages import QUESTIONS, TASK

    config = recipe.eval
    problems, examples = (run / name for name in QUESTIONS["solution"])
    tasks = [jsonl_task(problems, name=TASK, examples=examples, shots=config.shots)]
    if recipe.problems.programs:
        problems, examples = (run / name for name in QUESTIONS["program"])
        tasks.append(jsonl_task(problems, name=f"{TASK}_python", examples=examples, shots=config.shots, programs=True))
    with console.progress(f"load {phase}"):
        backend = open_backend(f"run:{run / phase}", batch=config.batch)
    results = evaluate(backend, tasks, config, run / "eval" / phase, console=console, texts=texts)
    return {"scores": len(results.llemma.scores)}
