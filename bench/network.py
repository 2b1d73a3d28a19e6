"""Our network against transformers' Llama on a CPU: training steps interleaved in one run, and memory while loading.

python bench/network.py [--compile]    prints tokens a CPU-second, forward and backward, of the same tiny model, and
                                       megabytes by which a process grows while it loads the same folder
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig

SIZES = LlamaConfig(
    vocab_size=4096,
    hidden_size=256,
    intermediate_size=688,
    num_hidden_layers=6,
    num_attention_heads=8,
    num_key_value_heads=4,
    max_position_embeddings=1024,
)
CONTEXTS = (256, 512)
TOKENS = 2048
ROUNDS = 7
Step = Callable[[torch.Tensor], None]


def backward(logits: Callable[[torch.Tensor], torch.Tensor], bf16: bool) -> Step:
    """Forward and backward pass on ids (B, T + 1)."""

    def step(ids: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = logits(ids[:, :-1])
        F.cross_entropy(found.float().flatten(0, 1), ids[:, 1:].flatten()).backward()

    return step


def networks(folder: Path, compiled: bool) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Ours and transformers', from the same folder; with `compiled`, each also through torch.compile."""
    from transformers import AutoModelForCausalLM

    ours, theirs = weights.load(folder), AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    made: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "ours": ours,
        "transformers": lambda ids: theirs(input_ids=ids, use_cache=False).logits,
    }
    if compiled:
        other = torch.compile(theirs)
        made |= {
            "ours, compiled": torch.compile(ours),
            "transformers, compiled": lambda ids: other(input_ids=ids, use_cache=False).logits,
        }
    return made


def rates(folder: Path, compiled: bool) -> None:
    """Print tokens a CPU-second: median and range over the rounds, the networks taking turns."""
    print("precision context  network                  tokens/CPU-s   (lowest - highest)")
    for bf16 in (False, True):
        for context in CONTEXTS:
            ids = torch.randint(0, SIZES.vocab_size, (TOKENS // context, context + 1))
            steps = {name: backward(found, bf16) for name, found in networks(folder, compiled).items()}
            seconds: dict[str, list[float]] = {name: [] for name in steps}
            for number in range(ROUNDS + 1):
                for name, step in steps.items():
                    started = time.process_time()
                    step(ids)
                    if number:  # the first is a warm-up
                        seconds[name].append(time.process_time() - started)
            for name, found in seconds.items():
                middle, *ends = (TOKENS / x for x in (statistics.median(found), max(found), min(found)))
                kind = "bf16" if bf16 else "fp32"
                print(
                    f"{kind:9s} {context:7d}  {name:24s} {middle:12.0f}   ({ends[0]:.0f} - {ends[1]:.0f})", flush=True
                )


LOAD = """
import sys
from pathlib import Path
import torch
def read(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) / 1024
def load(folder):
    if sys.argv[1] == "ours":
        return weights.load(folder, dtype=getattr(torch, sys.argv[4]))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, sys.argv[4]))
if sys.argv[1] == "ours":
    from llemma.model import weights
else:
    from transformers import AutoModelForCausalLM
load(Path(sys.argv[2]))  # a tiny one: imports are not what is measured
before, started = read("VmRSS"), __import__("time").process_time()
model = load(Path(sys.argv[3]))
for weight in model.parameters():
    weight.data.view(-1)[::512] += 0  # some loaders only map the file: training touches every page
print(read("VmHWM") - before, __import__("time").process_time() - started)
"""


def memory(small: Path, root: Path) -> None:
    """Print how much a process grows at most while it loads a model of half a gigabyte and has touched its weights."""
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=5,
        num_attention_heads=8,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        model = Llama(config)
    model.to_empty(device="cpu")
    print("\nstored    loaded as  network        weights MB  peak MB  peak/weights  CPU-s")
    for stored, loaded in ((torch.float32, "float32"), (torch.bfloat16, "float32"), (torch.bfloat16, "bfloat16")):
        folder = root / str(stored)
        weights.save(model, folder, tokenizer=folder, bos=0, eos=1, dtype=stored)
        size = sum(weight.numel() for weight in model.parameters()) * getattr(torch, loaded).itemsize / 2**20
        for name in ("ours", "transformers"):
            command = [sys.executable, "-c", LOAD, name, str(small), str(folder), loaded]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peak, seconds = map(float, done.stdout.split()[-2:])
            short = str(stored).removeprefix("torch.")
            print(f"{short:9s} {loaded:9s}  {name:13s} {size:11.0f} {peak:8.0f} {peak / size:13.2f} {seconds:6.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compile", action="store_true", help="also compiled (minutes)")
    compiled = parser.parse_args().compile
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        weights.save(Llama(SIZES).init_weights(0), root / "small", tokenizer=root, bos=0, eos=1)
        print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {TOKENS} tokens a step")
        rates(root / "small", compiled)
        memory(root / "small", root)


if __name__ == "__main__":
    main()
