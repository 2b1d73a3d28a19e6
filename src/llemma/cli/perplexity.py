"""`llemma perplexity`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.models import FOLDER, MODEL, folder_name
from llemma.cli.options import common
from llemma.core.console import Console


@click.command()
@MODEL
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True, type=FOLDER)
@click.option("--split", default="test", help="Of every subset of CORPUS: train, validation, test.")
@click.option("--context", default=0, type=click.IntRange(0), help="Tokens of a window; 0: the model's own context.")
@click.option("--stride", default=0, type=click.IntRange(0), help="From one window to the next; 0: half a window.")
@click.option("--limit", default=0, type=click.IntRange(0), help="Documents a subset, drawn at random; 0: all.")
@click.option("--document-bytes", default=0, type=click.IntRange(0), help="Of each document, its beginning; 0: all.")
@click.option("--out", type=FOLDER, help="Folder; default runs/perplexity-MODEL.")
@common
def perplexity(
    model: str,
    corpora: tuple[Path, ...],
    split: str,
    context: int,
    stride: int,
    limit: int,
    document_bytes: int,
    out: Path | None,
    console: Console,
) -> None:
    """Measure bits per byte and perplexity of MODEL on a split of CORPUS, by subset, language and place.

    CORPUS is a folder in the layout of Proof-Pile-2, or a subset of one, or a split of that."""
    from llemma.backends.base import open_backend
    from llemma.core.home import runs_folder
    from llemma.evals import splits
    from llemma.evals.record import recorded

    config = splits.SplitConfig(split=split, limit=limit, document_bytes=document_bytes, window=context, stride=stride)
    folder = out or runs_folder() / f"perplexity-{folder_name(model)}"
    with console.progress("load"):
        backend = open_backend(model, window=context, stride=stride)
    with recorded(folder, backend, [], [config, [str(corpus) for corpus in corpora]]):
        found = splits.measure(backend, corpora, config, folder, console)
    console.emit(found, f"{splits.text(found)}\n\nperplexity: {folder}")
