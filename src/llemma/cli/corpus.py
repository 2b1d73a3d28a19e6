"""`llemma corpus build|extract|latex|steps|dedup|train-score|show|stats`."""

from __future__ import annotations

from pathlib import Path

import click

from llemma.cli.options import common, sets, share
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)


@click.group()
def corpus() -> None:
    """Build a corpus and look into it; extract, clean, deduplicate."""


@corpus.command()
@click.argument("recipe")
@click.option("--out", type=FOLDER, help="Corpus folder; default runs/RECIPE-corpus.")
@click.option("--only", multiple=True, metavar="SOURCE", help="Only this source; may be repeated.")
@click.option("--limit", type=click.IntRange(1), help="At most so many documents of each source.")
@click.option("--workers", type=click.IntRange(1), help="Units read at the same time.")
@click.option("--executor", metavar="local|ray|slurm", help="Where units are read; default is the recipe's.")
@click.option("--plan", is_flag=True, help="Estimate time, disk and memory from a sample; write no corpus.")
@sets
@common
def build(
    recipe: str,
    out: Path | None,
    only: tuple[str, ...],
    limit: int | None,
    workers: int | None,
    executor: str | None,
    plan: bool,
    sets: tuple[str, ...],
    console: Console,
) -> None:
    """Sources to corpus: the [corpus] section of RECIPE, in the Proof-Pile-2 layout."""
    from llemma.core.home import cache_folder, runs_folder
    from llemma.corpus.build import build as run
    from llemma.corpus.build import with_executor
    from llemma.corpus.estimate import estimate, estimate_text
    from llemma.corpus.slurm import Submission, submission_text, submit
    from llemma.reproduce import schema

    loaded = schema.load(recipe, sets)
    section = schema.need(loaded, "corpus")
    section = with_executor(section, executor) if executor else section
    folder = out or runs_folder() / f"{loaded.name}-corpus"
    names = list(only) or None
    if plan:
        if limit:
            raise click.UsageError("--plan estimates whole sources; leave --limit out")
        found = estimate(section, cache=cache_folder(), console=console, only=names, workers=workers)
        return console.emit(found, f"{estimate_text(found)}\n  next: llemma corpus build {recipe} --out {folder}")
    begin = submit if section.executor == "slurm" else run
    stats = begin(section, folder, cache=cache_folder(), console=console, only=names, limit=limit, workers=workers)
    if isinstance(stats, Submission):
        return console.emit(stats, submission_text(stats))
    return console.emit(stats, f"corpus: {folder}\n  next: llemma corpus stats {folder}")


@corpus.command(hidden=True)
@click.argument("job", type=FOLDER)
@click.option("--share", callback=share, metavar="I/N", help="Read every Nth unit from the Ith on; else finish.")
@click.option("--workers", default=1, type=click.IntRange(1), help="Units read at the same time.")
@common
def work(job: Path, share: tuple[int, int] | None, workers: int, console: Console) -> None:
    """What Slurm's jobs run: a share of the units of JOB, or their corpus."""
    from llemma.corpus.slurm import work as run

    console.emit(run(job, share, workers, console), f"done: {job}")


@corpus.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option("--out", required=True, type=FOLDER, help="F.jsonl, F.jsonl.zst or F.jsonl.gz.")
@click.option("--all", "every", is_flag=True, help="Keep every page and apply no filter.")
@click.option("--limit", "files", default=0, type=click.IntRange(0), help="Of each list of files, the first so many.")
@click.option("--keep", is_flag=True, help="Keep fetched files in the cache.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes; default one a core.")
@click.option("--seconds", default=20.0, type=click.FloatRange(0.1), metavar="S", help="CPU time a page may take.")
@click.option("--memory", default=2048, type=click.IntRange(64), metavar="MB", help="Memory a page may take.")
@common
def extract(
    inputs: tuple[str, ...],
    out: Path,
    every: bool,
    files: int,
    keep: bool,
    workers: int | None,
    seconds: float,
    memory: int,
    console: Console,
) -> None:
    """Web pages to text with their formulas: WARC and WET files, HTML files, JSONL rows with `html`, folders and
    patterns of these, - for standard input, https:// and s3:// addresses of crawl files or of lists of them
    (warc.paths.gz)."""
    from llemma.corpus.convert import dropped_path, extract_files
    from llemma.corpus.workers import Limits, cores

    limits = Limits(seconds, memory)
    counts = extract_files(
        inputs, out, every=every, console=console, workers=workers or cores(), limits=limits, files=files, keep=keep
    )
    console.emit(counts, f"{counts.kept:,} pages: {out}; {counts.dropped:,} dropped: {dropped_path(out)}")


