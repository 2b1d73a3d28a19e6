"""Training on longer windows after the RoPE base was contracted: positions beyond the old context become usable."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

from llemma.backends.base import open_backend
from llemma.backends.scoring import scores
from llemma.core.console import Console
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.model import weights
from llemma.model.llama_config import LlamaConfig, RopeScaling
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import Tokenizer, load, train_bpe
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.loop import Trainer
from llemma.train.sharding import reaching

VOCABULARY = 300
SHAPE = ModelConfig(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
    max_position_embeddings=32,
    rope_theta=10_000.0,
)


def long_store(root: Path, letters: int, count: int) -> tuple[Tokenizer, Store]:
    """Long documents, each one short word said again and again: a model copies what stood a few places before."""
    rng, made = np.random.default_rng(0), list[str]()
    for _ in range(count):
        word = [chr(97 + n) for n in rng.integers(0, 16, 4)]
        made.append("".join(np.resize(word, letters)))
    train_bpe(["a b c"], VOCABULARY, root / "tokenizer")
    tokenizer = load(root / "tokenizer")
    write_store(made, tokenizer, root / "a" / "train")
    return tokenizer, Store(root / "a" / "train")


def trained(
    run: Path, tokenizer: Tokenizer, store: Store, context: int, steps: int, init: Path | None, theta: float | None
) -> Path:
    batch = 4 if context < 1000 else 1
    config = TrainConfig(
        mixture=[Part("a", 1.0, 1000.0)],
        tokens=Count(steps * batch * context),
        context=context,
        batch=batch,
        optimizer="muon",
        peak_lr=8e-3,
        warmup_steps=10,
        rope_theta=theta,
        parity_check=False,
        precision="fp32",
    )
    console, shape = Console(quiet=True, stream=StringIO()), None if init else SHAPE
    trainer = Trainer(
        run, config, tokenizer=tokenizer, train={"a": store}, validation={}, console=console, init=init, shape=shape
    )
    trainer.train()
    return run / "final"


def by_place(folder: Path, store: Store, length: int, rows: int = 8) -> dict[int, float]:
    """Nats a token by the first place of each group, over the beginnings of some documents."""
    model, sums = weights.load(folder), dict[int, list[float]]()
    for index in range(rows):
        ids = store.document(index)[: length + 1].astype(int).tolist()
        assert len(ids) == length + 1
        with torch.inference_mode():
            found = scores(ids, length, VOCABULARY, model)
        for place, tokens, nats in found.by_place:
            have = sums.setdefault(place, [0.0, 0.0])
            have[0], have[1] = have[0] + tokens, have[1] + nats
    return {place: nats / tokens for place, (tokens, nats) in sums.items()}


def check(tmp_path: Path, long: int, steps: int, base: float, rows: int, gain: float) -> None:
    """Train on windows of 64 tokens, then on `long` ones with another base, and compare in the second half of those."""
    tokenizer, store = long_store(tmp_path / "tokens", long + 80, 200 if long < 1000 else 24)
    before = trained(tmp_path / "short", tokenizer, store, 64, 500, None, None)
    after = trained(tmp_path / "long", tokenizer, store, long, steps, before, base)
    first, second = (by_place(folder, store, long, rows) for folder in (before, after))
    beyond = long // 2
    assert first[beyond] > first[64] + 0.5, first  # the longer, the worse
    assert second[beyond] < first[beyond] - gain, (first, second)
    assert second[beyond] < second[64] + 0.2, second  # no place is worse than another
    assert json.loads((after / "config.json").read_text())["max_position_embeddings"] == long
    assert json.loads((before / "config.json").read_text())["max_position_embeddings"] == 64


@pytest.mark.slow
def test_positions_beyond_four_times_the_old_context(tmp_path: Path) -> None:
    check(tmp_path, long=512, steps=100, base=100_000.0, rows=8, gain=0.4)


@pytest.mark.slow
def test_positions_beyond_4096(tmp_path: Path) -> None:
    check(tmp_path, long=8192, steps=40, base=1_000_000.0, rows=2, gain=0.2)


def config(**changes: object) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=64,
        **changes,  # type: ignore[arg-type]
    )


def test_a_model_is_made_for_the_longest_windows_it_has_seen() -> None:
    assert reaching(config(), 65).max_position_embeddings == 65
    assert reaching(config(), 64) == config() == reaching(config(), 3)
    dynamic = config(rope_scaling=RopeScaling(rope_type="dynamic", factor=2.0))
    assert reaching(dynamic, 65) == dynamic


def test_a_backend_scores_in_the_windows_it_is_told(tmp_path: Path) -> None:
    tokenizer, store = long_store(tmp_path / "tokens", 190, 4)
    folder = trained(tmp_path / "run", tokenizer, store, 32, 2, None, None)
    text = tokenizer.decode(store.document(0).astype(int).tolist())
    whole, parts, own = (
        next(iter(open_backend(f"run:{folder}", **options).score([text])))
        for options in ({"window": 256}, {"window": 32, "stride": 8}, {})
    )
    assert whole.tokens == parts.tokens == own.tokens
    assert max(place for place, _, _ in whole.places) >= 128 > max(place for place, _, _ in parts.places)
    assert sum(nats for _, _, nats in parts.places) == pytest.approx(parts.nats, abs=1e-2)
    assert len({round(item.nats, 3) for item in (whole, parts, own)}) == 3
