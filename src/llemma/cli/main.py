"""The root command: lazy sub-commands, errors as three lines, exit codes of the contract."""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Any

import click

from llemma.core.errors import LlemmaError, suggest
from llemma.core.files import disk_error

# name -> (module, attribute, one line for --help); help needs no import
COMMANDS = {
    "reproduce": ("llemma.cli.reproduce", "reproduce", "Run the paper in miniature: sources to report."),
    "corpus": ("llemma.cli.corpus", "corpus", "Build a corpus and look into it; extract, clean, deduplicate."),
    "tokenize": ("llemma.cli.training", "tokenize", "Turn a corpus into token stores."),
    "train": ("llemma.cli.training", "train", "Train the phases of a recipe on token stores."),
    "sweep": ("llemma.cli.sweep", "sweep", "Find the best weights of a mixture by short runs."),
    "export": ("llemma.cli.training", "export", "Write a run's model as a Hugging Face folder."),
    "generate": ("llemma.cli.models", "generate", "Continue a prompt with a model."),
    "eval": ("llemma.cli.models", "evaluate", "Ask a model the problems of tasks, judge its answers."),
    "perplexity": ("llemma.cli.perplexity", "perplexity", "Measure how well a model predicts a split of a corpus."),
    "solve": ("llemma.cli.solve", "solve", "Let a model solve one problem, with Python at hand."),
    "prove": ("llemma.cli.prove", "prove", "Let a model prove theorems in Rocq, Lean or Isabelle."),
    "rescore": ("llemma.cli.models", "rescore", "Judge the stored completions of an evaluation again."),
    "grade": ("llemma.cli.answers", "grade", "Judge a file of answers against their gold answers."),
    "vote": ("llemma.cli.answers", "vote", "Take the majority of each row's answers."),
    "exec": ("llemma.cli.tools", "execute", "Run a file of untrusted Python programs in a sandbox."),
    "overlap": ("llemma.cli.overlap", "overlap", "Find what a corpus shares with problems and completions."),
    "report": ("llemma.cli.reports", "report", "Write the pages of one or more runs."),
    "view": ("llemma.cli.reports", "view", "Serve a report on this machine."),
    "doctor": ("llemma.cli.help", "doctor", "Say what this machine can do and how to add the rest."),
    "list": ("llemma.cli.help", "list_names", "List sources, steps, tasks, judges, backends, recipes."),
    "recipe": ("llemma.cli.help", "recipe", "Show or check a recipe."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = suggest(args[0], COMMANDS)
            raise click.UsageError(f"no command '{args[0]}'. {hint}".strip(), ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"llemma {importlib.metadata.version('llemma')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: name.replace("_", "-"),
        "auto_envvar_prefix": "LLEMMA",
    },
)
@click.option(
    "--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Print the version."
)
def cli() -> None:
    """Llemma: build a mathematical corpus, continue the pretraining of a language model on it, and show what that
    bought. Begin with `llemma reproduce --plan`."""


def main() -> None:
    """Entry point; turns every ending into the exit code of the contract."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run a command line and return its exit code: 0 done, 1 failed, 2 usage, 3 missing, 4 refused, 5 item errors,
    130 interrupted."""
    # OpenMP threads that spin while they wait are fastest on a quiet machine and up to fifty times slower on a shared
    # one, where the thread they wait for is not running; a thousand turns are right for both (bench/threads.py).
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    verbose = any(arg in ("-v", "--verbose") for arg in args)
    try:
        code = cli.main(args, prog_name="llemma", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _say("interrupted; the same command goes on from here", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except LlemmaError as error:
        _trace(verbose)
        return _say(str(error), error.exit_code)
    except Exception as error:
        _trace(verbose)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _say(str(disk_error(error, Path(error.filename or "."))), 1)
        return _say(
            f"error: unexpected {type(error).__name__}: {error}\n  mend: run again with -v and report the trace", 1
        )


def _say(text: str, code: int) -> int:
    click.echo(text, err=True)
    return code


def _trace(verbose: bool) -> None:
    if verbose:
        import traceback

        traceback.print_exc()
