"""`llemma exec`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.options import MODE, common
from llemma.core.console import Console

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="exec")
@click.argument("rows", type=FILE, metavar="F.jsonl")
@click.option("--out", required=True, type=FILE, metavar="R.jsonl", help="Where the results go.")
@click.option("--timeout", default=5.0, type=click.FloatRange(min=0.01), metavar="S", help="Wall seconds a program.")
@click.option("--memory", default=512, type=click.IntRange(min=1), metavar="MB", help="MiB a program may use.")
@click.option("--workers", default=2, type=click.IntRange(min=1), metavar="N", help="Programs at the same time.")
@MODE
@common
def execute(rows: Path, out: Path, timeout: float, memory: int, workers: int, mode: str, console: Console) -> None:
    """Run rows {id, program} of untrusted Python, each in a sandbox of its own, and say how each ended."""
    import msgspec

    from llemma.tools import files
    from llemma.tools.config import SandboxConfig

    settings = {"timeout": timeout, "memory_mb": memory, "workers": workers, "mode": mode}
    summary = files.execute(rows, out, msgspec.convert(settings, SandboxConfig), console)
    console.emit(summary, f"{summary.text()}\nresults: {out}")
