"""`llemma corpus build|show|stats`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.options import common, sets
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)


@click.group()
def corpus() -> None:
    """Build a corpus, look into it, count it."""


@corpus.command()
@click.argument("recipe")
@click.option("--out", type=FOLDER, help="Corpus folder; default runs/RECIPE-corpus.")
@click.option("--only", multiple=True, metavar="SOURCE", help="Only this source; may be repeated.")
@click.option("--limit", type=click.IntRange(1), help="At most so many documents of each source.")
@click.option("--workers", type=click.IntRange(1), help="Units read at the same time.")
@sets
@common
def build(
    recipe: str,
    out: Path | None,
    only: tuple[str, ...],
    limit: int | None,
    workers: int | None,
    sets: tuple[str, ...],
    console: Console,
) -> None:
    """Sources to corpus: the [corpus] section of RECIPE, in the Proof-Pile-2 layout."""
    from llemma.core.home import cache_folder, runs_folder
    from llemma.corpus.build import build as run
    from llemma.reproduce import schema

    loaded = schema.load(recipe, sets)
    folder = out or runs_folder() / f"{loaded.name}-corpus"
    stats = run(
        schema.need(loaded, "corpus"),
        folder,
        cache=cache_folder(),
        console=console,
        only=list(only) or None,
        limit=limit,
        workers=workers,
    )
    console.emit(stats, f"corpus: {folder}\n  next: llemma corpus stats {folder}")


@corpus.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("-n", "number", default=3, help="How many documents of each subset.")
@click.option("--dropped", is_flag=True, help="Dropped documents with their reasons instead.")
@common
def show(folder: Path, number: int, dropped: bool, console: Console) -> None:
    """A look at documents, or at what was dropped and why."""
    from llemma.corpus import show as views

    found = views.show(folder, number, dropped=dropped)
    console.emit(found, views.show_text(found))


@corpus.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@common
def stats(folder: Path, console: Console) -> None:
    """Counts and bytes by subset, split and source, and what was dropped."""
    from llemma.corpus import show as views

    found = views.stats(folder)
    console.emit(found, views.stats_text(found))
