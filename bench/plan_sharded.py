"""The plan of a sharded step beside a measured one: FSDP2 on two processes of this machine (gloo).

python -m torch.distributed.run --nproc-per-node 2 bench/plan_sharded.py        prints one JSON line a shape

Measured are the bytes that PyTorch's CPU allocator hands out in a step, on top of the weights and optimizer states that
lie there before it: gathered weights, gradients and activations as they come and go. How many gathered layers and
waiting gradients there are at once depends on how the processes keep pace: the median of five steps counts.
"""

from __future__ import annotations

import json
import statistics

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.profiler import ProfilerActivity, profile

from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.model.llama import Llama, LlamaConfig
from llemma.train.config import TrainConfig
from llemma.train.memory import Layout, memory
from llemma.train.shapes import shape_of

STEPS = 5
# width, inner width, layers, heads, key heads, vocabulary; windows a micro-batch, context, micro-batches; precision
CASES = [
    ((256, 688, 8, 8, 4, 2048), (1, 256, 2), "fp32"),
    ((256, 688, 8, 8, 4, 2048), (1, 512, 2), "bf16"),
    ((128, 384, 6, 4, 4, 4096), (2, 512, 1), "bf16"),
]


def network(sizes: tuple[int, ...], context: int) -> Llama:
    """A network with random weights."""
    width, inner, layers, heads, keys, vocabulary = sizes
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        max_position_embeddings=context,
    )
    return Llama(config).init_weights(0)


def sharded(model: Llama, precision: str) -> Llama:
    """The network with each layer and the rest sharded over all processes, computing in `precision`."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    return model


def loss(model: Llama, ids: Tensor) -> Tensor:
    """Summed negative log-likelihood; logits live no longer than in here."""
    return F.cross_entropy(model(ids[:, :-1]).float().flatten(0, 1), ids[:, 1:].flatten(), reduction="sum")


def step(model: Llama, optimizer: torch.optim.Optimizer, ids: Tensor, accumulation: int) -> None:
    """One optimizer step."""
    for _ in range(accumulation):
        loss(model, ids).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def allocated(work: profile) -> int:
    """The highest sum of what the allocator gave and took back during a profile, in bytes."""
    assert work.profiler is not None
    events = [event for event in work.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def compare(sizes: tuple[int, ...], windows: tuple[int, int, int], precision: str) -> dict[str, float]:
    """Planned and measured peak of one process, bytes."""
    micro, context, accumulation = windows
    model, ranks = sharded(network(sizes, context), precision), dist.get_world_size()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    ids = torch.randint(0, sizes[-1], (micro, context + 1))
    step(model, optimizer, ids, accumulation)
    peaks = []
    for _ in range(STEPS):
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as work:
            step(model, optimizer, ids, accumulation)
        peaks.append(allocated(work))
    config = TrainConfig(
        mixture=[Part("a", 1.0)],
        tokens=Count(1),
        context=context,
        batch=micro * ranks * accumulation,
        precision="bf16" if precision == "bf16" else "fp32",
    )
    plan = memory(shape_of(model.config, sizes[-1]), config, Layout(shard=ranks, micro_batch=micro), cpu=True)
    return {"planned": plan.peak, "measured": statistics.median(peaks) + plan.weights + plan.optimizer}


def main() -> None:
    """Print a line for each case from the first process."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for sizes, windows, precision in CASES:
        found = compare(sizes, windows, precision)
        if dist.get_rank() == 0:
            print(json.dumps({"sizes": sizes, "windows": windows, "precision": precision, **found}), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
