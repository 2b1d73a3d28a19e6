"""Where the pipeline meets torch: training a phase and evaluating its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llemma.core.console import Console
from llemma.core.errors import MissingError
from llemma.core.types import Document
from llemma.reproduce.schema import LlemmaRecipe
from llemma.tokens.store import Store
from llemma.train.config import ModelConfig, TrainConfig


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
    """Train one phase on the stores under `tokens` (`<subset>/<split>/`); returns its last metrics."""
    from llemma.tokens.tokenizer import load

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
    return trainer.train()


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
