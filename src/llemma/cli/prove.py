"""`llemma prove`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llemma.cli.options import common
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)


@click.command()
@click.option(
    "-m",
    "--model",
    required=True,
    metavar="MODEL",
    help="run:DIR, hf:NAME, http://HOST/v1#NAME, replay:FILE or automation:",
)
@click.option(
    "-t",
    "--task",
    "--tasks",
    required=True,
    metavar="TASK|F.jsonl",
    help="minif2f-PROVER[-test|-valid], or a file of rows {id, header, statement}.",
)
@click.option("--prover", required=True, metavar="rocq|lean|isabelle", help="Who checks.")
@click.option("--samples", type=click.IntRange(1), help="Tactics an expansion, or whole proofs a theorem; default 32.")
@click.option("--expansions", type=click.IntRange(1), help="Expanded states a theorem; default 100.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Of prover and model a theorem; default 600.")
@click.option("--limit", type=click.IntRange(1), help="Theorems, from the first.")
@click.option(
    "--protocol",
    default="default",
    type=click.Choice(["llemma", "default"]),
    help="llemma: the paper's search, its scores and duplicates.",
)
@click.option(
    "--mode",
    type=click.Choice(["search", "whole", "informal"]),
    help="Tactic by tactic; whole proofs; whole proofs from the informal ones (default of Isabelle).",
)
@click.option(
    "--proposals",
    type=click.Choice(["sample", "beam"]),
    help="How candidates are drawn; default sample, and beam under the protocol llemma, as published.",
)
@click.option(
    "--format",
    "form",
    default="few-shot",
    type=click.Choice(["few-shot", "steps", "reprover"]),
    help="steps: as corpora of proof steps are written; reprover: the state alone, for an encoder-decoder.",
)
@click.option("--temperature", type=click.FloatRange(0), help="Of sampled candidates; default 0.7.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), help="Of sampled candidates; default 1.")
@click.option("--seed", default=0, help="Of the sampling.")
@click.option("--step-seconds", type=click.FloatRange(0, min_open=True), help="A tactic's time limit; default 5.")
@click.option("--workers", type=click.IntRange(1), help="Provers at the same time; default one a core, at most 8.")
@click.option("--batch", type=click.IntRange(1), help="Samples computed at a time; default as the model has it.")
@click.option("--memory", type=click.IntRange(1), metavar="MB", help="MiB a prover may use; default 4,096.")
@click.option("--project", default="", metavar="DIR", help="Lean: the project whose libraries headers import.")
@click.option("--every", is_flag=True, default=None, help="Whole proofs: check every sample, for pass@k of smaller k.")
@click.option("--command", metavar="WORDS", help="How to start the prover where it is not found by itself.")
@click.option("--option", multiple=True, metavar="NAME=VALUE", help="Of this prover alone; may be repeated.")
@click.option(
    "--sandbox",
    "isolation",
    default="full",
    type=click.Choice(["full", "rlimits"]),
    help="Isolation of provers. rlimits: for machines without bubblewrap.",
)
@click.option("--data", type=FOLDER, help="Folder with minif2f in or beside it; default LLEMMA_DATA.")
@click.option("--plugin", "plugins", multiple=True, type=FOLDER, help="A Python file that registers a prover or model.")
@click.option("--no-baseline", is_flag=True, help="Do not run the no-model baseline beside the model.")
@click.option("--plan", is_flag=True, help="Say what would be done; do and write nothing.")
@click.option("--out", type=FOLDER, help="Folder; default runs/prove-PROVER-MODEL.")
@common
def prove(
    model: str,
    task: str,
    prover: str,
    limit: int | None,
    data: Path | None,
    plugins: tuple[Path, ...],
    no_baseline: bool,
    plan: bool,
    out: Path | None,
    console: Console,
    **options: Any,
) -> None:
    """Let MODEL prove the theorems of TASK; a proof counts when a fresh process of the prover accepts it."""
    from llemma.backends.base import open_backend
    from llemma.core import registry
    from llemma.core.home import runs_folder
    from llemma.prove import runner, settings
    from llemma.prove.results import text
    from llemma.prove.tasks import open_tasks

    for plugin in plugins:
        registry.load_plugin(plugin)
    if prover not in registry.names("prover"):
        registry.find("prover", prover, where="--prover")  # says so, with a suggestion
    config = settings.resolve(model, prover, options)
    found = open_tasks(task, prover, data=data, protocol=config.search.protocol)
    found = found._replace(theorems=found.theorems[:limit])
    folder = out or runs_folder() / f"prove-{prover}-{_folder_name(model)}"
    if plan:
        planned = settings.plan(found, model, prover, config, folder, baseline=not no_baseline)
        console.emit(planned, f"{settings.text(planned)}\nnothing was asked or written")
        return
    with console.progress("load"):
        given = {"batch": options["batch"]} if options["batch"] else {}
        backend = open_backend(model, prover=prover, **given)
    results = runner.prove(backend, found, prover, config, folder, console=console, baseline=not no_baseline)
    console.emit(results, f"{text(results)}\n\nproofs: {folder / runner.PROOFS}")


def _folder_name(model: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in model).strip("-")
