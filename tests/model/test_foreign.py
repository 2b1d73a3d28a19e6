"""What our network does not cover runs in transformers' own module: loaded, trained, resumed, saved, asked."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch

from llemma.backends import local
from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.core.types import Part, Request
from llemma.model import network, weights
from llemma.model.foreign import Foreign
from llemma.model.llama import Llama
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import Tokenizer, load, train_bpe
from llemma.train.config import TrainConfig
from llemma.train.loop import Trainer

transformers = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
KINDS: dict[str, dict[str, Any]] = {
    "gpt_neox": {"hidden_dropout": 0.1, "attention_dropout": 0.1, "rotary_pct": 1.0},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 16, "hidden_activation": "gelu_pytorch_tanh"},
    "gpt2": {},
    "mistral": {"num_key_value_heads": 2, "sliding_window": 8},
}
Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder of a tiny model of a kind, with a tokenizer."""
    texts = [f"{i} plus {i} is {2 * i}. " * 8 for i in range(60)]
    root = tmp_path_factory.mktemp("made")
    train_bpe(texts, 320, root / "tokenizer")
    write_store(texts, load(root / "tokenizer"), root / "a")

    def make(kind: str) -> Path:
        folder = root / kind
        if not folder.is_dir():
            torch.manual_seed(1)
            config = transformers.AutoConfig.for_model(kind, **{**SIZES, **KINDS[kind]})
            transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
            for file in (root / "tokenizer").iterdir():
                shutil.copyfile(file, folder / file.name)
        return folder

    return make


def ids() -> torch.Tensor:
    return torch.randint(0, 320, (2, 24), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("kind", ["gpt_neox", "gemma2", "gpt2"])
def test_it_is_chosen_computes_and_is_saved(made: Made, kind: str, tmp_path: Path) -> None:
    said: list[str] = []
    found = network.load(made(kind), say=said.append).train()
    assert isinstance(found, Foreign) and kind in said[0]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(made(kind), dtype=torch.float32)
    assert torch.equal(found(ids()), theirs(ids()).logits)  # without dropout
    assert [name for name, _ in found.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert len(found.blocks) == 2 and found.config.hidden_size == 32
    with torch.no_grad():
        next(found.parameters()).add_(0.1)
    weights.save(found, tmp_path, tokenizer=made(kind), bos=0, eos=1)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(again) is type(theirs)
    assert torch.equal(again(ids()).logits, found(ids()))
    weights.save(found, tmp_path / "half", tokenizer=made(kind), bos=0, eos=1, dtype=torch.bfloat16)
    half = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "half")
    assert half.dtype == torch.bfloat16 and next(found.parameters()).dtype == torch.float32


def test_our_own_can_be_asked_for_and_set_aside(made: Made) -> None:
    with pytest.raises(DataError, match="model_type 'gpt2'") as told:
        network.load(made("gpt2"), implementation="llemma")
    assert "transformers" in told.value.mend
    assert isinstance(network.load(made("mistral")), Llama)
    assert isinstance(network.load(made("mistral"), implementation="transformers"), Foreign)


def test_its_rope_base_can_be_replaced_where_it_has_one(made: Made) -> None:
    plain, contracted = (network.load(made("gpt_neox"), rope_theta=base) for base in (None, 20.0))
    assert not torch.allclose(plain(ids()), contracted(ids()))
    with pytest.raises(RecipeError, match="RoPE base"):
        network.load(made("gpt2"), rope_theta=20.0)


def test_missing_weights_quantised_ones_and_no_transformers(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made("gpt_neox"), tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps({**table, "num_hidden_layers": 3}))
    with pytest.raises(DataError, match=r"no weights for gpt_neox\.layers\.2"):
        network.load(tmp_path / "m")
    path.write_text(json.dumps({**table, "quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(DataError, match="quantised"):
        network.load(tmp_path / "m")
    inner = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "transformers":
            raise ImportError("No module named 'transformers'")
        return inner(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingError, match="model_type 'gpt_neox'; transformers") as told:
        network.load(made("gpt_neox"))
    assert "llemma[hf]" in told.value.mend


def trainer(run: Path, folder: Path, found: Tokenizer) -> Trainer:
    settings = TrainConfig(
        mixture=[Part("a", 1.0, 50.0)],
        tokens=8 * 4 * 16,  # type: ignore[arg-type]
        context=16,
        batch=4,
        peak_lr=1e-2,
        warmup_steps=1,
        precision="fp32",
        log_every=1,
        checkpoint_every=3,
        init=str(folder),
    )
    stores = {"a": Store(folder.parent / "a")}
    console = Console(quiet=True, stream=StringIO())
    return Trainer(run, settings, tokenizer=found, train=stores, validation=stores, console=console, init=folder)


def test_it_trains_resumes_and_answers(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("gpt_neox")
    found = load(folder)
    whole = trainer(tmp_path / "whole", folder, found)
    assert isinstance(whole.model, Foreign)
    whole.train()
    broken = trainer(tmp_path / "broken", folder, found)
    step = broken._step

    class Stop(BaseException):
        pass

    def stopping(number: int) -> tuple[float, float]:
        if number == 5:
            raise Stop
        return step(number)

    monkeypatch.setattr(broken, "_step", stopping)
    with pytest.raises(Stop):
        broken.train()
    trainer(tmp_path / "broken", folder, found).train()
    ends = [(tmp_path / name / "final" / "model.safetensors").read_bytes() for name in ("whole", "broken")]
    assert ends[0] == ends[1]
    backend = local.open_run(str(tmp_path / "whole"), warn=lambda text: None)
    assert backend.name == f"run:{tmp_path / 'whole'}"
    [[sample]] = backend.complete([Request("a", "3 plus 3 is", n=1, max_tokens=5)])
    assert sample.finish in ("stop", "length")
    assert next(backend.score(["3 plus 3 is 6."])).nats > 0


def test_generation_with_a_short_window_is_left_to_transformers(made: Made) -> None:
    backend = local.open_run(str(made("mistral")), warn=lambda text: None)
    assert not isinstance(backend, local.Local)
    [[sample]] = backend.complete([Request("a", "3 plus 3 is 6. 4 plus 4 is", n=1, max_tokens=20)])
    assert sample.finish in ("stop", "length")
