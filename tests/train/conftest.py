"""Token stores of small sums, and runs of the command line on them, in one process or several."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import Tokenizer, load, train_bpe

TIMED = ("tokens_per_second", "seconds", "mfu", "memory")
RECIPE = """
[data]
tokens = "{tokens}"

[model]
hidden_size = 32
intermediate_size = 48
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
max_position_embeddings = 64

[train.base]
mixture = [{{ source = "a", weight = 1.0, max_epochs = 100 }}]
tokens = 2_560
context = 16
batch = 4
peak_lr = 1e-2
warmup_steps = 3
log_every = 1
checkpoint_every = 10
validate_every = 20
precision = "fp32"
"""
Launch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of token stores with their tokenizer."""
    root = tmp_path_factory.mktemp("tokens")
    texts = [f"{i} plus {i} is {2 * i}. " * (1 + i % 9) for i in range(200)]
    train_bpe(texts, 320, root / "tokenizer")
    tokenizer = load(root / "tokenizer")
    write_store(texts, tokenizer, root / "a" / "train")
    write_store(texts[:40], tokenizer, root / "a" / "validation")
    return root


@pytest.fixture(scope="session")
def data(stores: Path) -> tuple[Tokenizer, dict[str, Store]]:
    """Tokenizer and training stores."""
    return load(stores / "tokenizer"), {"a": Store(stores / "a" / "train")}


@pytest.fixture(scope="session")
def launch(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Start `llemma train` on a small recipe with `processes` of torchrun, or (0) without."""
    home = tmp_path_factory.mktemp("home")
    recipe = home / "small.toml"
    recipe.write_text(RECIPE.format(tokens=stores))

    def start(out: Path, processes: int, *sets: str, tokens: str = "", **environment: str) -> subprocess.Popen[str]:
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        command = [sys.executable, "-m", *(torchrun if processes else []), "llemma", "train", str(recipe)]
        settings = [f"train.base.{item}" for item in sets] + ([f"data.tokens={tokens}"] if tokens else [])
        return subprocess.Popen(
            [*command, "--out", str(out), *(part for item in settings for part in ("--set", item))],
            env={**os.environ, "LLEMMA_HOME": str(home), "OMP_NUM_THREADS": "1", **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    return start


@pytest.fixture(scope="session")
def alone(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phase folder of an undisturbed run in one process; read only."""
    out = tmp_path_factory.mktemp("alone") / "run"
    ended(launch(out, 0))
    return out / "base"


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end, check its code, return what was said."""
    said, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors[-3000:]
    return said + errors


def read(run: Path) -> list[dict[str, Any]]:
    """The rows of a phase's metrics."""
    path = run / "metrics.jsonl"
    text = path.read_bytes() if path.is_file() else b""
    return [msgspec.json.decode(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without what differs between two runs that compute the same."""
    return [{key: value for key, value in row.items() if key not in TIMED} for row in rows]


CLOSE = 5e-5
"""Losses (rounded to 1e-5) of one process and of two differ by the order of float32 sums."""


def losses(rows: list[dict[str, Any]]) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in rows if "loss" in row}


def close(one: Path, other: Path) -> None:
    """The losses of two runs are equal up to the order of sums, and their weights nearly so."""
    a, b = losses(read(one)), losses(read(other))
    assert a.keys() == b.keys() and len(a) == 40
    assert max(abs(a[step] - b[step]) for step in a) < CLOSE
    first, second = (load_file(run / "final" / "model.safetensors") for run in (one, other))
    assert all(torch.allclose(first[name], second[name], atol=1e-4) for name in first)


def kill_after(process: subprocess.Popen[str], run: Path, steps: int, delay: float) -> bool:
    """SIGKILL to all processes of a launch `delay` seconds after metrics of `steps` steps; False if it ended before."""
    while not (rows := read(run)) or rows[-1]["step"] < steps:
        if process.poll() is not None:
            return False
        time.sleep(0.005)
    time.sleep(delay)
    kill_all(process)
    return True


def kill_while_writing(process: subprocess.Popen[str], run: Path, step: int) -> None:
    """SIGKILL to all processes of a launch as soon as the checkpoint after `step` steps is being written."""
    while not any((run / "checkpoints").glob(f".step-{step:06d}.*")):
        assert process.poll() is None
    kill_all(process)


def kill_all(process: subprocess.Popen[str]) -> None:
    """torchrun puts its processes in sessions of their own."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="session")
def helpers() -> Any:
    """The functions of this file, for tests (which are no package)."""
    return sys.modules[__name__]
