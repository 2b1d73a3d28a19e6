"""Training learns, resumes exactly, and says what it costs."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from llemma.core.console import Console
from llemma.core.errors import LlemmaError, RecipeError
from llemma.core.types import Part
from llemma.model import weights
from llemma.tokens.store import Store
from llemma.tokens.tokenizer import Tokenizer
from llemma.train import checkpoint, metrics
from llemma.train.config import ModelConfig, TrainConfig, problems
from llemma.train.feed import Feed
from llemma.train.loop import Trainer
from llemma.train.objective import IGNORED
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
    return {key: value for key, value in row.items() if key not in metrics.TIMED}


class Stop(BaseException):
    """Stands for a kill: nothing handles it."""


def test_only_asked_for_tokens_count_in_loss_and_gradient(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean is over the tokens that count of the whole batch, however unevenly they lie in micro-batches."""

    def labels(feed: Feed, step: int) -> Any:
        found = feed.windows(step)[:, 1:].clone()
        found[:2, 3:] = IGNORED
        return found

    monkeypatch.setattr(Feed, "labels", labels)
    whole = trainer(tmp_path / "a", data, config())
    parts = trainer(tmp_path / "b", data, config(micro_batch=1))
    one, two = whole._step(0), parts._step(0)
    assert (one.loss, one.norm) == pytest.approx((two.loss, two.norm), rel=1e-5)
    windows, asked = whole.feed.windows(0), labels(whole.feed, 0)
    nats = float(trainer(tmp_path / "c", data, config()).objective(windows, None, asked)[1].detach())
    assert one.loss == pytest.approx(nats / int((asked != IGNORED).sum()), rel=1e-5)
    monkeypatch.setattr(Feed, "labels", lambda feed, step: feed.windows(step)[:, 1:])
    everything = trainer(tmp_path / "d", data, config())._step(0)
    monkeypatch.setattr(Feed, "labels", lambda feed, step: None)
    assert everything[:2] == trainer(tmp_path / "e", data, config())._step(0)[:2]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("micro", [0, 2])
@pytest.mark.slow
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

        def stopping(number: int, at: int = stop, step: Any = step) -> Any:
            if number == at:
                raise Stop
            return step(number)

        monkeypatch.setattr(broken, "_step", stopping)
        with pytest.raises(Stop):
            broken.train()
    trainer(tmp_path / "broken", data, settings).train()
    one, two = ((tmp_path / name / "final" / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert one == two
    assert [without_times(row) for row in rows(tmp_path / "whole")] == [
        without_times(row) for row in rows(tmp_path / "broken")
    ]


@pytest.mark.slow
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
    assert other._begin().step == 0


def test_a_run_of_nothing_but_infinite_losses_ends_with_an_error_and_its_first_weights(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = trainer(tmp_path / "r", data, config())
    before = [weight.clone() for weight in found.model.parameters()]
    monkeypatch.setenv("LLEMMA_POISON", "0:10000")
    with pytest.raises(LlemmaError, match=r"5 rollbacks did not help.*loss not finite"):
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


@pytest.mark.slow
def test_a_branch_goes_on_with_everything_but_the_schedule(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]]
) -> None:
    """Under the schedule of its trunk, a branch is its trunk; a decay branch differs from the first step after it."""
    wsd = {"schedule": "wsd", "checkpoint_every": 10, "keep_checkpoints": 9, "log_every": 1, "validate_every": 0}
    trainer(tmp_path / "trunk", data, config(**wsd, tokens=30 * 64)).train()
    named = str(tmp_path / "trunk" / "checkpoints" / "step-000020")
    same = trainer(tmp_path / "same", data, config(**wsd, tokens=30 * 64, branch=named))
    same.train()
    weights_of = [(tmp_path / run / "final" / "model.safetensors").read_bytes() for run in ("trunk", "same")]
    assert weights_of[0] == weights_of[1]
    assert rows(tmp_path / "same")[0]["step"] == 21
    decay = config(**wsd | {"decay_steps": 15}, tokens=45 * 64, branch=str(tmp_path / "trunk"))
    trainer(tmp_path / "decay", data, decay).train()
    found = [row for row in rows(tmp_path / "decay") if "lr" in row]
    assert [row["step"] for row in found] == list(range(31, 46))
    assert found[0]["lr"] == pytest.approx(1e-2) and found[-1]["lr"] < 2e-3  # type: ignore[operator]
    shutil.rmtree(tmp_path / "trunk" / "checkpoints")  # a branch resumes without its trunk
    assert trainer(tmp_path / "decay", data, decay)._begin().step == 40
    with pytest.raises(RecipeError, match="batches of 4 x 16"):
        trainer(tmp_path / "other", data, config(batch=8, branch=str(tmp_path / "decay"))).train()


@pytest.mark.parametrize("harm", ["cut", "removed", "no manifest"])
def test_a_damaged_checkpoint_is_passed_with_a_word(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]], harm: str
) -> None:
    settings = config(validate_every=0)
    trainer(tmp_path / "r", data, settings).train()
    assert [folder.name for folder in checkpoint.saved(tmp_path / "r")] == ["step-000010", "step-000020"]
    assert (tmp_path / "r" / "checkpoints" / "latest").resolve().name == "step-000020"
    file = tmp_path / "r" / "checkpoints" / "step-000020" / "model.safetensors"
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif harm == "removed":
        (file.parent / "train_state" / "optimizer.safetensors").unlink()
    else:
        (file.parent / "state.json").write_text("{")
    stream = StringIO()
    again = trainer(tmp_path / "r", data, settings)
    again.console = Console(quiet=True, stream=stream)
    assert again._begin().step == 10
    assert "step-000020 is damaged" in stream.getvalue()


@pytest.mark.slow
def test_a_rollback_is_kept_through_a_kill_right_after_it(
    tmp_path: Path, data: tuple[Tokenizer, dict[str, Store]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEMMA_POISON", "100:104")
    settings = config(rollback_after=1, log_every=1)
    trainer(tmp_path / "whole", data, settings).train()
    broken = trainer(tmp_path / "broken", data, settings)
    step = broken._step

    def stopping(number: int) -> Any:
        if number == 23 and broken.journal.rollbacks:
            raise Stop
        return step(number)

    monkeypatch.setattr(broken, "_step", stopping)
    with pytest.raises(Stop):
        broken.train()
    trainer(tmp_path / "broken", data, settings).train()
    one, two = ([without_times(row) for row in rows(tmp_path / name)] for name in ("whole", "broken"))
    assert one == two
    assert [row["places"] for row in one if row.get("event") == "rollback"] == [[80, 104]]
    assert (tmp_path / "whole" / "final" / "model.safetensors").read_bytes() == (
        tmp_path / "broken" / "final" / "model.safetensors"
    ).read_bytes()


def test_numbers_that_make_no_sense_are_named() -> None:
    assert not problems(config())
    assert problems(config(rollback_after=0, z_loss=-1.0)) == [
        "rollback_after must be at least 1",
        "z_loss must be at least 0",
    ]
