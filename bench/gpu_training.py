"""Training on one GPU, everything in one call: the rate of matrix products, of training steps, and a real small run.

python bench/gpu_training.py --out results [--only peak,steps,real] [--tokens STORES] [--seconds 500]
python bench/gpu_training.py --out results --tiny            the same in miniature, on a CPU as well

Writes OUT/results.json and OUT/results.md while it goes, and of the real run OUT/{base,math}.jsonl, OUT/curves.csv and,
where matplotlib is there, OUT/curves.svg. Each case of `steps` has a process of its own, so that one that does not fit
ends no other. STORES is a folder of `llemma tokenize` with the subset `general` (code) and others (mathematics).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import torch

from llemma.core.console import Console
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.model import fp8, packing
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import load, train_bpe
from llemma.train import mesh as meshes
from llemma.train import sharding
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.memory import Layout, memory
from llemma.train.objective import Objective
from llemma.train.optim import Optimizers
from llemma.train.plan import flops_per_token, shape_of

CUDA = torch.cuda.is_available()
Facts = dict[str, Any]


def sizes(vocabulary: int, width: int, inner: int, layers: int, heads: int, keys: int) -> LlamaConfig:
    """An untied network of these sizes."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
    )


SHAPES = {  # Llama 3.2 1B's layers with Llama 2's vocabulary; Code Llama 7B
    "1B": sizes(32_000, 2048, 8192, 16, 32, 8),
    "7B": sizes(32_016, 4096, 11_008, 32, 32, 32),
    "tiny": sizes(512, 64, 176, 4, 4, 2),
}
REAL = ModelConfig(
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=16,
    num_attention_heads=12,
    num_key_value_heads=4,
    max_position_embeddings=2048,
)
TINY = msgspec.structs.replace(
    REAL, hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
)
_1B = {"shape": "1B", "micro_batch": 8, "loss_chunk": 4096, "compile": True}
_7B = {"shape": "7B", "micro_batch": 2, "loss_chunk": 2048, "compile": True, "checkpointing": "full"}
CASES: dict[str, Facts] = {
    "1B, autocast": _1B | {"sharded": False},
    "1B": _1B,
    "1B, not compiled": _1B | {"compile": False},
    "1B, 16 windows, selective": _1B | {"micro_batch": 16, "checkpointing": "selective"},
    "1B, documents": _1B | {"document_mask": True},
    "1B, float8": _1B | {"precision": "fp8"},
    "7B": _7B,
    "7B, 1 window, selective": _7B | {"micro_batch": 1, "checkpointing": "selective"},
    "7B, documents": _7B | {"document_mask": True},
    "7B, float8": _7B | {"precision": "fp8"},
}
_TINY = {"shape": "tiny", "micro_batch": 2, "loss_chunk": 64, "context": 128}
TINY_CASES: dict[str, Facts] = {
    "tiny, autocast": _TINY | {"sharded": False},
    "tiny": _TINY,
    "tiny, documents": _TINY | {"document_mask": True, "checkpointing": "selective"},
    **({"tiny, float8": _TINY | {"precision": "fp8"}} if CUDA else {}),
}


# matrix products


def wait() -> None:
    """Until the GPU has done what it was told."""
    if CUDA:
        torch.cuda.synchronize()


def timed(work: Callable[[], object], least: float) -> float:
    """Median seconds of `work`, repeated for at least `least` seconds and five times after two that do not count."""
    times, began = list[float](), time.perf_counter()
    while len(times) < 7 or time.perf_counter() - began < least:
        wait()
        started = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - started)
    return median(times[2:])


