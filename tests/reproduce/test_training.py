"""Training phases outside the pipeline: where they start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.reproduce import schema, training
from llemma.tokens.store import Store
from llemma.tokens.tokenizer import load, train_bpe
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


def test_any_folder_in_the_layout_of_proof_pile_2_is_tokenized(tmp_path: Path) -> None:
    texts = [f"{i} plus {i} is {2 * i}. " * (1 + i % 9) for i in range(60)]
    train_bpe(texts, 320, tmp_path / "tokenizer")
    corpus, quiet = tmp_path / "corpus", Console(quiet=True)
    for name, rows in (("arxiv/train/a.jsonl.zst", texts[:40]), ("arxiv/test/a.jsonl.gz", texts[40:50])):
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        jsonl.write(corpus / name, [{"text": text, "meta": json.dumps({"a": 1})} for text in rows])
    (corpus / "web" / "train").mkdir(parents=True)
    jsonl.write(corpus / "web" / "train" / "0.jsonl", [{"text": text} for text in texts[50:]])
    found = training.tokenize_corpus(corpus, tmp_path / "tokenizer", tmp_path / "tokens", quiet)
    assert {name: info.documents for name, info in found.items()} == {
        "arxiv/train": 40,
        "arxiv/test": 10,
        "web/train": 10,
    }
    one, tokenizer = Store(tmp_path / "tokens" / "arxiv" / "train"), load(tmp_path / "tokens" / "tokenizer")
    assert tokenizer.decode(one.document(7).tolist()) == texts[7]
    with pytest.raises(MissingError, match="no corpus in") as caught:
        training.tokenize_corpus(tmp_path / "tokens", tmp_path / "tokenizer", tmp_path / "more", quiet)
    assert "jsonl" in caught.value.where
