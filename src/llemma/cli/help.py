"""`llemma doctor|list|recipe`."""

from __future__ import annotations

import click

from llemma.cli.options import common, sets
from llemma.core.console import Console


@click.command()
@common
def doctor(console: Console) -> None:
    """Say what this machine can do and how to add what is missing."""
    from llemma.reproduce import doctor as checks

    found = checks.examine()
    console.emit(found, checks.text(found))


@click.command("list")
@click.argument("kind")
@common
def list_names(kind: str, console: Console) -> None:
    """Names of KIND: sources, steps, tasks, judges, backends or recipes."""
    from llemma.core import recipe, registry

    singular = kind.removesuffix("s")
    names = recipe.recipe_names() if singular == "recipe" else registry.names(singular)
    console.emit(names, "\n".join(names) or f"no {singular} is built in yet; plug-ins and files can add some")


@click.group("recipe")
def recipe() -> None:
    """Show or check a recipe."""


@recipe.command()
@click.argument("name")
@click.option("--why", metavar="KEY", help="Say where this key's value comes from.")
@sets
@common
def show(name: str, why: str | None, sets: tuple[str, ...], console: Console) -> None:
    """Print every key of recipe NAME, defaults included, as TOML."""
    from llemma.core.recipe import plain, to_toml
    from llemma.reproduce import schema

    loaded = schema.load(name, sets)
    if why is not None:
        origin = loaded.origin.get(why, "default")
        console.emit({"key": why, "origin": origin}, f"{why}: {origin}")
        return
    console.emit(plain(loaded.value), to_toml(loaded.value).rstrip())


@recipe.command("check")
@click.argument("name")
@sets
@common
def check(name: str, sets: tuple[str, ...], console: Console) -> None:
    """Read recipe NAME and report everything that is wrong with it."""
    from llemma.reproduce import schema

    loaded = schema.load(name, sets)
    console.emit({"recipe": str(loaded.path), "digest": loaded.digest}, f"{loaded.path}: fine ({loaded.digest})")
