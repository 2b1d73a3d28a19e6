"""Our training loop against transformers' Trainer and a plain loop around transformers' Llama, on a CPU, in one run.

python bench/training.py [--rounds 3] [--compile] [--precision bf16]      without --precision: bf16 and fp32

All train the same 3.7 million weights on the same tokens with the same settings (AdamW, clipping, autocast), taking
turns, each turn in a process of its own; with `--compile`, compiled ones take turns with the others. Prints tokens a
CPU-second (the median step of a turn; median and range of the turns), peak memory, and the time from the command
`llemma train` to its first step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise, product
from pathlib import Path
from typing import Any

STEPS, BATCH, CONTEXT, VOCABULARY = 12, 4, 256, 4096
SIZES = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
STACKS = ("ours", "transformers, plain loop", "transformers, Trainer")


def prepare(root: Path) -> None:
    """A tokenizer of single letters, a store of random tokens, and a checkpoint to start from."""
    import numpy as np
    from tokenizers import Tokenizer, models

    from llemma.core.files import file_digest
    from llemma.model import weights
    from llemma.model.llama import Llama, LlamaConfig
    from llemma.tokens import tokenizer as tokenizers
    from llemma.tokens.store import StoreInfo

    words = {tokenizers.BOS: 0, tokenizers.EOS: 1} | {f"w{i}": i for i in range(2, VOCABULARY)}
    (root / "tokens" / "tokenizer").mkdir(parents=True)
    Tokenizer(models.WordLevel(words, unk_token="w2")).save(str(root / "tokens" / "tokenizer" / "tokenizer.json"))
    marks = {"bos_token": tokenizers.BOS, "eos_token": tokenizers.EOS}
    (root / "tokens" / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(marks))
    folder, count = root / "tokens" / "a" / "train", 200_000
    folder.mkdir(parents=True)
    np.random.default_rng(0).integers(2, VOCABULARY, count).astype("<u2").tofile(folder / "tokens.bin")
    np.array([0, count], dtype="<u8").tofile(folder / "docs.idx")
    made = file_digest(root / "tokens" / "tokenizer" / "tokenizer.json")
    info = StoreInfo(1, count, 4 * count, "uint16", VOCABULARY, made)
    (folder / "store.json").write_bytes(__import__("msgspec").json.encode(info))
    model = Llama(LlamaConfig(vocab_size=VOCABULARY, **SIZES)).init_weights(0)
    weights.save(model, root / "model", tokenizer=root / "tokens" / "tokenizer", bos=0, eos=1)
    (root / "recipe.toml").write_text(recipe(root))


def recipe(root: Path) -> str:
    """The same training as a recipe, for the time to the first step."""
    return f"""
[data]
tokens = "{root}/tokens"
[train.base]
init = "{root}/model"
parity_check = false
mixture = [{{ source = "a", weight = 1.0, max_epochs = 9 }}]
tokens = {STEPS * BATCH * CONTEXT}
context = {CONTEXT}
batch = {BATCH}
log_every = 1
"""


def ours(root: Path, precision: str, compiled: bool) -> list[float]:
    """CPU seconds at the end of each step of our loop."""
    import tempfile

    from llemma.core.console import Console
    from llemma.core.recipe import Count
    from llemma.core.types import Part
    from llemma.tokens.store import Store
    from llemma.tokens.tokenizer import load
    from llemma.train.config import TrainConfig
    from llemma.train.loop import Trainer

    config = TrainConfig(
        mixture=[Part("a", 1.0, 9.0)],
        tokens=Count(STEPS * BATCH * CONTEXT),
        context=CONTEXT,
        batch=BATCH,
        precision="bf16" if precision == "bf16" else "fp32",
        compile=compiled,
        warmup_steps=1,
    )
    ticks: list[float] = []

    class Timed(Trainer):
        def _step(self, step: int) -> Any:
            done = super()._step(step)
            ticks.append(time.process_time())
            return done

    with tempfile.TemporaryDirectory() as out:
        store = {"a": Store(root / "tokens" / "a" / "train")}
        found = Timed(
            Path(out) / "run",
            config,
            tokenizer=load(root / "tokens" / "tokenizer"),
            train=store,
            validation={},
            console=Console(quiet=True),
            init=root / "model",
        )
        found.train()
    return ticks


def rows(root: Path) -> Any:
    """The token rows that the other stacks train on: (windows, CONTEXT + 1)."""
    import numpy as np
    import torch

    ids = np.fromfile(root / "tokens" / "a" / "train" / "tokens.bin", dtype="<u2").astype(np.int64)
    return torch.from_numpy(ids[: len(ids) // (CONTEXT + 1) * (CONTEXT + 1)].reshape(-1, CONTEXT + 1))


def plain_loop(root: Path, precision: str, compiled: bool) -> list[float]:
    """As most people write it: forward, loss, backward, clip, step."""
    import torch
    import torch.nn.functional as F
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward, data, ticks = torch.compile(model) if compiled else model, rows(root), []
    for step in range(STEPS):
        batch = data[step * BATCH : (step + 1) * BATCH]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = forward(input_ids=batch[:, :-1], use_cache=False).logits
        F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ticks.append(time.process_time())
    return ticks


def trainer(root: Path, precision: str, compiled: bool) -> list[float]:
    """transformers' Trainer (needs accelerate)."""
    import torch
    from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

    ticks: list[float] = []

    class Ticks(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ticks.append(time.process_time())

    model = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.float32)
    data = [{"input_ids": row[:-1], "labels": row[:-1]} for row in rows(root)]
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out,
            max_steps=STEPS,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-4,
            adam_beta2=0.95,
            weight_decay=0.1,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            bf16=precision == "bf16",
            torch_compile=compiled,
            use_cpu=True,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        Trainer(model, arguments, train_dataset=data, callbacks=[Ticks()]).train()
    return ticks


