"""The network of a phase, and how it lies on the processes: whole on a lone one, in slices (FSDP2) under torchrun.

Slices of our own network are made empty and filled with the numbers of the file that belong to them: no process ever
holds all of it. One of transformers is loaded whole into each process' main memory and cut layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from llemma.core.console import Console
from llemma.core.errors import RecipeError
from llemma.model import fp8, network, weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.model.llama_config import covered
from llemma.model.stored import PIECE, Stored
from llemma.tokens.tokenizer import Tokenizer
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.mesh import Mesh
from llemma.train.objective import Objective

if TYPE_CHECKING:
    from llemma.train.tensor import Split  # needs DTensor, a second of imports

Rows = Callable[[str, int, int], Tensor]
"""Rows `start` to `stop` of a weight by its name."""


class Start:
    """Where a phase begins: the checkpoint folder `init`, or random weights of `shape`."""

    def __init__(
        self, config: TrainConfig, tokenizer: Tokenizer, init: Path | None, shape: ModelConfig | None, console: Console
    ) -> None:
        assert init or shape, "a training phase needs a checkpoint or a shape"
        self.config, self.tokenizer, self.init, self.shape, self.console = config, tokenizer, init, shape, console

    def whole(self) -> Llama:
        """The network with its first weights, float32, on the CPU. (One of transformers has the same face.)"""
        if self.init is None:
            return Llama(self.sizes()).init_weights(self.config.seed)
        options: dict[str, Any] = {"implementation": self.config.implementation, "rope_theta": self.config.rope_theta}
        found = network.load(self.init, **options, say=self.console.warn)
        if isinstance(found, Llama):
            found.config = reaching(found.config, self.config.context)
        return cast(Llama, found)

    def sizes(self) -> LlamaConfig:
        """What the network computes."""
        if self.init is None:
            config = LlamaConfig(vocab_size=self.tokenizer.vocab_size, **msgspec.to_builtins(self.shape))
            return reaching(config, self.config.context)
        config, base = reaching(weights.read_config(self.init), self.config.context), self.config.rope_theta
        return config if base is None else msgspec.structs.replace(config, rope_theta=base)

    @property
    def foreign(self) -> bool:
        """Whether transformers' own module computes the checkpoint."""
        if self.init is None or self.config.implementation == "llemma":
            return False
        return self.config.implementation == "transformers" or bool(covered(weights.read_table(self.init)))

    def empty(self) -> Llama:
        """Our own network without numbers (on the meta device)."""
        with torch.device("meta"):
            model = Llama(self.sizes())
        if self.init is not None:
            weights.check_names(model, Stored(self.init))
            files = (name for name in weights.CARRIED if (self.init / name).is_file())
            model.carried = {name: (self.init / name).read_bytes() for name in files}
        return model

    def refill(self, model: nn.Module) -> None:
        """Give a network that is there its first weights (again)."""
        if not isinstance(model, Llama):
            assert self.init is not None
            weights.restore(model, self.init, fill)
        elif self.init is not None:
            fill(model, Stored(self.init).rows)
        else:
            drawn = dict(self.whole().named_parameters())
            fill(model, lambda name, start, stop: drawn[name].detach()[start:stop])


def reaching(config: LlamaConfig, context: int) -> LlamaConfig:
    """`config` of a network that is trained on windows of `context` tokens: it is made for at least so many positions.

    Under "dynamic NTK" that number is the length at which the base begins to grow, and stays.
    """
    grows = config.rope_scaling is not None and config.rope_scaling.rope_type == "dynamic"
    if grows or context <= config.max_position_embeddings:
        return config
    return msgspec.structs.replace(config, max_position_embeddings=context)


def lay_out(start: Start, mesh: Mesh) -> Objective:
    """The objective of a phase on the devices of `mesh`; under torchrun the weights of our own network are not filled
    yet."""
    config = start.config
    if config.precision == "fp8":
        fp8.check(mesh.device)
    if not mesh.distributed:
        objective = Objective(start.whole().to(mesh.device), config, autocast=config.precision != "fp32")
        _prepare(objective)
        return objective
    objective = Objective(start.whole() if start.foreign else start.empty(), config, autocast=False)
    _shard(objective, mesh)
    return objective


def _prepare(objective: Objective) -> None:
    """Activation checkpointing and compiling, layer by layer; names of weights stay as they are."""
    config = objective.config
    if config.precision == "fp8":
        _eight_bits(objective.network)
    for block in cast(Llama, objective.network).blocks:
        if config.checkpointing != "none":
            block.forward = _recomputed(block.forward, config.checkpointing)  # type: ignore[method-assign]
        if config.compile:
            block.compile()


def _eight_bits(model: nn.Module) -> None:
    if not isinstance(model, Llama):
        raise RecipeError(
            "float8 needs our own network, and transformers' computes this checkpoint",
            where="train precision",
            mend="use precision = 'bf16'",
        )
    fp8.convert(model)


