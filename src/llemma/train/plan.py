"""What a training phase will cost, told before it starts and without torch."""

from __future__ import annotations

import msgspec

from llemma.tokens.mixture import Share
from llemma.train.config import TrainConfig


class Shape(msgspec.Struct, frozen=True):
    """The sizes that decide the cost; field names as in `config.json`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    tie_word_embeddings: bool


class TrainPlan(msgspec.Struct, frozen=True):
    """`plan.json`: sizes and costs. `flops` counts the forward and backward pass over all `tokens`, `memory` bytes."""

    parameters: int
    steps: int
    tokens: int
    flops: float
    memory: int
    mixture: list[Share] = []


def shape_of(model: object, vocab_size: int) -> Shape:
    """The sizes of a model that `[model]` or a network's own config describes, with its vocabulary."""
    names = [name for name in Shape.__struct_fields__ if name != "vocab_size"]
    return Shape(vocab_size=vocab_size, **{name: getattr(model, name) for name in names})


def parameters(shape: Shape) -> int:
    """Number of weights of a Llama of this shape."""
    return layer_parameters(shape) + shape.vocab_size * shape.hidden_size * (1 if shape.tie_word_embeddings else 2)


def layer_parameters(shape: Shape) -> int:
    """Weights in layers and norms: everything but embedding and head."""
    head = shape.hidden_size // shape.num_attention_heads
    attention = 2 * shape.hidden_size * head * (shape.num_attention_heads + shape.num_key_value_heads)
    mlp = 3 * shape.hidden_size * shape.intermediate_size
    norms = 2 * shape.hidden_size
    return shape.num_hidden_layers * (attention + mlp + norms) + shape.hidden_size


def flops_per_token(shape: Shape, context: int) -> float:
    """6 FLOPs for each weight that multiplies (head included, embedding look-up not) and 6 * layers * width * context
    for causal attention (PaLM, appendix B, halved for the causal mask)."""
    multiplying = layer_parameters(shape) + shape.vocab_size * shape.hidden_size
    return 6.0 * multiplying + 6.0 * shape.num_hidden_layers * shape.hidden_size * context


def steps(config: TrainConfig) -> int:
    """Optimizer steps of a phase: whole batches only."""
    return max(1, config.tokens // (config.batch * config.context))


def plan(config: TrainConfig, shape: Shape, mixture: list[Share] | None = None) -> TrainPlan:
    """Sizes and costs of a phase. Memory: weights, gradients and two moments in float32, logits and activations of a
    micro-batch."""
    weights = parameters(shape)
    tokens = steps(config) * config.batch * config.context
    micro = (config.micro_batch or config.batch) * config.context
    logits = 3 * 4 * micro * shape.vocab_size
    activations = micro * shape.num_hidden_layers * (18 * shape.hidden_size + 6 * shape.intermediate_size) * 2
    return TrainPlan(
        parameters=weights,
        steps=steps(config),
        tokens=tokens,
        flops=tokens * flops_per_token(shape, config.context),
        memory=16 * weights + logits + activations,
        mixture=mixture or [],
    )
