"""`llemma reproduce`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.options import common, sets
from llemma.core.console import Console


@click.command()
@click.argument("recipe", default="mini")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder; default runs/RECIPE.")
@click.option("--plan", "only_plan", is_flag=True, help="Print stages, sizes and times, and write nothing.")
@click.option("--fresh", is_flag=True, help="Remove what the run folder holds and begin anew.")
@sets
@common
def reproduce(
    recipe: str, out: Path | None, only_plan: bool, fresh: bool, sets: tuple[str, ...], console: Console
) -> None:
    """Run the whole of RECIPE (default: mini): sources, corpus, tokens, two trainings, evaluation, report.

    The same command continues an interrupted run.
    """
    from llemma.core.home import runs_folder
    from llemma.reproduce import plan as plans
    from llemma.reproduce import schema

    loaded = schema.load(recipe, sets)
    folder = out or runs_folder() / loaded.name
    plan = plans.make(loaded, folder)
    if only_plan:
        console.emit(plan, plans.text(plan))
        return
    console.say(plans.text(plan))
    from llemma.report import tables
    from llemma.reproduce.stages import reproduce as run

    page = run(loaded, folder, console, fresh=fresh)
    table = tables.before_after(folder)
    console.emit(
        {"report": str(page), "table": table}, f"\n{table.text()}\n\nreport: {page}\n  next: llemma view {folder}"
    )