def peak(tiny: bool) -> Facts:
    """FLOP/s of square products by size, in bfloat16 and, where the machine can, in float8; the best of each."""
    device, found = "cuda" if CUDA else "cpu", dict[str, dict[str, float]](bf16={}, fp8={})
    for size in (128, 256) if tiny else (4096, 8192, 16_384):
        a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
        out = torch.empty_like(a)
        work: dict[str, Callable[[], object]] = {"bf16": partial(torch.mm, a, b, out=out)}
        if CUDA and torch.cuda.get_device_capability() >= fp8.CAPABILITY:
            one, two = fp8.quantised(a, fp8.E4M3), fp8.quantised(b, fp8.E4M3)
            work["fp8"] = partial(fp8.product, one, two, torch.bfloat16)
        for kind, call in work.items():
            found[kind][str(size)] = 2 * size**3 / timed(call, 0.01 if tiny else 1.0)
    return {"bf16": max(found["bf16"].values()), "fp8": max(found["fp8"].values(), default=0.0), "by_size": found}


# training steps


def network(shape: LlamaConfig, config: TrainConfig, mesh: meshes.Mesh) -> Objective:
    """The objective as `train.sharding.lay_out` makes it, with weights drawn where they lie."""
    with torch.device("meta"):
        model = Llama(shape)
    objective = Objective(model, config, autocast=not mesh.distributed)
    if mesh.distributed:
        sharding._shard(objective, mesh)
    else:
        objective.to_empty(device=mesh.device)
        model.tie()
        sharding._prepare(objective)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            local = sharding.slice_of(weight).local
            local.fill_(1.0) if "norm" in name else local.normal_(0.0, 0.02)
    return objective


def settings(case: Facts) -> TrainConfig:
    """The training section that a case stands for: one micro-batch a step."""
    plain = {name: value for name, value in case.items() if name not in ("shape", "sharded", "context", "steps")}
    context, windows = case.get("context", 4096), case["micro_batch"]
    return TrainConfig(mixture=[], tokens=Count(context * windows), context=context, batch=windows, **plain)


def step_of(objective: Objective, optimizers: Optimizers, config: TrainConfig, device: torch.device) -> None:
    """One optimizer step on random tokens, in documents of 700 on average where attention stays within them."""
    windows = torch.randint(0, 500, (config.batch, config.context + 1)).to(device, non_blocking=True)
    documents = (torch.rand(windows.shape) < 1 / 700).cumsum(1) if config.document_mask else None
    minimised, _ = objective(windows, documents)
    (minimised / (config.batch * config.context)).backward()
    torch.nn.utils.clip_grad_norm_(objective.parameters(), config.clip)
    optimizers.step(1e-5)


def steps(case: Facts) -> Facts:
    """Rate, share of `FLOPs` a token, seconds to the first step and memory of a case, in this process."""
    config, shape = settings(case), SHAPES[case["shape"]]
    with ExitStack() as stack:
        if case.get("sharded", True):  # FSDP2 on one process: the network computes in bfloat16 throughout
            address = {
                "RANK": "0",
                "WORLD_SIZE": "1",
                "LOCAL_RANK": "0",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": "0",
            }
            os.environ.update(address)
            stack.enter_context(meshes.opened())
        mesh = meshes.current()
        began = time.perf_counter()
        objective = network(shape, config, mesh)
        optimizers = Optimizers(objective.network, config)
        step_of(objective, optimizers, config, mesh.device)
        wait()
        first = time.perf_counter() - began
        each = timed(
            lambda: step_of(objective, optimizers, config, mesh.device), case.get("steps", 12.0 if CUDA else 0.1)
        )
        held = torch.cuda.max_memory_allocated() if CUDA else 0
    layout = Layout(micro_batch=config.micro_batch, checkpointing=config.checkpointing, loss_chunk=config.loss_chunk)
    outline = shape_of(shape, shape.vocab_size)
    rate = config.batch * config.context / each
    return {
        "tokens_per_second": rate,
        "flops": rate * flops_per_token(outline, config.context),
        "first_step": first,
        "memory": held,
        "planned": memory(outline, config, layout, cpu=not CUDA).peak,
        "documents": packing.way(mesh.device, half=True, slides=False) if config.document_mask else "",
    }


