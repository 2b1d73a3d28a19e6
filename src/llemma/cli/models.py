"""`llemma generate|eval|rescore`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llemma.cli.options import common
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)
MODEL = click.option("-m", "--model", required=True, metavar="MODEL", help="run:DIR, replay:FILE or echo:")


@click.command()
@MODEL
@click.argument("prompt")
@click.option("--n", default=1, type=click.IntRange(1), help="Samples.")
@click.option("--max-tokens", default=128, type=click.IntRange(1), help="New tokens a sample.")
@click.option("--temperature", default=0.0, type=click.FloatRange(0), help="0 takes the most probable token.")
@click.option("--top-p", default=1.0, type=click.FloatRange(0, 1, min_open=True), help="Nucleus sampling.")
@click.option("--seed", default=0, help="Seed of the sampling.")
@common
def generate(model: str, prompt: str, n: int, console: Console, **options: Any) -> None:
    """Continue PROMPT."""
    from llemma.backends.base import open_backend
    from llemma.core.errors import LlemmaError
    from llemma.core.types import Request

    with console.progress("load", unit=""):
        backend = open_backend(model)
    request = Request(id="prompt", prompt=prompt, n=n, **options)
    samples = next(iter(backend.complete([request])))
    if samples[0].finish == "error":
        raise LlemmaError(samples[0].error, where=model)
    console.emit(samples, "\n---\n".join(sample.text for sample in samples))


@click.command("eval")
@MODEL
@click.option(
    "-t",
    "--tasks",
    required=True,
    multiple=True,
    metavar="TASKS",
    help="Task names or problem files (.jsonl); commas or repeats.",
)
@click.option("-k", default=1, type=click.IntRange(1), help="Samples a problem for maj@k, beside the greedy one.")
@click.option("--temperature", default=0.6, type=click.FloatRange(0, min_open=True), help="Of the k samples.")
@click.option("--limit", type=click.IntRange(1), help="Problems a task.")
@click.option("--shots", type=click.IntRange(0), help="Worked examples before each problem.")
@click.option("--max-tokens", type=click.IntRange(1), help="New tokens a completion.")
@click.option("--examples", type=FOLDER, help="File of worked examples {problem, solution, answer}.")
@click.option("--out", type=FOLDER, help="Folder; default runs/eval-MODEL.")
@common
def evaluate(
    model: str, tasks: tuple[str, ...], examples: Path | None, out: Path | None, console: Console, **options: Any
) -> None:
    """Ask MODEL the problems of TASKS, judge every answer, report scores with their intervals."""
    from llemma.backends.base import open_backend
    from llemma.core.home import runs_folder
    from llemma.evals import runner
    from llemma.evals.config import EvalConfig
    from llemma.evals.results import text
    from llemma.evals.task import open_task

    names = [name.strip() for item in tasks for name in item.split(",") if name.strip()]
    config = EvalConfig(tasks=names, **{key: value for key, value in options.items() if value is not None})
    opened = [open_task(name, **({"examples": examples} if examples else {})) for name in names]
    folder = out or runs_folder() / f"eval-{_folder_name(model)}"
    with console.progress("load"):
        backend = open_backend(model, batch=config.batch)
    results = runner.evaluate(backend, opened, config, folder, console=console)
    console.emit(results, f"{text(results)}\nevaluation: {folder}\n  next: llemma report {folder}")


def _folder_name(model: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in model).strip("-")


@click.command()
@click.argument("run", type=FOLDER)
@click.option("--judge", help="Another judge than the tasks' own.")
@common
def rescore(run: Path, judge: str | None, console: Console) -> None:
    """Judge the stored completions of an evaluation folder again; no model is needed."""
    from llemma.evals import runner
    from llemma.evals.results import text

    results = runner.rescore(run, judge)
    console.emit(results, text(results))
