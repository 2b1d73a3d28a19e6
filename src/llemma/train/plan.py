"""What a training phase will cost, told before it starts and without torch."""

from __future__ import annotations

import msgspec

from llemma.tokens.mixture import Share
from llemma.train.config import TrainConfig
from llemma.train.memory import Layout, memory
from llemma.train.schedule import steps_of
from llemma.train.shapes import Shape, multiplying, parameters, shape_of

__all__ = ["Shape", "TrainPlan", "flops_per_token", "parameters", "plan", "shape_of"]


class TrainPlan(msgspec.Struct, frozen=True):
    """`plan.json`: sizes and costs. `flops` counts the forward and backward pass over all `tokens`; `memory` is the
    peak in bytes of one process that computes alone."""

    parameters: int
    steps: int
    tokens: int
    flops: float
    memory: int
    mixture: list[Share] = []


def flops_per_token(shape: Shape, context: int, *, causal: bool = True) -> float:
    """6 FLOPs for each weight that multiplies (head included, embedding look-up not), and 12 * layers * width * context
    for attention (PaLM, arXiv 2204.02311, appendix B), halved where only what the causal mask leaves is counted."""
    attention = 12.0 * shape.num_hidden_layers * shape.query_size * context
    return 6.0 * multiplying(shape) + (attention / 2 if causal else attention)


def plan(config: TrainConfig, shape: Shape, mixture: list[Share] | None = None, *, cpu: bool = False) -> TrainPlan:
    """Sizes and costs of a phase; `cpu`: memory as PyTorch's CPU kernels need it."""
    steps = steps_of(config)
    tokens = steps * config.batch * config.context
    alone = Layout(micro_batch=config.micro_batch or config.batch)
    return TrainPlan(
        parameters=parameters(shape),
        steps=steps,
        tokens=tokens,
        flops=tokens * flops_per_token(shape, config.context),
        memory=memory(shape, config, alone, cpu=cpu).peak,
        mixture=mixture or [],
    )