def alone(case: Facts, limit: float) -> Facts:
    """`steps` in a process of its own; `error` where it ends otherwise."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {limit:.0f} s"}
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if "Error" in line] or ["ended without a word"]
        return {"error": said[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


# a real run


def small_stores(root: Path) -> Path:
    """Two subsets for the miniature: this repository's code, and sums."""
    code = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))[:12]]
    sums = [f"{i} plus {i} is {2 * i}. " * (1 + i % 9) for i in range(300)]
    train_bpe([*code, *sums], 512, root / "tokenizer")
    tokenizer = load(root / "tokenizer")
    for name, texts in (("general", code), ("sums", sums)):
        write_store(texts, tokenizer, root / name / "train")
        write_store(texts[:8], tokenizer, root / name / "validation")
    return root


def phases(names: list[str], tokens: tuple[int, int], context: int, batch: int, tiny: bool) -> dict[str, TrainConfig]:
    """Code first; then mathematics, one window in twenty of code, from the first one's weights."""
    rest = [name for name in names if name != "general"]
    common: Facts = {
        "context": context,
        "batch": batch,
        "micro_batch": min(batch, 2 if tiny else 16),
        "loss_chunk": 0 if tiny else 4096,
        "compile": CUDA,
        "log_every": 1 if tiny else 10,
        "validate_every": 4 if tiny else 100,
        "checkpoint_every": 1000,
        "warmup_steps": 2 if tiny else 100,
        "document_mask": True,
    }
    mixed = [Part("general", 0.05, 100.0), *(Part(name, 0.95 / len(rest), 100.0) for name in rest)]
    base = TrainConfig(mixture=[Part("general", 1.0, 100.0)], tokens=Count(tokens[0]), peak_lr=1e-3, **common)
    return {"base": base, "math": TrainConfig(mixture=mixed, tokens=Count(tokens[1]), peak_lr=5e-4, **common)}


def real(stores: Path, out: Path, tokens: tuple[int, int], tiny: bool) -> Facts:
    """Train both phases; the last validation of each, and where the curves lie."""
    from llemma.train.loop import Trainer

    found: dict[str, dict[str, Store]] = {}
    for split in ("train", "validation"):
        found[split] = {path.parent.name: Store(path) for path in sorted(stores.glob(f"*/{split}"))}
    context, batch = (64, 4) if tiny else (2048, 64)
    plan = phases(list(found["train"]), tokens, context, batch, tiny)
    facts: Facts = {}
    with tempfile.TemporaryDirectory() as folder:
        init: Path | None = None
        for name, config in plan.items():
            began = time.perf_counter()
            run = Path(folder) / name
            shape = None if init else TINY if tiny else REAL
            trainer = Trainer(
                run,
                config,
                tokenizer=load(stores / "tokenizer"),
                train=found["train"],
                validation=found["validation"],
                console=Console(quiet=True),
                init=init,
                shape=shape,
            )
            facts[name] = trainer.train() | {
                "seconds": time.perf_counter() - began,
                "parameters": trainer.plan.parameters,
            }
            shutil.copyfile(run / "metrics.jsonl", out / f"{name}.jsonl")
            init = run / "final"
    curves(out)
    return facts


