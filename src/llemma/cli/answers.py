"""`llemma grade|vote`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.options import common
from llemma.core.console import Console

FILE = click.Path(path_type=Path, dir_okay=False)
ROWS = click.argument("rows", type=FILE, metavar="F.jsonl")
OUT = click.option("--out", required=True, type=FILE, metavar="V.jsonl", help="Where the verdicts go.")


TASK = click.option("--task", help="gsm8k, math, ocw_courses, mmlu_stem, sat_math, ...: how the answer is written.")
PROTOCOL = click.option(
    "--protocol",
    default="default",
    type=click.Choice(["llemma", "default"]),
    help="llemma: the paper's own rules, faults and all.",
)


@click.command()
@ROWS
@OUT
@TASK
@PROTOCOL
@common
def grade(rows: Path, out: Path, task: str | None, protocol: str, console: Console) -> None:
    """Judge rows {id, pred, gold}: right, wrong or no answer, and why."""
    from llemma.evals import grading

    summary = grading.grade(rows, out, task=task, protocol=protocol)
    console.emit(summary, f"{summary.text()}\nverdicts: {out}")


@click.command()
@ROWS
@OUT
@TASK
@PROTOCOL
@common
def vote(rows: Path, out: Path, task: str | None, protocol: str, console: Console) -> None:
    """Vote over rows {id, preds: [...], gold}: the most frequent answer wins, a tie goes to the earliest.

    Rows may give each sample a weight (weights: [...]); then the largest sum of weights wins.
    """
    from llemma.evals import grading

    summary = grading.vote(rows, out, task=task, protocol=protocol)
    console.emit(summary, f"{summary.text()}\nvotes: {out}")
