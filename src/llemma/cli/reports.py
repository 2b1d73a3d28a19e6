"""`llemma report|view`."""

from __future__ import annotations

import string
from pathlib import Path

import click

from llemma.cli.options import common
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=FOLDER)
@click.option("--out", type=FOLDER, help="Folder for the pages; default RUN/report, or A/compare-B.")
@click.option("--compare", is_flag=True, help="Compare evaluations (or runs) A B ... of the same problems.")
@click.option("--published", is_flag=True, help="The paper's figures beside those of any model, not only its own.")
@common
def report(runs: tuple[Path, ...], out: Path | None, compare: bool, published: bool, console: Console) -> None:
    """Write the pages of RUNS: a folder that opens by double click."""
    from llemma.report import build

    if compare:
        _compare(runs, out, console)
        return
    with console.progress("report"):
        page = build(list(runs), out or runs[0] / "report", every_published=published)
    console.emit({"report": str(page)}, f"report: {page}")


def _compare(runs: tuple[Path, ...], out: Path | None, console: Console) -> None:
    from llemma.report import build_comparisons

    if len(runs) < 2:
        raise click.UsageError(f"--compare takes two folders or more, not {len(runs)}")
    out = out or runs[0] / "-".join(["compare", *(run.resolve().name for run in runs[1:])])
    with console.progress("compare"):
        found, page = build_comparisons(runs, out)
    for line in dict.fromkeys(line for one in found for line in one.warnings):
        console.warn(line)
    text = "\n\n".join(one.text(f"A{mark}") for mark, one in zip(string.ascii_uppercase[1:], found, strict=False))
    facts = {"comparison": found[0]} if len(found) == 1 else {"comparisons": found}
    console.emit({"report": str(page), **facts}, f"{text}\n\nreport: {page}")


@click.command()
@click.argument("run", type=FOLDER)
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes a free one.")
@common
def view(run: Path, port: int, console: Console) -> None:
    """Serve RUN, or its report, on this machine's loopback address until Ctrl-C, and follow it while it is running."""
    from llemma.report.view import serve

    serve(run, port)