def measure(stack: str, root: Path, precision: str, compiled: bool) -> dict[str, float]:
    """Tokens a CPU-second of the median step but the first two, and this process' peak memory in megabytes."""
    ticks = dict(zip(STACKS, (ours, plain_loop, trainer), strict=True))[stack](root, precision, compiled)
    step = statistics.median(after - before for before, after in pairwise(ticks[1:]))
    return {"rate": BATCH * CONTEXT / step, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def turn(stack: str, root: Path, precision: str, compiled: bool) -> dict[str, float] | None:
    """`measure` in a process of its own; None where the stack is not installed."""
    command = [sys.executable, __file__, "--one", stack, "--root", str(root), "--precision", precision]
    found = subprocess.run([*command, *(["--compile"] if compiled else [])], capture_output=True, text=True)
    if found.returncode:
        print(f"{stack}: {found.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(found.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def to_first_step(root: Path) -> float:
    """Seconds from the start of `llemma train` to the first row of its metrics."""
    metrics = root / "first" / "base" / "metrics.jsonl"
    started = time.monotonic()
    command = [sys.executable, "-m", "llemma", "train", str(root / "recipe.toml"), "--out", str(root / "first"), "-q"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (metrics.is_file() and metrics.stat().st_size) and process.poll() is None:
        time.sleep(0.01)
    passed = time.monotonic() - started
    process.wait()
    return passed


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--one", choices=STACKS)
    parser.add_argument("--root", type=Path)
    asked = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if asked.one:
        print(json.dumps(measure(asked.one, asked.root, asked.precision, asked.compile)))
        return
    kinds = list(
        product([asked.precision] if asked.precision else ["bf16", "fp32"], [False, True][: 1 + asked.compile])
    )
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        found: dict[tuple[str, bool, str], list[dict[str, float]]] = {}
        for _ in range(asked.rounds):
            for (precision, compiled), stack in product(kinds, STACKS):
                result = turn(stack, Path(folder), precision, compiled)
                found.setdefault((precision, compiled, stack), []).extend([result] if result else [])
        print(f"{os.getloadavg()[0]:.1f} processes running")
        for (precision, compiled, stack), results in found.items():
            if results:
                print(f"{precision}{', compiled' if compiled else '':10} {line(stack, results)}")
        print(f"first step after {to_first_step(Path(folder)):.1f} s")


def line(stack: str, results: list[dict[str, float]]) -> str:
    """Median and range of the turns of a stack."""
    rates = sorted(result["rate"] for result in results)
    memory = statistics.median(result["memory"] for result in results)
    return (
        f"{stack:26} {statistics.median(rates):8.0f} tokens/CPU-s ({rates[0]:.0f} - {rates[-1]:.0f}) {memory:6.0f} MB"
    )


if __name__ == "__main__":
    main()