@corpus.command()
@click.argument("inputs", nargs=-1, required=True, type=FOLDER)
@click.option("--out", required=True, type=FOLDER, help="F.jsonl, F.jsonl.zst or F.jsonl.gz.")
@click.option("--rules", default="default", type=click.Choice(["default", "llemma"]), help="llemma: as published.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes; default one a core.")
@click.option("--seconds", default=60.0, type=click.FloatRange(0.1), metavar="S", help="CPU time a paper may take.")
@click.option("--memory", default=4096, type=click.IntRange(64), metavar="MB", help="Memory a paper may take.")
@common
def latex(
    inputs: tuple[Path, ...],
    out: Path,
    rules: str,
    workers: int | None,
    seconds: float,
    memory: int,
    console: Console,
) -> None:
    """arXiv-style source archives or folders to one row of clean LaTeX each."""
    from llemma.corpus.convert import dropped_path, latex_files
    from llemma.corpus.workers import Limits, cores

    limits = Limits(seconds, memory)
    counts = latex_files(inputs, out, rules=rules, console=console, workers=workers or cores(), limits=limits)
    console.emit(counts, f"{counts.kept:,} papers: {out}; {counts.dropped:,} dropped: {dropped_path(out)}")


@corpus.command()
@click.argument("inputs", nargs=-1, required=True, type=FOLDER)
@click.option(
    "--prover", default="rocq", type=click.Choice(["rocq", "lean", "isabelle"]), help="Whose proofs these are."
)
@click.option("--out", required=True, type=FOLDER, help="F.jsonl, F.jsonl.zst or F.jsonl.gz.")
@click.option("--workers", default=2, type=click.IntRange(1), metavar="N", help="Rocq sessions at the same time.")
@common
def steps(inputs: tuple[Path, ...], prover: str, out: Path, workers: int, console: Console) -> None:
    """Proofs to goals and tactics, a row a theorem: Rocq's .v files or folders of them, run in the prover, or what
    extraction tools wrote for Lean and Isabelle."""
    from llemma.corpus.convert import dropped_path, steps_files

    counts = steps_files(inputs, out, prover, workers=workers, console=console)
    console.emit(counts, f"{counts.kept:,} theorems: {out}; {counts.dropped:,} dropped: {dropped_path(out)}")


@corpus.command()
@click.argument("inputs", nargs=-1, required=True, type=FOLDER)
@click.option("--out", required=True, type=FOLDER, help="Folder for the kept rows and clusters.jsonl.")
@click.option("--threshold", default=0.8, type=click.FloatRange(0, 1, min_open=True), help="Jaccard similarity.")
@click.option(
    "--method", default="minhash", type=click.Choice(["minhash", "simhash"]), help="simhash: 3 bits of 64 may differ."
)
@common
def dedup(inputs: tuple[Path, ...], out: Path, threshold: float, method: str, console: Console) -> None:
    """Rows {id, text} without copies: 5-word shingles, verified similarity, the earliest row is kept."""
    from llemma.corpus.dedup_files import dedup_files

    counts = dedup_files(inputs, out, threshold=threshold, console=console, method=method)
    copies = f"{counts.exact:,} exact and {counts.near:,} near copies"
    console.emit(counts, f"{counts.kept:,} of {counts.rows:,} rows: {out}; {copies}: {out / 'clusters.jsonl'}")


@corpus.command()
@click.argument("inputs", nargs=-1, required=True, type=FOLDER)
@click.option("--out", required=True, type=FOLDER, help="The score, a safetensors file.")
@click.option("--held-out", default=0.2, type=click.FloatRange(0.01, 0.9), help="Share of the rows to measure on.")
@click.option("--seed", default=0, help="Decides which rows are held out, and the order of training.")
@click.option("--about", default="", help="What data cards say it was trained on; default the files' names.")
@common
def train_score(inputs: tuple[Path, ...], out: Path, held_out: float, seed: int, about: str, console: Console) -> None:
    """A mathematics score from rows {text or html, label, group?}; label is math or other, or 1 or 0."""
    from llemma.corpus.train_score import quality_text, train_score_files

    found = train_score_files(inputs, out, held_out=held_out, seed=seed, trained_on=about, console=console)
    use = f'  next: step_options.math-score = {{ model = "{out}" }} in a recipe whose steps have math-score'
    console.emit(found, f"{quality_text(found)}\nscore: {out}\n{use}")


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
