"""Plain products against PyTorch's fused attention on a CPU: whole training steps of a small model, interleaved.

python bench/attention.py        prints median milliseconds a step and their ratio, for several context lengths
"""

from __future__ import annotations

import statistics
import time

import torch
import torch.nn.functional as F

from llemma.model import llama
from llemma.model.llama import Llama, LlamaConfig
from llemma.train.config import TrainConfig
from llemma.train.optim import Optimizers

TOKENS = 1920
CONTEXTS = (160, 320, 640, 960)
ROUNDS = 25


def step(model: Llama, optimizers: Optimizers, ids: torch.Tensor) -> float:
    """Milliseconds of one training step in bfloat16."""
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(ids[:, :-1])
    F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizers.step(1e-3)
    return 1000 * (time.perf_counter() - started)


def mini(context: int) -> tuple[Llama, Optimizers]:
    """A model of the mini recipe's size, and its optimizers."""
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        max_position_embeddings=context,
    )
    model = Llama(config).init_weights(0)
    settings = TrainConfig(mixture=[], tokens=1, context=context, batch=1, optimizer="muon")  # type: ignore[arg-type]
    return model, Optimizers(model, settings)


def compare(context: int) -> tuple[float, float]:
    """Median milliseconds of a step with plain and with fused attention."""
    model, optimizers = mini(context)
    ids = torch.randint(0, 2048, (TOKENS // context, context + 1))
    times: dict[int, list[float]] = {4096: [], 0: []}
    for _ in range(ROUNDS):
        for limit, found in times.items():
            llama.PLAIN_ATTENTION_POSITIONS = limit
            found.append(step(model, optimizers, ids))
    return statistics.median(times[4096][2:]), statistics.median(times[0][2:])


def main() -> None:
    """Print the table."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {TOKENS} tokens a step")
    print("context   plain   fused  fused/plain")
    for context in CONTEXTS:
        plain, fused = compare(context)
        print(f"{context:7d} {plain:7.1f} {fused:7.1f} {fused / plain:12.2f}", flush=True)


if __name__ == "__main__":
    main()
