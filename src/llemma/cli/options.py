"""Options that every command shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from llemma.core.console import Console

F = TypeVar("F", bound=Callable[..., Any])

sets = click.option(
    "--set", "sets", multiple=True, metavar="A.B=C", help="Override a key of the recipe; may be repeated."
)


def common(command: F) -> F:
    """Add `--json -q -v` and pass `console` in their place."""

    def run(json: bool, quiet: bool, verbose: bool, **options: Any) -> Any:
        return command(console=Console(quiet=quiet, json=json), **options)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for decorate in (
        click.option("-v", "--verbose", is_flag=True, help="Show the trace of an error."),
        click.option("-q", "--quiet", is_flag=True, help="No progress, only warnings and results."),
        click.option("--json", is_flag=True, help="Results as JSON on standard output."),
    ):
        run = decorate(run)
    return run  # type: ignore[return-value]


MODE = click.option(
    "--sandbox",
    "--mode",
    "mode",
    default="full",
    type=click.Choice(["full", "seccomp", "rlimits"]),
    help="Isolation of programs. seccomp: no protection of files. rlimits: none of files, processes or network.",
)
