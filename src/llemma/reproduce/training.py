"""`llemma train`, `llemma tokenize` and `llemma export` outside the pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from llemma.core.console import Console, count, table
from llemma.core.errors import RecipeError, UsageError
from llemma.core.files import read_json, replacing
from llemma.core.recipe import Recipe
from llemma.core.runs import open_run
from llemma.corpus import layout
from llemma.reproduce.phases import stores
from llemma.reproduce.schema import LlemmaRecipe, need
from llemma.reproduce.stages import perform, training_stage
from llemma.tokens.store import StoreInfo, write_store
from llemma.tokens.tokenizer import copy, load
from llemma.train import plan as costs
from llemma.train.plan import Shape, TrainPlan


def tokenize_corpus(corpus: Path, tokenizer: Path, out: Path, console: Console) -> dict[str, StoreInfo]:
    """Write a token store for every split of every subset of `corpus`, and a copy of the tokenizer."""
    found, infos = load(tokenizer), {}
    for subset in layout.subsets(corpus):
        for split in ("train", "validation", "test"):
            if any((corpus / subset / split).glob("*.jsonl*")):
                name = f"{subset}/{split}"
                with console.progress(f"tokens {name}", unit="documents") as bar:
                    texts = (document.text for document in layout.read_split(corpus, subset, split))
                    infos[name] = write_store(bar.counted(texts), found, out / name)
    copy(found, out / "tokenizer")
    return infos


def train(recipe: Recipe[LlemmaRecipe], out: Path, console: Console) -> dict[str, dict[str, Any]]:
    """Train all phases of a recipe in the run folder `out` (`out/<phase>/final`); goes on where it was interrupted."""
    need(recipe, "train")
    data = recipe.value.data
    if not data.tokens:
        raise RecipeError(
            "the recipe names no token stores", where=f"{recipe.path} data.tokens", mend="add --set data.tokens=DIR"
        )
    tokens = Path(data.tokens)
    tokenizer = Path(data.tokenizer) if data.tokenizer else tokens / "tokenizer"
    stores(tokens, "train")
    facts: dict[str, dict[str, Any]] = {}
    before = None
    with open_run(out, "train", recipe.value, console) as run:
        for name, phase in recipe.value.train.items():
            stage = training_stage(
                out,
                name,
                phase,
                tokens=tokens,
                tokenizer=tokenizer,
                before=before,
                shape=recipe.value.model,
                console=console,
            )
            facts[name], before = perform(run, stage), out / name / "final"
    return facts


def plan(recipe: Recipe[LlemmaRecipe]) -> tuple[dict[str, TrainPlan], str]:
    """Sizes and costs of every phase, as data and as a table; needs no torch and no data."""
    phases = need(recipe, "train")
    plans = {name: costs.plan(phase, _shape(recipe, phase.init)) for name, phase in phases.items()}
    rows = [
        (name, count(p.parameters), count(p.tokens), f"{p.steps:,}", f"{p.flops:.2e}", f"{p.memory / 2**30:.1f} GiB")
        for name, p in plans.items()
    ]
    return plans, table(("phase", "parameters", "tokens", "steps", "FLOPs", "memory"), rows)


def _shape(recipe: Recipe[LlemmaRecipe], init: str) -> Shape:
    """The sizes of what a phase trains: `[model]`, or the checkpoint it starts from."""
    model = recipe.value.model
    if init:
        return read_json(Path(init) / "config.json", Shape)
    if model is None:
        raise RecipeError("the recipe has no [model]", where=str(recipe.path), mend="add [model], or init in the phase")
    return costs.shape_of(model, recipe.value.tokenizer.vocab_size)


def export(run: Path, to: Path) -> Path:
    """Copy the checkpoint of `run` without its training state to the new folder `to`; returns where it came from."""
    from llemma.backends.local import checkpoint_of

    if to.exists():
        raise UsageError(f"{to} exists", mend="choose a new folder")
    source = checkpoint_of(run)
    with replacing(to) as folder:
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("train_state"))
    return source
