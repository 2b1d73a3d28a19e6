"""A checkpoint written beside the training is the one written between two steps."""

from __future__ import annotations

import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from llemma.core.console import Console
from llemma.core.errors import LlemmaError
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.train import checkpoint
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.loop import Trainer

CONFIG = TrainConfig(
    mixture=[Part("a", 1.0, 50.0)],
    tokens=Count(8 * 4 * 16),
    context=16,
    batch=4,
    peak_lr=1e-2,
    warmup_steps=2,
    checkpoint_every=4,
    keep_checkpoints=3,
    precision="fp32",
    schedule="constant",
)
SHAPE = ModelConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1
)


def trainer(run: Path, data: Any, init: Path | None = None) -> Trainer:
    tokenizer, stores = data
    console = Console(quiet=True, stream=StringIO())
    shape = None if init else SHAPE
    return Trainer(
        run, CONFIG, tokenizer=tokenizer, train=stores, validation={}, console=console, init=init, shape=shape
    )


def files(run: Path) -> dict[str, bytes]:
    root = run / "checkpoints"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module", params=["ours", "transformers"])
def init(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: Any) -> Path | None:
    """None for our own network; of transformers' one with tied weights."""
    if request.param == "ours":
        return None
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("gpt2")
    sizes = {"vocab_size": 320, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2}
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes)).save_pretrained(folder)
    return folder


def test_training_goes_on_while_it_is_written(
    tmp_path: Path, data: Any, init: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer(tmp_path / "one", data, init).train()
    beside, reached, seen = trainer(tmp_path / "two", data, init), threading.Event(), list[int]()
    beside.writer.beside = True
    digests, step = checkpoint.digests, beside._step

    def late(*arguments: Any) -> dict[str, str]:
        assert reached.wait(60)  # the writing of step 4 ends when step 6 has been computed
        return digests(*arguments)

    def stepping(number: int) -> Any:
        done = step(number)
        if number == 5:
            seen.extend(int(folder.name[-6:]) for folder in checkpoint.saved(tmp_path / "two"))
            reached.set()
        return done

    monkeypatch.setattr(checkpoint, "digests", late)
    monkeypatch.setattr(beside, "_step", stepping)
    beside.train()
    assert seen == []  # it did not count before it was whole
    assert files(tmp_path / "one") == files(tmp_path / "two") and len(checkpoint.saved(tmp_path / "two")) == 2
    weights = [load_file(tmp_path / name / "final" / "model.safetensors") for name in ("one", "two")]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_a_disk_that_is_full_ends_the_run_with_a_word(
    tmp_path: Path, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(checkpoint, "save_file", full)
    for name, beside in (("one", False), ("two", True)):
        found = trainer(tmp_path / name, data)
        found.writer.beside = beside
        with pytest.raises(LlemmaError, match="cannot write the checkpoint"):
            found.train()
        assert not checkpoint.saved(tmp_path / name)
