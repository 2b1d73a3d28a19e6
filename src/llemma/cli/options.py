"""Options that every command shares."""

from __future__ import annotations

from collections.abc import Callable, Collection
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


def share(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """A callback: `I/N`, the part of a job's units that a task of Slurm does."""
    number, _, of = (value or "").partition("/")
    if value is None:
        return None
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise click.BadParameter(f"{value} is no share; write I/N with I from 0 to N - 1")
    return int(number), int(of)


def again(context: click.Context, without: Collection[str]) -> list[str]:
    """The words of this very command, as a job would run it later; options named in `without` are left out.

    Arguments are paths, and further options may follow."""
    values, words, given = context.params, [context.info_name or ""], list[str]()
    for parameter in context.command.params:
        value = values.get(parameter.name or "")
        several = list(value) if isinstance(value, tuple) else [value]
        if isinstance(parameter, click.Argument):
            given += [f"./{one}" if str(one).startswith("-") else str(one) for one in several]
        elif parameter.name in without or value is None or value is False:
            continue
        else:
            words += [word for one in several for word in _option(parameter.opts[-1], one)]
    return [*words, *given]


def _option(name: str, value: Any) -> list[str]:
    return [name] if value is True else [name, str(value)]


MODE = click.option(
    "--sandbox",
    "--mode",
    "mode",
    default="full",
    type=click.Choice(["full", "seccomp", "rlimits"]),
    help="Isolation of programs. seccomp: no protection of files. rlimits: none of files, processes or network.",
)
