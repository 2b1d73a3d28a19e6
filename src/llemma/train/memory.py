"""Memory of one process in training, by part: counted from the sizes, checked against measurements (bench/plan.py).

Two ways to compute in bfloat16 are counted. One process uses autocast: weights stay float32, each product makes
bfloat16 copies of its inputs and weights, the residual stream is float32. Several processes use FSDP2 with a
mixed-precision policy: weights are gathered in bfloat16 one layer at a time, and the whole network computes in
bfloat16.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from llemma.train.config import TrainConfig
from llemma.train.shapes import Shape, layer_matrices, multiplying, one_layer, parameters

Checkpointing = Literal["none", "selective", "full"]
PLAIN_ATTENTION_POSITIONS = 384
"""Up to here a CPU computes attention in bfloat16 as plain products and keeps the scores (`model.llama.attend`)."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a step is laid out: `replica` copies of the model, each in `shard` slices of the weights (FSDP), each slice
    computed by `tensor` GPUs; `micro_batch` windows at a time.

    `checkpointing`: `none` keeps every activation, `selective` those that products and attention leave behind, `full`
    only the input of each layer. `loss_chunk` tokens get logits at a time; 0 means a micro-batch at once.
    """

    replica: int = 1
    shard: int = 1
    tensor: int = 1
    micro_batch: int
    checkpointing: Checkpointing = "none"
    loss_chunk: int = 0

    @property
    def gpus(self) -> int:
        """Processes, one a GPU."""
        return self.replica * self.shard * self.tensor

    @property
    def ranks(self) -> int:
        """Processes that read different windows."""
        return self.replica * self.shard


class Memory(msgspec.Struct, frozen=True):
    """Bytes on one GPU. `communication`: weights gathered for computing and gradients on their way to their owners, or
    autocast's bfloat16 copies. `loss`: logits with their softmax and gradient, or, where larger, the gradients of one
    layer's activations. `peak` is less than the sum without accumulation: activations go as gradients come."""

    weights: int
    gradients: int
    optimizer: int
    communication: int
    activations: int
    loss: int
    peak: int


def memory(shape: Shape, config: TrainConfig, layout: Layout, *, cpu: bool = False) -> Memory:
    """What one process of this layout holds at most in a training step. `cpu`: as PyTorch's CPU kernels keep it."""
    slices = layout.shard * layout.tensor
    weights = 4 * parameters(shape) // slices  # float32, as the gradients
    optimizer = _optimizer(shape, config) // slices
    communication = _communication(shape, config, layout)
    activations, loss = _activations(shape, config, layout, cpu), _loss(shape, config, layout)
    accumulates = config.batch > layout.ranks * layout.micro_batch
    moving = weights + activations + loss if accumulates else max(weights, activations + loss)
    return Memory(
        weights=weights,
        gradients=weights,
        optimizer=optimizer,
        communication=communication,
        activations=activations,
        loss=loss,
        peak=weights + optimizer + communication + moving,
    )


def _optimizer(shape: Shape, config: TrainConfig) -> int:
    """Float32 state: AdamW keeps two moments, Muon one momentum for the layers' matrices and AdamW's for the rest."""
    muon = shape.num_hidden_layers * layer_matrices(shape) if config.optimizer == "muon" else 0
    return 8 * parameters(shape) - 4 * muon


def _element(config: TrainConfig) -> int:
    return 4 if config.precision == "fp32" else 2


def _autocast(config: TrainConfig, layout: Layout) -> bool:
    return layout.gpus == 1 and config.precision != "fp32"


def _communication(shape: Shape, config: TrainConfig, layout: Layout) -> int:
    """FSDP2 holds two gathered layers (one computes, the next arrives) and, from the first to the last moment,
    embedding, head and final norm; a layer's gradients leave in the precision of the products and are summed in
    float32."""
    if layout.gpus == 1:
        return 2 * multiplying(shape) if _autocast(config, layout) else 0
    size = _element(config)
    layer = one_layer(shape) // layout.tensor
    ends = shape.vocab_size * shape.hidden_size * (1 if shape.tie_word_embeddings else 2) // layout.tensor
    return 2 * layer * size + layer * (size + 4) + ends * 2 * size


def _activations(shape: Shape, config: TrainConfig, layout: Layout, cpu: bool) -> int:
    """Everything kept for the backward pass but the logits: all layers, and the final norm before the head."""
    size, stream = _element(config), 4 if _autocast(config, layout) else _element(config)
    tokens = layout.micro_batch * config.context
    kept = _layer_bytes(shape, config, layout, "none", cpu)
    norms = 2 if cpu else 1  # the CPU's RMSNorm also keeps its output before the scale
    end = (stream * norms + size) * shape.hidden_size // layout.tensor
    if layout.checkpointing == "none":
        return tokens * (shape.num_hidden_layers * kept + end)
    each = _layer_bytes(shape, config, layout, layout.checkpointing, cpu)
    return tokens * (shape.num_hidden_layers * each + kept + end)  # one layer is computed again and held whole


def _layer_bytes(shape: Shape, config: TrainConfig, layout: Layout, policy: Checkpointing, cpu: bool) -> int:
    """Bytes that one layer keeps for each token (per GPU of a tensor-parallel group)."""
    size, autocast = _element(config), _autocast(config, layout)
    stream = 4 if autocast else size
    width, query, keys, inner = shape.hidden_size, shape.query_size, 2 * shape.key_size, shape.intermediate_size
    if policy == "full":
        return stream * width // layout.tensor
    # queries, keys, values, the result of attention, float32 log-sums of its softmax; gate and up
    products = size * (2 * query + keys + 2 * inner) + 4 * shape.num_attention_heads
    if policy == "selective":
        return (products + (stream + size) * width) // layout.tensor
    # silu(gate) and its product with up; the input of both norms; the output of both, once or, under autocast, for each
    # of the five products that read it
    scores = size * shape.num_attention_heads * config.context if _plain(config, cpu) else 0
    split = products + 2 * size * inner + stream * width * (4 if cpu else 2) + scores
    return split // layout.tensor + size * width * (5 if autocast else 2)


def _plain(config: TrainConfig, cpu: bool) -> bool:
    return cpu and config.precision != "fp32" and config.context <= PLAIN_ATTENTION_POSITIONS


def _loss(shape: Shape, config: TrainConfig, layout: Layout) -> int:
    """Log-softmax, its gradient and that of the loss, float32, for the tokens of a chunk; a chunked loss also keeps the
    gradient of the final states. Or one layer's backward pass: gradients of the MLP's three inner states, of the
    stream."""
    size, tokens = _element(config), layout.micro_batch * config.context
    chunk = min(layout.loss_chunk or tokens, tokens)
    logits = 12 * chunk * shape.vocab_size // layout.tensor
    logits += size * tokens * shape.hidden_size if layout.loss_chunk else 0
    backward = tokens * (3 * size * shape.intermediate_size + 8 * shape.hidden_size) // layout.tensor
    return max(logits, backward)
