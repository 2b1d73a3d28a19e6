"""Tensor parallelism: neighbours compute each window together, each with a share of the heads and of the MLP's width.

Between attention and MLP the stream lies in slices of the sequence (Korthikanti et al., arXiv 2205.05198, section 4.2),
and each process keeps the rows of embedding and output matrix of a part of the vocabulary (Megatron-LM, arXiv
1909.08053, section 3). DTensor knows which exchange belongs to which product.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Partial, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

from llemma.core.errors import RecipeError
from llemma.model.llama import Llama, LlamaConfig
from llemma.train.config import TrainConfig


def check(sizes: LlamaConfig, config: TrainConfig) -> None:
    """Refuse a network or phase that `config.tensor_parallel` processes cannot share, with `RecipeError`."""
    parts = {
        "key heads": sizes.num_key_value_heads,
        "query heads": sizes.num_attention_heads,
        "the MLP's width": sizes.intermediate_size,
        "the vocabulary": sizes.vocab_size,
        "the context": config.context,
    }
    count = config.tensor_parallel
    odd = [f"{name} ({size:,})" for name, size in parts.items() if size % count]
    if odd:
        raise RecipeError(
            f"{count} processes cannot share {', '.join(odd)} evenly",
            where="train tensor_parallel",
            mend="choose a divisor of all of them",
        )
    if config.precision == "fp8":
        raise RecipeError(
            "products of eight bits are not built for weights that tensor_parallel cuts",
            where="train precision, tensor_parallel",
            mend="use bf16, or leave tensor_parallel out",
        )
    if config.compile:  # measured with torch 2.13: losses agree, gradients do not
        raise RecipeError(
            "compiled layers get wrong gradients where tensor_parallel cuts them",
            where="train compile, tensor_parallel",
            mend="compile = false, or leave tensor_parallel out",
        )
    if config.optimizer == "muon":
        raise RecipeError(
            "Muon needs whole matrices, and tensor_parallel cuts them",
            where="train optimizer, tensor_parallel",
            mend="use adamw, or leave tensor_parallel out",
        )


def divide(model: Llama, mesh: DeviceMesh) -> Split:
    """Divide the weights of `model` (on the meta device, or everywhere the same) among the processes of the
    one-dimensional `mesh`; returns how its loss is computed."""
    ends: dict[str, ParallelStyle] = {
        "model.embed_tokens": RowwiseParallel(input_layouts=Replicate(), output_layouts=Shard(1)),
        "model.norm": SequenceParallel(),
        "lm_head": ColwiseParallel(),
    }
    parallelize_module(model, mesh, ends)
    for block in model.blocks:
        parallelize_module(cast(torch.nn.Module, block), mesh, _layer(model.config))
    model.tie()
    return Split(mesh, model.config.vocab_size)


def _layer(config: LlamaConfig) -> dict[str, ParallelStyle]:
    """The stream comes and goes in slices of the sequence; attention and MLP gather it and scatter their sums."""
    rest = (None,) * 4  # rope, mask, cache, start
    styles: dict[str, ParallelStyle] = {
        "input_layernorm": SequenceParallel(),
        "post_attention_layernorm": SequenceParallel(),
        "self_attn": PrepareModuleInput(input_layouts=(Shard(1), *rest), desired_input_layouts=(Replicate(), *rest)),
        "mlp": PrepareModuleInput(input_layouts=(Shard(1),), desired_input_layouts=(Replicate(),)),
        "self_attn.o_proj": RowwiseParallel(output_layouts=Shard(1)),
        "mlp.down_proj": RowwiseParallel(output_layouts=Shard(1)),
    }
    wide = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj")
    styles |= {name: ColwiseParallel() for name in wide}
    if config.qk_norm:  # one scale for all heads, of which each process has some
        styles |= {f"self_attn.{name}": SequenceParallel(sequence_dim=2, use_local_output=True) for name in _NORMS}
    return styles


_NORMS = ("q_norm", "k_norm")


class Split:
    """This process' part of the vocabulary: ids from `first` to before `stop`."""

    def __init__(self, mesh: DeviceMesh, vocabulary: int) -> None:
        self.mesh, self.group = mesh, mesh.get_group()
        rows = vocabulary // mesh.size()
        self.first = mesh.get_local_rank() * rows
        self.stop = self.first + rows

    def whole(self, hidden: Any) -> Tensor:
        """Final states (B, T, D) out of the slices of the sequence; their gradients are summed over the processes."""
        found = hidden.redistribute(placements=[Replicate()])
        return found.to_local(grad_placements=[Partial()])  # type: ignore[no-any-return]

    def mine(self, weight: Any) -> Tensor:
        """This process' rows of the output matrix."""
        return weight.to_local()  # type: ignore[no-any-return]

    def inside(self, targets: Tensor) -> Tensor:
        """(N, 1): which targets are ids of this part."""
        return ((targets >= self.first) & (targets < self.stop))[:, None]

    def log_sums(self, mine: Tensor) -> Tensor:
        """Log-sums over the whole vocabulary from those over each part."""
        top = mine.clone()
        dist.all_reduce(top, dist.ReduceOp.MAX, group=self.group)
        total = (mine - top).exp()
        dist.all_reduce(total, group=self.group)
        return top + total.log()

    def asked(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(N,) the logit of each target, wherever it lies; `logits` (N, V / processes)."""
        places = (targets - self.first).clamp(0, logits.shape[1] - 1)[:, None]
        found = (logits.gather(1, places) * self.inside(targets))[:, 0]
        dist.all_reduce(found, group=self.group)
        return found
