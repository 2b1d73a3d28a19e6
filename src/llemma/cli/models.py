"""`llemma generate|eval|rescore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llemma.cli.options import MODE, common
from llemma.core.console import Console

FOLDER = click.Path(path_type=Path)
PUBLISHED = "published"
SERVER_BATCH = 1_024
MODEL = click.option(
    "-m",
    "--model",
    required=True,
    metavar="MODEL",
    help="run:DIR, hf:NAME, http://HOST/v1#NAME, replay:FILE or echo:",
)
HARNESS = click.option(
    "--harness", type=FOLDER, metavar="DIR", help="Write results and samples into DIR as lm_eval does, for its tools."
)


@click.command()
@MODEL
@click.argument("prompt")
@click.option("--n", default=1, type=click.IntRange(1), help="Samples.")
@click.option("--max-tokens", default=128, type=click.IntRange(1), help="New tokens a sample.")
@click.option("--temperature", default=0.0, type=click.FloatRange(0), help="0 takes the most probable token.")
@click.option("--top-p", default=1.0, type=click.FloatRange(0, 1, min_open=True), help="Nucleus sampling.")
@click.option("--seed", default=0, help="Seed of the sampling.")
@click.option("--beam", is_flag=True, help="The N most probable continuations that a beam search of width N finds.")
@common
def generate(model: str, prompt: str, n: int, beam: bool, console: Console, **options: Any) -> None:
    """Continue PROMPT."""
    import msgspec

    from llemma.backends.base import open_backend
    from llemma.core.errors import LlemmaError
    from llemma.core.types import Request
    from llemma.evals.shown import printable

    with console.progress("load", unit=""):
        backend = open_backend(model)
    request = Request(id="prompt", prompt=prompt, n=n, beam=beam or msgspec.UNSET, **options)
    samples = next(iter(backend.complete([request])))
    if samples[0].finish == "error":
        raise LlemmaError(samples[0].error, where=model)
    texts = [printable(sample.text, "\n\t") if sys.stdout.isatty() else sample.text for sample in samples]
    console.emit(samples, "\n---\n".join(texts))


def _samples(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """A number of samples, or `published`: as many as each task was published with."""
    return value if value in (None, PUBLISHED) else click.IntRange(1)(value, param, ctx)


@click.command("eval")
@MODEL
@click.option(
    "-t",
    "--tasks",
    required=True,
    multiple=True,
    metavar="TASKS",
    help="Task names, problem files (.jsonl) or folders of texts; commas or repeats.",
)
@click.option(
    "-k",
    metavar=f"N|{PUBLISHED}",
    callback=_samples,
    help="Samples a problem for maj@k, beside the greedy one; published: each task's own.",
)
@click.option("--temperature", type=click.FloatRange(0, min_open=True), help="Of the samples; default as published.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), help="Of the samples; default as published.")
@click.option("--limit", type=click.IntRange(1), help="Problems a task.")
@click.option("--shots", type=click.IntRange(0), help="Worked examples before each problem.")
@click.option("--max-tokens", type=click.IntRange(1), help="New tokens a completion.")
@click.option("--batch", type=click.IntRange(1), help="Samples asked for at a time; default 64, of a server 1,024.")
@click.option("--data", type=FOLDER, help="Folder of <task>/test.jsonl; default LLEMMA_DATA, else the hub.")
@click.option(
    "--protocol",
    default="default",
    type=click.Choice(["llemma", "default"]),
    help="llemma: judge by the paper's own rules, faults and all.",
)
@click.option(
    "--prompts",
    "--examples",
    "prompts",
    metavar="FILE|lm-eval",
    help="Worked examples {problem, solution, answer}, or those of an installed lm_eval.",
)
@MODE
@click.option("--plan", is_flag=True, help="Say what would be asked, with time and cost; ask and write nothing.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="For --plan: new tokens a second.")
@click.option(
    "--price",
    type=(float, float),
    metavar="IN OUT",
    help="For --plan: of a million prompt tokens, and of new ones.",
)
@click.option("--out", type=FOLDER, help="Folder; default runs/eval-MODEL.")
@HARNESS
@common
def evaluate(
    model: str,
    tasks: tuple[str, ...],
    data: Path | None,
    protocol: Any,
    prompts: str | None,
    mode: Any,
    plan: bool,
    speed: float | None,
    price: tuple[float, float] | None,
    out: Path | None,
    harness: Path | None,
    console: Console,
    **options: Any,
) -> None:
    """Ask MODEL the problems of TASKS, judge every answer, report scores with their intervals."""
    from llemma.backends.base import open_backend
    from llemma.core.home import runs_folder
    from llemma.evals import estimate, runner
    from llemma.evals.config import EvalConfig
    from llemma.evals.fitting import check_context
    from llemma.evals.record import recorded
    from llemma.evals.shown import samples, text
    from llemma.evals.task import open_task
    from llemma.evals.texts import is_folder, read_texts
    from llemma.report.published import told
    from llemma.tools.config import SandboxConfig

    names = [name.strip() for item in tasks for name in item.split(",") if name.strip()]
    if options["batch"] is None and model.startswith(("http:", "https:")):
        options["batch"] = SERVER_BATCH  # a server keeps many requests in flight; its options bound how many
    if options["k"] == PUBLISHED:
        options |= {"k": None, "published_k": True}
    config = EvalConfig(
        tasks=names,
        sandbox=SandboxConfig(mode=mode),
        **{key: value for key, value in options.items() if value is not None},
    )
    opened = [open_task(name, data=data, protocol=protocol, prompts=prompts) for name in names if not is_folder(name)]
    with console.progress("data"):
        runner.check(opened)
        folders = [Path(name) for name in names if is_folder(name)]
        texts = {group: documents for folder in folders for group, documents in read_texts(folder).items()}
    folder = out or runs_folder() / f"eval-{folder_name(model)}"
    if plan:
        estimates = [estimate.estimate(task, config) for task in opened] + estimate.of_texts(texts, config)
        estimates = estimate.priced(estimates, runner.costs(folder), speed, price)
        console.emit(estimates, f"{estimate.text(estimates)}\nnothing was asked or written")
        return
    with console.progress("load"):
        backend = open_backend(model, batch=config.batch)
        check_context(backend, opened, config, console.warn)
    with recorded(folder, backend, opened, [config, protocol, prompts]):
        results = runner.evaluate(backend, opened, config, folder, console=console, texts=texts)
    shown = "" if console.quiet or console.json else samples(folder)
    lines = [f"{text(results)}{told(folder)}", shown, f"evaluation: {folder}\n  next: llemma report {folder}"]
    _export(folder, harness, console)
    console.emit(results, "\n\n".join(filter(None, lines)))


def _export(run: Path, harness: Path | None, console: Console) -> None:
    """Under `--harness`, the evaluation in the shape in which lm_eval leaves one."""
    if harness is not None:
        import time

        from llemma.evals.samples import export

        paths = export(run, harness, time.strftime("%Y-%m-%dT%H-%M-%S"))
        console.say(f"lm_eval's shape: {len(paths)} files in {harness}")


def folder_name(model: str) -> str:
    """A model's name as part of a folder's."""
    return "".join(letter if letter.isalnum() else "-" for letter in model).strip("-")


@click.command()
@click.argument("run", type=FOLDER)
@click.option("--judge", help="Another judge than the tasks' own.")
@HARNESS
@common
def rescore(run: Path, judge: str | None, harness: Path | None, console: Console) -> None:
    """Judge the stored completions of an evaluation folder again; no model is needed."""
    from llemma.evals import runner
    from llemma.evals.shown import text
    from llemma.report.published import told

    results = runner.rescore(run, judge)
    _export(run, harness, console)
    console.emit(results, text(results) + told(run))
