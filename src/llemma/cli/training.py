"""`llemma tokenize|train|export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llemma.cli.options import common, sets
from llemma.core.console import Console

if TYPE_CHECKING:
    from llemma.tokens.pairs import PairsInfo

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("corpus", nargs=-1, required=True, type=FOLDER)
@click.option("--tokenizer", required=True, type=FOLDER, help="Folder or file with tokenizer.json.")
@click.option("--out", required=True, type=FOLDER, help="Folder for <subset>/<split>/ stores.")
@click.option("--pairs", metavar="SUBSET", help="CORPUS are files of questions with answers, or chats: store SUBSET.")
@click.option("--template", default="plain", type=click.Choice(["plain", "chat"]), help="chat: the tokenizer's own.")
@click.option("--max-tokens", default=0, type=click.IntRange(0), help="Of a conversation; 0: no limit.")
@click.option("--too-long", default="drop", type=click.Choice(["drop", "cut"]), help="What becomes of longer ones.")
@click.option("--validation", default=0.0, type=click.FloatRange(0, 0.5), help="Share of conversations held out.")
@common
def tokenize(
    corpus: tuple[Path, ...], tokenizer: Path, out: Path, pairs: str | None, console: Console, **options: Any
) -> None:
    """Turn every split of CORPUS into a memory-mapped token store.

    With --pairs, CORPUS are JSON lines {question, answer} or {messages}, and only answers will be learned."""
    from llemma.core.errors import UsageError
    from llemma.reproduce import training

    following = f"  next: llemma train RECIPE --set data.tokens={out}"
    if pairs:
        from llemma.tokens.pairs import PairsConfig

        found = training.tokenize_pairs(list(corpus), tokenizer, out, pairs, PairsConfig(**options), console)
        console.emit(found, f"{_told(pairs, found)}\ntoken stores: {out}\n{following}")
        return
    if len(corpus) > 1 or corpus[0].is_file():
        raise UsageError("one folder of a corpus is tokenised at a time", mend="files of pairs need --pairs SUBSET")
    infos = training.tokenize_corpus(corpus[0], tokenizer, out, console)
    lines = "\n".join(f"{name}: {info.documents:,} documents, {info.tokens:,} tokens" for name, info in infos.items())
    console.emit(infos, f"{lines}\ntoken stores: {out}\n{following}")


def _told(subset: str, found: PairsInfo) -> str:
    lines = [
        f"{subset}/{split}: {info.documents:,} conversations, {info.tokens:,} tokens, {info.answers:,} of them answers"
        for split, info in found.stores.items()
    ]
    lines += [f"left out: {count:,} ({reason})" for reason, count in found.left_out.items()]
    return "\n".join(lines + ([f"cut at the limit: {found.cut:,}"] if found.cut else []))


@click.command()
@click.argument("recipe", required=False)
@click.option("--plan", "only_plan", is_flag=True, help="Print memory, time and cost on kinds of GPU; write nothing.")
@click.option("--gpu", metavar="KIND", default="", help="Plan for one kind: h100, h200, a100-40, b200, cpu ...")
@click.option("--gpus", type=click.IntRange(1), default=None, metavar="N", help="Plan for this many of them.")
@click.option("--mesh", default="", metavar="replica=R,shard=S,tensor=T", help="Plan for this mesh of them.")
@click.option("--micro-batch", type=click.IntRange(1), default=None, help="Plan with this many windows at a time.")
@click.option("--checkpointing", type=click.Choice(["none", "selective", "full"]), help="Plan with this policy.")
@click.option("--loss-chunk", type=click.IntRange(0), default=None, help="Plan with logits for so many tokens; 0: all.")
@click.option(
    "--mfu",
    type=click.FloatRange(0, 1, min_open=True),
    default=None,
    help="Share of the peak to plan with, recomputation included.",
)
@click.option("--price", type=click.FloatRange(0), default=None, help="Dollars for an hour of one GPU.")
@click.option("--slurm", type=click.Path(path_type=Path), metavar="FILE", help="Write a Slurm job (--gpus: its size).")
@click.option("--resume", type=FOLDER, metavar="RUN", help="Go on with this run; it holds its own recipe.")
@click.option("--out", type=FOLDER, help="Run folder; default runs/RECIPE-train.")
@sets
@common
def train(
    recipe: str | None,
    only_plan: bool,
    slurm: Path | None,
    resume: Path | None,
    out: Path | None,
    sets: tuple[str, ...],
    console: Console,
    **question: Any,
) -> None:
    """Train the phases of RECIPE on the token stores it names (data.tokens, data.tokenizer).

    On several GPUs: torchrun --nproc-per-node 8 -m llemma train RECIPE; on several machines: --slurm FILE."""
    from llemma.core.errors import UsageError
    from llemma.core.home import runs_folder
    from llemma.reproduce import costs, schema, training

    if (recipe is None) == (resume is None):
        raise UsageError(
            "train needs a recipe, or --resume RUN", mend="llemma train RECIPE, or llemma train --resume RUN"
        )
    asked = {name: value for name, value in question.items() if value not in (None, "")}
    if asked and not only_plan and not (slurm and list(asked) == ["gpus"]):
        option = f"--{next(iter(asked)).replace('_', '-')}"
        raise UsageError(f"{option} says what to plan for", where=option, mend="add --plan, or leave it out")
    loaded = schema.load(str(resume / "recipe.toml") if resume else str(recipe), sets)
    if only_plan:
        console.emit(*costs.plan(loaded, costs.Question(**asked)))
        return
    folder = resume or out or runs_folder() / f"{loaded.name}-train"
    if slurm is not None:
        arguments = ["--resume", str(resume)] if resume else [str(recipe), "--out", str(folder)]
        arguments += [part for item in sets for part in ("--set", item)]
        job = training.write_job(slurm, loaded.name, arguments, asked.get("gpus", 8))
        console.emit({"job": str(slurm), "text": job}, f"job: {slurm}\n  next: sbatch {slurm}")
        return
    facts = training.train(loaded, folder, console)
    if facts is None:  # one of torchrun's processes that does not lead
        return
    last = list(facts)[-1]
    console.emit(facts, f'run: {folder}\n  next: llemma generate -m run:{folder / last} "PROMPT"')


@click.command()
@click.argument("run", type=FOLDER)
@click.option("--to", required=True, type=FOLDER, help="Folder to write; must not exist.")
@common
def export(run: Path, to: Path, console: Console) -> None:
    """Write the model of RUN as a Hugging Face folder that `from_pretrained` reads."""
    from llemma.reproduce.training import export as write

    source = write(run, to)
    console.emit({"from": str(source), "to": str(to)}, f"exported {source} to {to}")
