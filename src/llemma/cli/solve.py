"""`llemma solve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llemma.cli.models import MODEL
from llemma.cli.options import MODE, common
from llemma.core.console import Console

if TYPE_CHECKING:
    from llemma.tools.config import Mode


@click.command()
@MODEL
@click.argument("problem")
@click.option("--tools", default="python", type=click.Choice(["python", "none"]), help="What the model may use.")
@click.option("--max-tokens", default=1024, type=click.IntRange(1), help="New tokens of the whole dialogue.")
@click.option("--blocks", default=8, type=click.IntRange(1), help="Blocks of code.")
@click.option("--seconds", default=30.0, type=click.FloatRange(0, min_open=True), help="Wall seconds of running code.")
@MODE
@click.option("--temperature", default=0.0, type=click.FloatRange(0), help="0 takes the most probable token.")
@click.option("--top-p", default=1.0, type=click.FloatRange(0, 1, min_open=True), help="Nucleus sampling.")
@click.option("--seed", default=0, help="Seed of the sampling.")
@common
def solve(
    model: str,
    problem: str,
    tools: str,
    max_tokens: int,
    blocks: int,
    seconds: float,
    mode: Mode,
    temperature: float,
    top_p: float,
    seed: int,
    console: Console,
) -> None:
    """Let MODEL solve PROBLEM, step by step: its thoughts, its code, what the code printed, its answer."""
    from contextlib import nullcontext

    from llemma.backends.base import open_backend
    from llemma.core.errors import LlemmaError
    from llemma.evals import dialogue
    from llemma.tools import Sandbox, SandboxConfig

    with console.progress("load", unit=""):
        backend = open_backend(model)
    limits = dialogue.Limits(max_tokens, blocks, seconds)
    with (
        Sandbox(SandboxConfig(workers=1, mode=mode)) if tools == "python" else nullcontext() as box,
        console.progress("solve"),
    ):
        found = dialogue.solve(backend, box, problem, limits=limits, temperature=temperature, top_p=top_p, seed=seed)
    console.emit(found, found.text())
    if found.ending == "error":
        raise LlemmaError(found.why, where=model)