def _recomputed(forward: Callable[..., Any], policy: str) -> Callable[..., Any]:
    """`forward`, of whose activations the backward pass finds its input only, or (`selective`) also what products and
    attention leave behind."""
    from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

    aten = torch.ops.aten
    kept = [aten.mm.default, aten.addmm.default, aten.bmm.default, aten._scaled_mm.default]
    kept += [getattr(aten, name).default for name in _ATTENTION if hasattr(aten, name)]
    options: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}
    if policy == "selective":
        options["context_fn"] = lambda: create_selective_checkpoint_contexts(kept)  # type: ignore[no-untyped-call]
    return lambda *inputs, **named: checkpoint(forward, *inputs, **options, **named)


_ATTENTION = (
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
)


def _shard(objective: Objective, mesh: Mesh) -> None:
    """Each layer and the rest of the network become units of FSDP2 that are gathered when they compute: in bfloat16
    where the recipe says so, with gradients summed in float32. Tensor parallelism cuts the weights first."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    config, model = objective.config, cast(Llama, objective.network)
    policy = (
        MixedPrecisionPolicy() if config.precision == "fp32" else MixedPrecisionPolicy(torch.bfloat16, torch.float32)
    )
    devices = mesh.devices(config.replicas)
    if mesh.tensor > 1:
        objective.split = _divide(objective.network, config, devices)
    _prepare(objective)
    readers = devices["replicate", "shard"] if config.replicas > 1 else devices["shard"]
    for block in model.blocks:
        fully_shard(block, mesh=readers, mp_policy=policy)
    fully_shard(objective, mesh=readers, mp_policy=policy)
    if isinstance(model, Llama):
        _make_room(model, mesh.device)


def _divide(model: nn.Module, config: TrainConfig, devices: DeviceMesh) -> Split:
    from llemma.train import tensor

    if not isinstance(model, Llama):
        raise RecipeError(
            "tensor_parallel needs our own network, and transformers' computes this checkpoint",
            where="train tensor_parallel",
            mend="leave it out, or choose a checkpoint of a family that is covered",
        )
    tensor.check(model.config, config)
    return tensor.divide(model, devices["tensor"])


def _make_room(model: Llama, device: torch.device) -> None:
    """Slices of a network on the meta device become real, their numbers undefined."""
    for name, weight in list(model.named_parameters()):
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, nn.Parameter(_empty_slice(weight, device)))
    model.tie()
    model.rotary.to(device)


def _empty_slice(weight: Any, device: torch.device) -> Tensor:
    from torch.distributed.tensor import DTensor

    local = torch.empty(weight.to_local().shape, dtype=weight.dtype, device=device)
    options: dict[str, Any] = {"run_check": False, "shape": weight.shape, "stride": weight.stride()}
    return cast(Tensor, DTensor.from_local(local, weight.device_mesh, weight.placements, **options))


class Slice(NamedTuple):
    """This process' part of a weight: rows from `row` on, of them the columns from `column` on."""

    local: Tensor
    row: int
    column: int


def slice_of(weight: Any) -> Slice:
    """What this process holds of a weight. Tensor parallelism cuts it evenly, by rows or columns; of that part FSDP2
    takes rows as `torch.chunk` does."""
    if not hasattr(weight, "to_local"):
        return Slice(weight.detach(), 0, 0)
    mesh, local = weight.device_mesh, weight.to_local().detach()
    rows, row, column = weight.shape[0], 0, 0
    names = mesh.mesh_dim_names
    if "tensor" in names:
        placement, rank, size = weight.placements[-1], mesh.get_local_rank("tensor"), mesh.size(mesh.ndim - 1)
        if placement.is_shard(0):
            rows //= size
            row = rank * rows
        elif placement.is_shard(1):
            column = rank * (weight.shape[1] // size)
    axis = names.index("shard")
    row += min(mesh.get_local_rank("shard") * -(-rows // mesh.size(axis)), rows)
    return Slice(local, row, column)


def fill(model: nn.Module, rows: Rows) -> None:
    """Copy `rows` into the weights that this process holds, a piece at a time."""
    for name, weight in model.named_parameters():
        local, first, column = slice_of(weight)
        step = max(1, PIECE * len(local) // max(1, local.numel() * local.element_size()))
        for start in range(0, len(local), step):
            stop = min(len(local), start + step)
            found = rows(name, first + start, first + stop)
            local[start:stop].copy_(found[:, column : column + local.shape[1]] if local.dim() > 1 else found)


def release(objective: Any) -> None:
    """After a forward pass that no backward pass follows: FSDP2 keeps what lies outside the layers gathered for one."""
    if hasattr(objective, "reshard"):
        objective.reshard()


def gathered(model: nn.Module) -> None:
    """Take part in gathering every weight, in their order, for the process that writes them."""
    for weight in model.parameters():
        if hasattr(weight, "full_tensor"):
            weight.full_tensor()
