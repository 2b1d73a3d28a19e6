"""The plan beside measurements: memory of a real training step on this CPU, and FLOPs as torch's counter sees them.

python bench/plan.py            prints one line a shape (about a minute)
python bench/plan.py --rss      also the growth of the process, each shape in a process of its own

Measured memory is the peak of all tensors alive in the second step (weights, gradients, optimizer states, activations),
followed by a dispatch mode that sees every storage begin and end. The process grows by more: blocks that the C library
keeps, threads' buffers of the matrix products, code loaded at the first step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import weakref
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from llemma.core.console import Console
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.tokens.store import Store, StoreInfo
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.loop import Trainer
from llemma.train.memory import Layout, Memory, memory
from llemma.train.plan import flops_per_token
from llemma.train.shapes import Shape, multiplying, shape_of

Case = dict[str, Any]
# width, inner width, layers, heads, key heads, vocabulary, tied; windows, micro-batch, context; precision, optimizer
FIELDS = [
    *("width", "inner", "layers", "heads", "keys", "vocabulary", "tied"),
    *("batch", "micro", "context", "precision", "optimizer"),
]
CASES: dict[str, Case] = {
    "small, fp32": dict(zip(FIELDS, (64, 176, 4, 4, 2, 1024, False, 4, 2, 256, "fp32", "adamw"), strict=True)),
    "small, bf16": dict(zip(FIELDS, (64, 176, 4, 4, 2, 1024, False, 4, 2, 512, "bf16", "adamw"), strict=True)),
    "mini, bf16, short": dict(zip(FIELDS, (128, 384, 4, 4, 2, 2048, True, 6, 6, 320, "bf16", "muon"), strict=True)),
    "deep, fp32": dict(zip(FIELDS, (96, 256, 12, 6, 6, 256, True, 4, 1, 256, "fp32", "adamw"), strict=True)),
    "wide, few tokens": dict(zip(FIELDS, (512, 1408, 2, 8, 8, 2048, False, 2, 1, 64, "fp32", "adamw"), strict=True)),
}
LARGE: dict[str, Case] = {  # the shape of docs/benchmarks.md, 10 M weights
    "10 M, fp32": dict(zip(FIELDS, (256, 688, 8, 8, 4, 8192, False, 4, 4, 512, "fp32", "adamw"), strict=True)),
    "10 M, bf16": dict(zip(FIELDS, (256, 688, 8, 8, 4, 8192, False, 4, 4, 512, "bf16", "adamw"), strict=True)),
}


def settings(case: Case) -> tuple[ModelConfig, TrainConfig]:
    """The sections of a recipe for a case; four steps long."""
    model = ModelConfig(
        hidden_size=case["width"],
        intermediate_size=case["inner"],
        num_hidden_layers=case["layers"],
        num_attention_heads=case["heads"],
        num_key_value_heads=case["keys"],
        tie_word_embeddings=case["tied"],
        max_position_embeddings=case["context"],
    )
    train = TrainConfig(
        mixture=[Part("a", 1.0, 1000.0)],
        tokens=Count(4 * case["batch"] * case["context"]),
        context=case["context"],
        batch=case["batch"],
        micro_batch=case["micro"],
        precision=case["precision"],
        optimizer=case["optimizer"],
    )
    return model, train


def planned(case: Case) -> tuple[Shape, Memory]:
    """The plan for a case."""
    model, train = settings(case)
    shape = shape_of(model, case["vocabulary"])
    return shape, memory(shape, train, Layout(micro_batch=case["micro"]), cpu=True)


def trainer(case: Case, folder: Path) -> Trainer:
    """A trainer of the real loop on random tokens."""
    model, train = settings(case)
    store = folder / "store"
    store.mkdir()
    ids = np.random.default_rng(0).integers(0, case["vocabulary"], 8 * case["context"] + 1, dtype=np.uint16)
    ids.tofile(store / "tokens.bin")
    np.array([0, len(ids)], dtype="<u8").tofile(store / "docs.idx")
    info = StoreInfo(1, len(ids), len(ids), "uint16", case["vocabulary"], "random")
    (store / "store.json").write_bytes(msgspec.json.encode(info))
    tokenizer: Any = SimpleNamespace(vocab_size=case["vocabulary"], digest="random", path=folder / "tokenizer.json")
    quiet = Console(quiet=True, stream=StringIO())
    stores = {"a": Store(store)}
    return Trainer(folder / "run", train, tokenizer=tokenizer, train=stores, validation={}, console=quiet, shape=model)


class Alive(TorchDispatchMode):
    """Counts the bytes of all storages that any operation has returned and that still exist."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0

    def add(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage from now on."""
        storage = tensor.untyped_storage()
        key = int(storage._cdata)
        if key not in self.sizes:
            self.sizes[key] = storage.nbytes()
            self.now += self.sizes[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return result


def measured(case: Case) -> int:
    """Peak bytes of tensors alive in the second training step."""
    with tempfile.TemporaryDirectory() as folder:
        found = trainer(case, Path(folder))
        found._step(0)
        with Alive() as alive:
            for weight in found.model.parameters():
                alive.add(weight)
            for part in found.optimizers.parts:
                for state in part.state.values():
                    for value in tree_leaves(state):
                        if isinstance(value, torch.Tensor):
                            alive.add(value)
            found._step(1)
    return alive.peak


def counted_flops(case: Case) -> tuple[float, float]:
    """FLOPs of one step in `mm` (products with weights) and `bmm` (plain attention), as torch's counter sees them."""
    with tempfile.TemporaryDirectory() as folder:
        found = trainer({**case, "optimizer": "adamw"}, Path(folder))  # Muon's own products are no part of the plan
        with FlopCounterMode(display=False) as counter:
            found._step(0)
    counts = {str(operation): flops for operation, flops in counter.get_flop_counts()["Global"].items()}
    return counts.get("aten.mm", 0), counts.get("aten.bmm", 0)


def planned_flops(case: Case) -> tuple[float, float]:
    """The plan's FLOPs of one step: products with weights, and attention over the full square."""
    shape, tokens = planned(case)[0], case["batch"] * case["context"]
    products = 6.0 * multiplying(shape) * tokens
    return products, flops_per_token(shape, case["context"], causal=False) * tokens - products


def growth(case: Case) -> int:
    """Bytes by which this process grows from before the model is made to its peak in two steps."""
    with tempfile.TemporaryDirectory() as folder:
        before = status("VmRSS")
        found = trainer(case, Path(folder))
        found._step(0)
        found._step(1)
    return status("VmHWM") - before


def status(field: str) -> int:
    """Bytes of a line of /proc/self/status: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def in_a_process(name: str) -> int:
    """`growth` of a case in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", name], capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rss", action="store_true")
    parser.add_argument("--one")
    options = parser.parse_args()
    cases = {**CASES, **LARGE}
    if options.one:
        print(growth(cases[options.one]))
        return
    print(f"{'shape':20s} planned MB  measured MB  difference  products counted / planned  process MB")
    for name, case in cases.items():
        plan, real = planned(case)[1].peak, measured(case)
        flops = counted_flops(case)[0] / planned_flops(case)[0]
        process = f"{in_a_process(name) / 1e6:.0f}" if options.rss else "-"
        print(
            f"{name:20s} {plan / 1e6:10.1f} {real / 1e6:12.1f} {plan / real - 1:+11.1%} {flops:27.4f} {process:>11s}",
            flush=True,
        )


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
