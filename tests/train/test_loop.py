"""Training learns, resumes exactly, and says what it costs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
import pytest
import torch

from llemma.core.console import Console
from llemma.core.errors import LlemmaError, RecipeError
from llemma.core.types import Part
from llemma.model import weights
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import Tokenizer, load, train_bpe
from llemma.train import checkpoint
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.loop import Trainer
from llemma.train.plan import parameters, shape_of

SHAPE = ModelConfig(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=64,
)
QUIET = Console(quiet=True, stream=StringIO())


def config(**changes: object) -> TrainConfig:
    base = TrainConfig(
        mixture=[Part("a", 1.0, 50.0)],
        tokens=30 * 4 * 16,  # type: ignore[arg-type]
        context=16,
        batch=4,
        peak_lr=1e-2,
        warmup_steps=3,
        log_every=5,
        checkpoint_every=10,
        validate_every=10,
        precision="fp32",
    )
    return msgspec.structs.replace(base, **changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, dict[str, Store]]:
    root = tmp_path_factory.mktemp("data")
    texts = [f"{i} plus {i} is {2 * i}. " * 8 for i in range(60)]
    train_bpe(texts, 320, root / "t")
    tokenizer = load(root / "t")
    write_store(texts, tokenizer, root / "a")
    return tokenizer, {"a": Store(root / "a")}


def trainer(
    run: Path, data: tuple[Tokenizer, dict[str, Store]], settings: TrainConfig, init: Path | None = None
) -> Trainer:
    tokenizer, stores = data
    return Trainer(
        run,
        settings,
        tokenizer=tokenizer,
        train=stores,
        validation=stores,
        console=QUIET,
        init=init,
        shape=None if init else SHAPE,
    )


def rows(run: Path) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]


def without_times(row: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key not in ("seconds", "tokens_per_second")}


class Stop(BaseException):
    """Stands for a kill: nothing handles it."""


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("micro", [0, 2])
def test_an_interrupted_run_ends_as_an_undisturbed_one(
    tmp_path: Path,
    data: tuple[Tokenizer, dict[str, Store]],
    optimizer: str,
    micro: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config(optimizer=optimizer, micro_batch=micro)
    trainer(tmp_path / "whole", data, settings).train()
    for stop in (7, 16, 23):
        broken = trainer(tmp_path / "broken", data, settings)
        step = broken._step

        def stopping(number: int, at: int = stop, step: object = step) -> tuple[float, float]:
            if number == at:
                raise Stop
            return step(number)  # type: ignore[operator,no-any-return]

        monkeypatch.setattr(broken, "_step", stopping)
        with pytest.raises(Stop):
            broken.train()
    trainer(tmp_path / "broken", data, settings).train()
    one, two = ((tmp_path / name / "final" / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert one == two
    assert [without_times(row) for row in rows(tmp_path / "whole")] == [
        without_times(row) for row in rows(tmp_path / "broken")
    ]


def test_it_learns_and_continues_from_a_folder(tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]]) -> None:
    trainer(tmp_path / "base", data, config(optimizer="muon", tokens=60 * 4 * 16)).train()
    losses = [row["loss"] for row in rows(tmp_path / "base") if "loss" in row]
    assert losses[-1] < 0.6 * losses[0]  # type: ignore[operator]
    trainer(
        tmp_path / "more", data, config(optimizer="muon", rope_theta=100.0), init=tmp_path / "base" / "final"
    ).train()
    more = [row["loss"] for row in rows(tmp_path / "more") if "loss" in row]
    assert more[0] < 0.8 * losses[0]  # type: ignore[operator]
    assert weights.read_config(tmp_path / "more" / "final").rope_theta == 100.0


def test_other_work_does_not_take_over_a_checkpoint(tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]]) -> None:
    trainer(tmp_path / "r", data, config()).train()
    assert checkpoint.saved(tmp_path / "r")
    other = trainer(tmp_path / "r", data, config(seed=1))
    assert checkpoint.resume(tmp_path / "r", other.work, other.model, other.optimizers).step == 0


def test_a_step_that_is_not_finite_is_left_out_and_many_stop_the_run(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = trainer(tmp_path / "r", data, config())
    before = [weight.clone() for weight in found.model.parameters()]
    monkeypatch.setattr(found, "_loss", lambda windows: found.model(windows).sum() * torch.inf)
    with pytest.raises(LlemmaError, match="not finite"):
        found.train()
    assert all(torch.equal(a, b) for a, b in zip(before, found.model.parameters(), strict=True))


def test_a_mixture_beyond_its_caps_is_refused_before_training(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]]
) -> None:
    with pytest.raises(RecipeError, match="epoch caps"):
        trainer(tmp_path / "r", data, config(mixture=[Part("a", 1.0, 0.01)]))


def test_the_plan_counts_what_the_model_has(data: tuple[Tokenizer, dict[str, Store]], tmp_path: Path) -> None:
    found = trainer(tmp_path / "r", data, config())
    real = sum(weight.numel() for weight in found.model.parameters())
    assert parameters(shape_of(SHAPE, data[0].vocab_size)) == found.plan.parameters == real
    assert found.plan.steps == 30 and found.plan.tokens == 30 * 64
