"""Training phases outside the pipeline: where they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.reproduce import schema, training
from llemma.train.config import TrainConfig


def phase(init: str) -> TrainConfig:
    return TrainConfig(mixture=[Part("a", 1.0)], tokens=Count(8), context=4, batch=2, init=init)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    weights.save(Llama(config).init_weights(0), tmp_path / "model", tokenizer=tmp_path, bos=0, eos=1)
    return tmp_path / "model"


def test_a_checkpoint_of_the_hub_becomes_its_folder(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def find(name: str, revision: str, code: bool) -> tuple[Path, str]:
        asked.append((name, revision))
        return checkpoint, name

    monkeypatch.setattr("llemma.backends.hub_files.find", find)
    assert training.fetched(phase("hf:some/body@v2")).init == str(checkpoint)
    assert training.fetched(phase("hf:some/body")).init == str(checkpoint)
    assert asked == [("some/body", "v2"), ("some/body", "")]


def test_folders_stay_as_they_are(checkpoint: Path) -> None:
    assert training.fetched(phase("")).init == ""
    assert training.fetched(phase(str(checkpoint))).init == str(checkpoint)
    assert training.fetched(phase(f"hf:{checkpoint}")).init == str(checkpoint)
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(DataError, match="no safetensors"):
        training.fetched(phase(f"hf:{checkpoint}"))


def test_the_papers_recipe_says_which_tokens_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = schema.load("llemma-7b")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingError, match="no token stores in tokens/proof-pile-2") as caught:
        training.train(recipe, tmp_path / "run", Console(quiet=True))
    assert "llemma tokenize" in caught.value.mend and not (tmp_path / "run").exists()