def curves(out: Path) -> None:
    """The losses and validations of both phases in one table, and drawn."""
    rows = []
    for phase in ("base", "math"):
        for line in (out / f"{phase}.jsonl").read_bytes().splitlines():
            row = msgspec.json.decode(line)
            values = row.get("validation") or ({"training": row["loss"]} if "loss" in row else {})
            rows += [(phase, row["step"], row.get("tokens", 0), name, value) for name, value in values.items()]
    with open(out / "curves.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("phase", "step", "tokens", "what", "value"), *rows])
    try:
        from matplotlib import pyplot
    except ImportError:
        return

    figure, both = pyplot.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    for axis, phase in zip(both, ("base", "math"), strict=True):
        for name in sorted({row[3] for row in rows if row[0] == phase and row[3] != "training"}):
            points = [(row[2] / 1e6, row[4]) for row in rows if row[0] == phase and row[3] == name]
            axis.plot(*zip(*points, strict=True), label=name)
        axis.set(title=phase, xlabel="million tokens")
    both[0].set_ylabel("validation, bits a byte")
    both[1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out / "curves.svg", metadata={"Date": None})


# the report


def text(results: Facts) -> str:
    """The results as Markdown."""
    lines = [f"{results['device']}, torch {results['torch']}", ""]
    best = results.get("peak", {}).get("bf16")
    if best:
        lines += [
            f"Matrix products: {best / 1e12:.1f} TFLOP/s in bf16, {results['peak']['fp8'] / 1e12:.1f} in fp8.",
            "",
        ]
    if "steps" in results:
        head = "case | tokens/s | TFLOP/s | of the peak | memory GB | planned GB | first step s"
        lines += [f"| {head} |", "|---" * 7 + "|"]
        lines += [_row(name, facts, best) for name, facts in results["steps"].items()]
    if "real" in results:
        base, after = (results["real"][name] for name in ("base", "math"))
        lines += ["", f"{after['parameters']:,} weights; bits a byte of held-out text.", ""]
        lines += ["| subset | base | math |", "|---|---|---|"]
        pairs = ((name, value, after["validation"][name]) for name, value in base["validation"].items())
        lines += [f"| {name} | {one:.3f} | {two:.3f} |" for name, one, two in pairs]
        lines += ["", f"{base['seconds']:.0f} s and {after['seconds']:.0f} s, start and compiling included."]
    return "\n".join(lines) + "\n"


def _row(name: str, facts: Facts, best: float | None) -> str:
    if "error" in facts:
        return f"| {name} | {facts['error'].replace('|', '/')} | | | | | |"
    share = f"{100 * facts['flops'] / best:.1f} %" if best else ""
    sizes = f"{facts['memory'] / 1e9:.1f} | {facts['planned'] / 1e9:.1f}"
    rate = f"{facts['tokens_per_second']:,.0f} | {facts['flops'] / 1e12:.1f}"
    return f"| {name} | {rate} | {share} | {sizes} | {facts['first_step']:.0f} |"


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", default="peak,steps,real")
    parser.add_argument("--match", default="", help="only the cases of `steps` whose names hold this")
    parser.add_argument("--tokens", type=Path, help="token stores of the real run")
    parser.add_argument("--train", type=int, nargs=2, default=(60_000_000, 40_000_000), metavar=("BASE", "MATH"))
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for one case of `steps`")
    parser.add_argument("--seconds", type=float, default=540.0, help="no case of `steps` begins after so many")
    parser.add_argument("--case")
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(steps(json.loads(asked.case))))
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    began, parts = time.monotonic(), asked.only.split(",")
    results: Facts = {"device": torch.cuda.get_device_name() if CUDA else "a CPU", "torch": torch.__version__}

    def keep(name: str, found: Facts) -> None:
        results[name] = found
        (asked.out / "results.json").write_text(json.dumps(results, indent=1))
        (asked.out / "results.md").write_text(text(results))

    if "peak" in parts:
        keep("peak", peak(asked.tiny))
    if "real" in parts and (asked.tiny or asked.tokens):
        with tempfile.TemporaryDirectory() as folder:
            stores = asked.tokens or small_stores(Path(folder))
            keep("real", real(stores, asked.out, (2048, 2048) if asked.tiny else tuple(asked.train), asked.tiny))
    for name, case in (TINY_CASES if asked.tiny else CASES).items() if "steps" in parts else ():
        if asked.match in name and time.monotonic() - began < asked.seconds:
            keep("steps", results.get("steps", {}) | {name: alone(case, asked.limit)})
    print(text(results))


if __name__ == "__main__":
    main()
