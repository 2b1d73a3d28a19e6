"""Checkpoints of a training run: a Hugging Face folder with `train_state/` inside, written whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from llemma.core.errors import DataError
from llemma.core.files import read_json, replacing, write_json
from llemma.model import weights
from llemma.model.llama import Llama
from llemma.tokens.tokenizer import Tokenizer
from llemma.train.optim import Optimizers


class TrainState(msgspec.Struct, frozen=True):
    """Where a run stood: `step` steps are done, `skipped` of them without an update."""

    step: int
    skipped: int
    work: str


def save(run: Path, model: Llama, optimizers: Optimizers, state: TrainState, tokenizer: Tokenizer) -> None:
    """Write `checkpoints/step-N` and remove the ones before it."""
    target = run / "checkpoints" / f"step-{state.step:06d}"
    with replacing(target) as folder:
        weights.save(model, folder, tokenizer=tokenizer.path.parent, bos=tokenizer.bos, eos=tokenizer.eos)
        (folder / "train_state").mkdir()
        save_file(optimizers.state(), folder / "train_state" / "optimizer.safetensors")
        write_json(folder / "train_state" / "state.json", state)
    for old in saved(run):
        if old != target:
            shutil.rmtree(old)


def saved(run: Path) -> list[Path]:
    """Checkpoint folders of a run, oldest first."""
    return sorted((run / "checkpoints").glob("step-*"))


def resume(run: Path, work: str, model: Llama, optimizers: Optimizers) -> TrainState:
    """Load the newest checkpoint of the same `work` (a digest) into model and optimizers; step 0 if there is none."""
    for folder in reversed(saved(run)):
        state = read_json(folder / "train_state" / "state.json", TrainState)
        if state.work == work:
            _load(folder, model, optimizers)
            return state
    return TrainState(0, 0, work)


def _load(folder: Path, model: Llama, optimizers: Optimizers) -> None:
    try:
        weights.restore(model, folder)
        optimizers.load(load_file(folder / "train_state" / "optimizer.safetensors"))
    except (DataError, SafetensorError, OSError, RuntimeError, KeyError) as error:
        raise DataError(
            f"damaged checkpoint: {error}",
            where=str(folder),
            mend="remove this folder; training then starts from an older state",
        ) from error
