"""`llemma train`, `llemma tokenize` and `llemma export` outside the pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import structs

from llemma.core.console import Console
from llemma.core.errors import MissingError, RecipeError, UsageError
from llemma.core.files import file_digest, replacing, write_bytes
from llemma.core.recipe import Recipe
from llemma.core.runs import open_run
from llemma.core.types import SPLITS, Document
from llemma.corpus import layout
from llemma.evals.texts import open_split
from llemma.reproduce.phases import lead, stores
from llemma.reproduce.schema import LlemmaRecipe, need
from llemma.reproduce.stages import perform, training_stage
from llemma.tokens.pairs import PairsConfig, PairsInfo, write_pairs
from llemma.tokens.store import StoreInfo, write_store
from llemma.tokens.tokenizer import copy, load
from llemma.train import slurm
from llemma.train.config import INDIFFERENT, TrainConfig


def tokenize_corpus(corpus: Path, tokenizer: Path, out: Path, console: Console) -> dict[str, StoreInfo]:
    """Write a token store for every split of every subset of `corpus`, and a copy of the tokenizer.

    `corpus` is one that was built, whose statistics say what must be there, or any folder
    `<subset>/<split>/*.jsonl[.zst|.gz]` of rows with `text`, as Proof-Pile-2 is published.
    """
    found, infos = load(tokenizer), {}
    for name, documents in _splits_of(corpus):
        with console.progress(f"tokens {name}", unit="documents") as bar:
            infos[name] = write_store(bar.counted(document.text for document in documents), found, out / name)
    copy(found, out / "tokenizer")
    return infos


def _splits_of(corpus: Path) -> Iterator[tuple[str, Iterator[Document]]]:
    if (corpus / layout.STATS).is_file():
        for subset in layout.subsets(corpus):
            for split in SPLITS:
                if any((corpus / subset / split).glob("*.jsonl*")):
                    yield f"{subset}/{split}", layout.read_split(corpus, subset, split)
        return
    folders = sorted({path.parents[1].name for path in corpus.glob("*/*/*.jsonl*") if path.parent.name in SPLITS})
    if not folders:
        raise MissingError(
            f"no corpus in {corpus}",
            where="<subset>/<train|validation|test>/*.jsonl, .jsonl.zst or .jsonl.gz",
            mend="make one with `llemma corpus build RECIPE`, or check the path",
        )
    for subset in folders:
        for split in SPLITS:
            if any((corpus / subset / split).glob("*.jsonl*")):
                for _, documents in open_split(corpus / subset / split, split):
                    yield f"{subset}/{split}", documents


def tokenize_pairs(
    files: list[Path], tokenizer: Path, out: Path, subset: str, config: PairsConfig, console: Console
) -> PairsInfo:
    """Write the store of the subset `subset` from files of questions with answers, and a copy of the tokenizer."""
    found = load(tokenizer)
    held = out / "tokenizer" / "tokenizer.json"
    if held.is_file() and file_digest(held) != found.digest:
        raise UsageError(
            "the stores in this folder were made with another tokenizer",
            where=str(out),
            mend=f"--tokenizer {out / 'tokenizer'}, or another --out",
        )
    with console.progress(f"tokens {subset}", unit="conversations") as bar:
        info = write_pairs(files, found, out / subset, config, bar.advance)
    if not held.is_file():
        copy(found, out / "tokenizer")
    return info


def train(recipe: Recipe[LlemmaRecipe], out: Path, console: Console) -> dict[str, dict[str, Any]] | None:
    """Train all phases of a recipe in the run folder `out` (`out/<phase>/final`); goes on where it was interrupted.

    Under torchrun all processes call this, and all but the leader return None.
    """
    return lead(lambda: _train(recipe, out, console))


def _train(recipe: Recipe[LlemmaRecipe], out: Path, console: Console) -> dict[str, dict[str, Any]]:
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
    with open_run(out, "train", recipe.value, console, free=INDIFFERENT) as run:
        for name, phase in recipe.value.train.items():
            stage = training_stage(
                out,
                name,
                fetched(phase),
                tokens=tokens,
                tokenizer=tokenizer,
                before=before,
                shape=recipe.value.model,
                console=console,
            )
            facts[name], before = perform(run, stage), out / name / "final"
    return facts


def write_job(path: Path, name: str, arguments: list[str], gpus: int) -> str:
    """Write a Slurm job file that runs `llemma train ARGUMENTS` from this folder on `gpus` GPUs; returns its text."""
    if path.exists():
        raise UsageError(f"{path} exists", where="--slurm", mend="choose another name")
    text = slurm.job(name, arguments, str(Path.cwd()), gpus)
    write_bytes(path, text.encode())
    return text


def fetched(phase: TrainConfig) -> TrainConfig:
    """A phase that starts from a checkpoint of the hub, with the folder that this one was fetched into."""
    if not phase.init.startswith("hf:"):
        return phase
    from llemma.backends import hub_files

    name, _, revision = phase.init.removeprefix("hf:").partition("@")
    folder, _ = hub_files.find(name, revision, code=False)
    return structs.replace(phase, init=str(folder))


def export(run: Path, to: Path) -> Path:
    """Copy the checkpoint of `run` without its training state to the new folder `to`; returns where it came from. The
    slices of a run of many processes that is not finished are put together."""
    from llemma.backends.local import checkpoint_of
    from llemma.model import stored, weights

    if to.exists():
        raise UsageError(f"{to} exists", mend="choose a new folder")
    source = checkpoint_of(run)
    with replacing(to) as folder:
        if stored.sharded(source):
            weights.consolidate(source, folder)
        else:
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns("train_state", "state.json"))
    return source
