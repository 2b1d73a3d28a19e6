"""What a run says of itself: trackers are told, cut rows go, rates are shares of a peak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from llemma.core import registry
from llemma.core.errors import MissingError, RecipeError
from llemma.core.recipe import Count
from llemma.train import metrics
from llemma.train.config import TrainConfig
from llemma.train.metrics import Clock, Metrics


def config(**changes: object) -> TrainConfig:
    return TrainConfig(mixture=[], tokens=Count(1), context=1, batch=1, **changes)  # type: ignore[arg-type]


def test_resuming_cuts_rows_that_will_be_written_again_but_no_rollback(tmp_path: Path, helpers: Any) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = Metrics(path, 0, [])
    for step in (1, 2, 3):
        whole.write({"step": step})
    whole.write({"step": 3, "event": "rollback"})
    with open(path, "ab") as out:
        out.write(b'{"step": 4, "los')  # killed here
    Metrics(path, 2, [])
    assert helpers.read(tmp_path) == [{"step": 1}, {"step": 2}, {"step": 3, "event": "rollback"}]


def test_a_plug_in_is_told_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setitem(registry._TABLES["tracker"], "mine", lambda run: lambda row: told.append((run, row)))
    Metrics(tmp_path / "m", 0, metrics.open_trackers(config(trackers=["mine"]), tmp_path)).write({"step": 1})
    assert told == [(tmp_path, {"step": 1})]


def test_trackers_that_are_not_there_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="unknown tracker 'tensorbord'"):
        metrics.open_trackers(config(trackers=["tensorbord"]), tmp_path)
    with pytest.raises(MissingError, match="wandb is not installed"):
        pytest.skip("wandb is installed") if _there("wandb") else metrics.wandb(tmp_path)


def _there(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def test_numbers_of_inner_tables_have_their_path() -> None:
    row = {"step": 3, "loss": 1, "event": "x", "validation": {"a": 0.5, "b": None}}
    assert metrics.numbers(row) == {"loss": 1.0, "validation/a": 0.5}


def test_utilisation_is_the_rate_over_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(100))
    monkeypatch.setattr(metrics.time, "monotonic", lambda: float(next(seconds)))
    clock = Clock(tokens=100, flops=6.0, peak=1200.0)
    for _ in range(20):
        clock.tick()
    assert clock.rate == 100.0 and clock.mfu == pytest.approx(0.5) and clock.seconds == 20.0
    assert "mfu 50% | 2.0 GiB" in clock.line(1.0, 1e-3, 2 << 30)


def test_a_peak_that_no_table_has_is_measured() -> None:
    assert 1e8 < metrics.peak(torch.device("cpu"), config(precision="fp32")) < 1e14
