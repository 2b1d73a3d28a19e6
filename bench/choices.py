"""What the mini recipe's size and optimizer buy: the same wall time for each choice, on a finished run's token stores.

python bench/choices.py runs/mini [seconds]     prints validation bits per byte after so many seconds of training
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch

from llemma.core.console import Console
from llemma.core.types import Part
from llemma.reproduce.phases import stores
from llemma.tokens.tokenizer import load
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.loop import Trainer
from llemma.train.metrics import Metrics
from llemma.train.optim import schedule

CHOICES = [(128, "muon", 4e-3), (128, "adamw", 4e-3), (192, "muon", 3e-3), (256, "muon", 3e-3)]
PROBE_STEPS = 20


def trainer(run: Path, out: Path, width: int, optimizer: str, lr: float, steps: int) -> Trainer:
    """A trainer of `steps` steps on the general subset."""
    config = TrainConfig(
        mixture=[Part("general", 1.0)],
        tokens=steps * 6 * 320,  # type: ignore[arg-type]
        context=320,
        batch=6,
        optimizer=optimizer,  # type: ignore[arg-type]
        peak_lr=lr,
        warmup_steps=40,
    )
    shape = ModelConfig(
        hidden_size=width,
        intermediate_size=(8 * width // 3 + 63) // 64 * 64,
        num_hidden_layers=4,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 64,
        max_position_embeddings=512,
    )
    validation = {"general": stores(run / "tokens", "validation")["general"]}
    return Trainer(
        out,
        config,
        tokenizer=load(run / "tokenizer"),
        train=stores(run / "tokens", "train"),
        validation=validation,
        console=Console(quiet=True),
        shape=shape,
    )


def measure(run: Path, width: int, optimizer: str, lr: float, seconds: float) -> tuple[int, int, float]:
    """Parameters, tokens seen and validation bits per byte when the schedule is made to end after `seconds`."""
    with tempfile.TemporaryDirectory() as folder:
        probe = trainer(run, Path(folder), width, optimizer, lr, 1000)
        started = time.monotonic()
        for step in range(PROBE_STEPS):
            probe._step(step)
        steps = int(seconds * PROBE_STEPS / (time.monotonic() - started))
        found = trainer(run, Path(folder), width, optimizer, lr, steps)
        assert schedule(steps - 1, steps, found.config) < lr / 5
        for step in range(steps):
            found._step(step)
        row = found._look(Metrics(Path(folder) / "metrics.jsonl", 0, []), steps)
        return found.plan.parameters, steps * 6 * 320, row["validation"]["general"]


def main(run: Path, seconds: float) -> None:
    """Print the table."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {seconds:.0f} s each")
    print("width optimizer     lr  parameters   tokens  bits per byte (general)")
    for width, optimizer, lr in CHOICES:
        parameters, tokens, bits = measure(run, width, optimizer, lr, seconds)
        print(f"{width:5d} {optimizer:9s} {lr:.0e} {parameters:11,d} {tokens:8,d}  {bits:.3f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
