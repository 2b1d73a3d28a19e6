"""`llemma sweep`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.options import common, sets
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("recipe", required=False)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be run; run and write nothing.")
@click.option("--resume", type=FOLDER, metavar="RUN", help="Go on with this sweep; it holds its own recipe.")
@click.option("--out", type=FOLDER, help="Run folder; default runs/RECIPE-sweep.")
@sets
@common
def sweep(
    recipe: str | None, only_plan: bool, resume: Path | None, out: Path | None, sets: tuple[str, ...], console: Console
) -> None:
    """Find the best weights of the sources in RECIPE by short training runs ([sweep])."""
    from llemma.core.errors import UsageError
    from llemma.core.home import runs_folder
    from llemma.reproduce import schema, sweep_pages
    from llemma.reproduce import sweep as sweeps

    if (recipe is None) == (resume is None):
        raise UsageError("sweep needs a recipe, or --resume RUN", mend="llemma sweep RECIPE, or --resume RUN")
    loaded = schema.load(str(resume / "recipe.toml") if resume else str(recipe), sets)
    if only_plan:
        console.emit(*sweep_pages.plan(loaded))
        return
    folder = resume or out or runs_folder() / f"{loaded.name}-sweep"
    outcome = sweeps.sweep(loaded, folder, console)
    if outcome is None:  # one of torchrun's processes that does not lead
        return
    weights = ", ".join(f"{{ source = '{name}', weight = {w} }}" for name, w in outcome.fit.best.items())
    ending = f"sweep: {folder} (table.md, sweep.svg)\n  next: llemma train RECIPE with mixture = [{weights}]"
    console.emit(outcome, f"{sweep_pages.text(outcome)}\n\n{ending}")
