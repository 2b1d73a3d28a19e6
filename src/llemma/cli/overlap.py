"""`llemma overlap`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llemma.cli.options import again, common, share
from llemma.core.console import Console

if TYPE_CHECKING:
    from llemma.overlap.items import Item, Kind

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("corpus", nargs=-1, required=True, type=FOLDER)
@click.option(
    "-t",
    "--tasks",
    "--items",
    "tasks",
    multiple=True,
    metavar="TASKS|ITEMS.jsonl",
    help="Task names or files of rows {id, text}; commas or repeats. Default: what --run has.",
)
@click.option("--ngram", default="30", metavar="N,...", help="Words that count, several at once; full: whole items.")
@click.option(
    "--tokens",
    default="whitespace",
    type=click.Choice(["whitespace", "normal"]),
    help="Words as published, or units that see through LaTeX's spacing and punctuation.",
)
@click.option("--of", "kinds", default="problem", metavar="KINDS", help="problem, solution, completion (of --run).")
@click.option("--run", type=FOLDER, help="An evaluation folder: accuracy with and without hits.")
@click.option("--contexts", default=100, type=click.IntRange(0), metavar="WORDS", help="Words around hits; 0: none.")
@click.option("--fuzzy", default=0.0, type=click.FloatRange(0, 1), help="Also similar texts, from this Jaccard on.")
@click.option("--data", type=FOLDER, help="Folder of <task>/test.jsonl; default LLEMMA_DATA, else the hub.")
@click.option("--tokenizer", type=FOLDER, help="Of token stores; default tokenizer/ beside or above them.")
@click.option("--workers", type=click.IntRange(1), help="Shards searched at the same time; default one a core.")
@click.option("--executor", default="local", type=click.Choice(["local", "ray", "slurm"]), help="Who searches.")
@click.option("--slurm", multiple=True, metavar="KEY=VALUE", help="What Slurm is asked for, as [corpus.slurm] has it.")
@click.option("--share", callback=share, metavar="I/N", hidden=True, help="Search every Nth shard from the Ith on.")
@click.option("--out", required=True, type=FOLDER, metavar="H.jsonl", help="Rows {document, item, ngram}.")
@common
def overlap(
    corpus: tuple[Path, ...],
    tasks: tuple[str, ...],
    ngram: str,
    tokens: str,
    kinds: str,
    run: Path | None,
    contexts: int,
    fuzzy: float,
    data: Path | None,
    tokenizer: Path | None,
    workers: int | None,
    executor: str,
    slurm: tuple[str, ...],
    share: tuple[int, int] | None,
    out: Path,
    console: Console,
) -> None:
    """Which test items share n consecutive words with documents of CORPUS, and does a hit make a model right?

    CORPUS: folders in the Proof-Pile-2 layout, .jsonl(.zst, .gz), .parquet, token stores.
    """
    import os

    from llemma.overlap import study, tables, work
    from llemma.overlap.items import gathered, parse_kinds
    from llemma.overlap.shards import discover
    from llemma.reproduce import searching

    search = work.Search(study.parse_lengths(ngram), tokens, contexts, fuzzy)
    shards = discover(corpus, tokenizer, work.reserved(out))
    names = [name.strip() for part in tasks for name in part.split(",") if name.strip()]
    with console.progress("items"):
        items = gathered(_items(names, parse_kinds(kinds), run, data))
    if executor == "slurm":
        command = again(click.get_current_context(), ("executor", "slurm", "share", "workers", "json"))
        submission = searching.submit(command, out, len(shards), searching.slurm_settings(slurm), workers)
        return console.emit(submission, submission.text())
    at_once = workers or os.cpu_count() or 1
    execute = searching.executor(executor, len(shards), at_once)
    if share:
        done = study.share(shards, items, search, out, share, execute=execute, workers=at_once, console=console)
        return console.emit({"shards": done}, f"{done} shards searched")
    summary = study.study(shards, items, search, out, run=run, execute=execute, workers=at_once, console=console)
    files = [str(path) for path in work.written(out, search)]
    return console.emit(summary, f"{tables.text(summary)}\n\noverlap: {', '.join(files)}")


def _items(names: list[str], kinds: tuple[Kind, ...], run: Path | None, data: Path | None) -> Iterator[Item]:
    """What is looked for: files and tasks by name; completions, and without names all else too, from the run."""
    from llemma.core.errors import UsageError
    from llemma.evals.task import open_task
    from llemma.overlap.items import SUFFIXES, of_file, of_problems, of_run

    if run is None and ("completion" in kinds or not names):
        raise UsageError("nothing to look for", where="-t", mend="give tasks or a file with -t, or a run with --run")
    for name in names:
        if name.endswith(SUFFIXES):
            yield from of_file(Path(name))
        else:
            yield from of_problems(open_task(name, data=data).load(), kinds)
    if run is not None:
        wanted = tuple(kind for kind in kinds if kind == "completion") if names else kinds
        yield from of_run(run, wanted)
