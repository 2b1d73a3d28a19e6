"""Several processes compute what one does; killed anywhere, a run ends as if nothing had been."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture(scope="module")
def two(launch: Any, helpers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phase folder of an undisturbed run in two processes; read only."""
    out = tmp_path_factory.mktemp("two") / "run"
    helpers.ended(launch(out, 2))
    return out / "base"


@pytest.mark.slow
def test_two_processes_compute_what_one_does(alone: Path, two: Path, helpers: Any) -> None:
    helpers.close(alone, two)
    bits = [[row["validation"]["a"] for row in helpers.read(run) if "validation" in row] for run in (alone, two)]
    assert len(bits[0]) == 2 and bits[0] == pytest.approx(bits[1], abs=1e-4)


def test_what_two_processes_export_is_read_by_transformers(two: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from llemma.model import weights

    ids = torch.arange(2, 22)[None]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(two / "final", dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(theirs(ids).logits, weights.load(two / "final")(ids))


@pytest.mark.parametrize("sets", [[], pytest.param(["tensor_parallel=2"], marks=pytest.mark.slow)])
def test_a_run_that_is_not_finished_is_read_and_exported(
    launch: Any, helpers: Any, tmp_path: Path, sets: list[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    from llemma.model import weights
    from llemma.reproduce.training import export

    out = tmp_path / "run"
    helpers.kill_while_writing(launch(out, 2, *sets), out / "base", 20)
    source = export(out / "base", tmp_path / "exported")
    assert source.parent.name == "checkpoints" and not list(source.glob("*.safetensors"))
    ids = torch.arange(2, 22)[None]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "exported", dtype=torch.float32).eval()
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "exported").bos_token
    ours = weights.load(source)  # its slices are put together while they are read
    with torch.no_grad():
        assert torch.equal(theirs(ids).logits, ours(ids))
    before = weights.identity(source)
    shard = next((source / "train_state").glob("shard-00002*"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    assert weights.identity(source) != before


@pytest.mark.slow
def test_one_process_is_killed_often_and_ends_the_same(launch: Any, alone: Path, helpers: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    helpers.kill_after(launch(out, 0), out / "base", 3, 0.0)
    helpers.kill_while_writing(launch(out, 0), out / "base", 20)
    helpers.kill_after(launch(out, 0), out / "base", 31, 0.005)
    helpers.ended(launch(out, 0))
    assert helpers.untimed(helpers.read(out / "base")) == helpers.untimed(helpers.read(alone))
    same = [(run / "final" / "model.safetensors").read_bytes() for run in (alone, out / "base")]
    assert same[0] == same[1]


@pytest.mark.slow
def test_two_processes_are_killed_and_end_the_same(launch: Any, two: Path, helpers: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    helpers.kill_while_writing(launch(out, 2), out / "base", 20)
    said = helpers.ended(launch(out, 2))
    assert "goes on after step 10" in said or "goes on after step 20" in said  # a busy machine kills late
    assert helpers.untimed(helpers.read(out / "base")) == helpers.untimed(helpers.read(two))
    same = [(run / "final" / "model.safetensors").read_bytes() for run in (two, out / "base")]
    assert same[0] == same[1]


@pytest.mark.slow
def test_the_number_of_processes_may_change(launch: Any, alone: Path, helpers: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert helpers.kill_after(launch(out, 0), out / "base", 12, 0.0)
    second = launch(out, 2)
    assert helpers.kill_after(second, out / "base", 23, 0.0)
    said = helpers.ended(launch(out, 0))
    # checkpoints are written beside the training: the one of step 20 may not have been whole at the kill
    assert any(f"goes on after step {step}" in said for step in (10, 20, 30))
    helpers.close(alone, out / "base")


@pytest.mark.slow
def test_ctrl_c_stops_all_processes_at_one_step(launch: Any, helpers: Any, tmp_path: Path) -> None:
    process = launch(tmp_path / "run", 2, "tokens=640_000")
    run = tmp_path / "run" / "base"
    while not helpers.read(run):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = helpers.ended(process, 1)  # torchrun's own code; that of its processes is 130
    assert said.count("error: stopped after step") == 1
    last = helpers.read(run)[-1]["step"]
    assert (run / "checkpoints" / "latest").resolve().name == f"step-{last:06d}"


@pytest.mark.slow
def test_data_that_is_no_number_does_not_end_a_run_of_two(launch: Any, helpers: Any, tmp_path: Path) -> None:
    """Windows 60 to 75 belong to steps 16 to 19: three are left out, and the run goes back and past them."""
    said = helpers.ended(launch(tmp_path / "run", 2, LLEMMA_POISON="60:76"))
    assert "step 18: rollback: went back to step 10" in said
    rows = helpers.read(tmp_path / "run" / "base")
    assert rows[-1]["step"] == 40
    events = [row for row in rows if "event" in row]
    assert [(row["event"], row["step"]) for row in events] == [("rollback", 18), ("left out", 11)]
    assert events[0]["places"] == [40, 72]


@pytest.mark.slow
def test_two_processes_agree_with_one_under_every_switch(launch: Any, helpers: Any, tmp_path: Path) -> None:
    """In bfloat16 the two round differently: autocast rounds products, FSDP2 the whole network."""
    switches = ["precision=bf16", "optimizer=muon", "micro_batch=1", "loss_chunk=7", "z_loss=1e-4"]
    switches += ["document_mask=true", "checkpointing=selective"]
    helpers.ended(launch(tmp_path / "one", 0, *switches))
    helpers.ended(launch(tmp_path / "two", 2, *switches))
    one, two = (helpers.losses(helpers.read(tmp_path / name / "base")) for name in ("one", "two"))
    assert len(one) == 40 and one.keys() == two.keys()
    assert max(abs(one[step] - two[step]) for step in one) < 0.02


@pytest.mark.slow
def test_copies_of_the_model_compute_what_one_does(launch: Any, alone: Path, helpers: Any, tmp_path: Path) -> None:
    helpers.ended(launch(tmp_path / "run", 2, "replicas=2", "checkpointing=full"))
    helpers.close(alone, tmp_path / "run" / "base")
