"""Which layout of a training step fits a kind of GPU, and how long a phase takes with it; no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from llemma.core.errors import RecipeError, UsageError
from llemma.train.config import TrainConfig
from llemma.train.hardware import Device
from llemma.train.memory import Checkpointing, Layout, Memory, memory
from llemma.train.plan import flops_per_token
from llemma.train.schedule import steps_of
from llemma.train.shapes import Shape, parameters

USABLE = 0.92
"""Share of the memory that may be planned with; the rest is for the driver, NCCL's buffers and gaps between blocks."""
RECOMPUTED: dict[Checkpointing, float] = {"none": 1.0, "selective": 1.02, "full": 4 / 3}
"""Arithmetic by checkpointing, relative to none: `full` runs each forward pass twice, a third of forward and backward.
What `selective` computes again are elementwise operations; two percent is an allowance, not a count."""
OPERATIONS = 125
"""Operations that compute, of one layer forward and backward under autocast, not compiled (counted on this network)."""
CHECKPOINTINGS: tuple[Checkpointing, ...] = ("none", "selective", "full")
LOSS_CHUNK = 2048
FILLED_TOKENS = 16_384
"""Tokens of a micro-batch from which on larger products are no faster."""
MOST_GPUS = 1024
MOST_WINDOWS = 64


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A phase in one layout on one kind of GPU.

    `memory` bytes on one GPU, of which `usable` may be used; `utilisation` the assumed share of the peak at which
    arithmetic is done, recomputation included, `mfu` the share without it; `tokens_per_second` of all GPUs together;
    `exposed` the time, relative to that of arithmetic, by which communication that cannot be hidden would at most
    prolong it (not part of the hours); `cost` in US dollars at the assumed price.
    """

    device: str
    layout: Layout
    memory: Memory
    usable: int
    fits: bool
    utilisation: float
    mfu: float
    tokens_per_second: float
    exposed: float
    hours: float
    gpu_hours: float
    cost: float


def estimate(
    shape: Shape, config: TrainConfig, layout: Layout, device: Device, mfu: float = 0.0, price: float | None = None
) -> Estimate:
    """Memory, speed and cost; `mfu` (of a run that recomputes nothing) and `price` replace the device's assumptions.

    A layout that recomputes takes longer by as much as it computes again; small products wait for their start.
    """
    share = mfu or device.mfu
    needed = memory(shape, config, layout, cpu=device.name == "cpu")
    tokens = steps_of(config) * config.batch * config.context
    each = _seconds(shape, config, layout, device, share)
    seconds = tokens * each
    hours = seconds / 3600
    usable = int(USABLE * device.memory)
    return Estimate(
        device=device.name,
        layout=layout,
        memory=needed,
        usable=usable,
        fits=needed.peak <= usable,
        utilisation=share,
        mfu=flops_per_token(shape, config.context) / (each * layout.gpus * device.peak(config.precision)),
        tokens_per_second=tokens / seconds,
        exposed=_exposed(shape, config, layout, device, share),
        hours=hours,
        gpu_hours=hours * layout.gpus,
        cost=hours * layout.gpus * (device.price if price is None else price),
    )


def _seconds(shape: Shape, config: TrainConfig, layout: Layout, device: Device, mfu: float) -> float:
    """Seconds a token on all GPUs together: of arithmetic, or of starting operations where the products are small."""
    again = RECOMPUTED[layout.checkpointing]
    flops = flops_per_token(shape, config.context) * again
    arithmetic = flops / (layout.gpus * device.peak(config.precision) * mfu)
    operations = OPERATIONS * shape.num_hidden_layers * again * device.launch
    return max(arithmetic, operations / (layout.micro_batch * config.context * layout.ranks))


def _exposed(shape: Shape, config: TrainConfig, layout: Layout, device: Device, mfu: float) -> float:
    """Time of communication that arithmetic cannot hide, relative to that arithmetic, for one micro-batch."""
    tokens = layout.micro_batch * config.context
    work = _seconds(shape, config, layout, device, mfu) * tokens * layout.ranks
    hidden = _data_parallel(shape, config, layout, device)
    return (max(0.0, hidden - work) + _tensor_parallel(shape, config, layout, device, tokens)) / work


def _data_parallel(shape: Shape, config: TrainConfig, layout: Layout, device: Device) -> float:
    """Seconds of gathering weights twice and summing gradients in float32 once, which overlap with arithmetic."""
    mine, size = parameters(shape) / layout.tensor, 4 if config.precision == "fp32" else 2
    sharded = mine * (2 * size + 4) * (layout.shard - 1) / layout.shard
    summed = 2 * 4 * mine / layout.shard * (layout.replica - 1) / layout.replica
    near = device.link if layout.shard * layout.tensor <= device.node else device.network
    return sharded / near + summed / (device.link if layout.gpus <= device.node else device.network)


def _tensor_parallel(shape: Shape, config: TrainConfig, layout: Layout, device: Device, tokens: int) -> float:
    """Seconds of eight gathers or scatters of the stream a layer (four forward, four backward), which do not
    overlap."""
    size = 4 if config.precision == "fp32" else 2
    sent = tokens * shape.hidden_size * size * (layout.tensor - 1) / layout.tensor
    return 8 * shape.num_hidden_layers * sent / device.link


def best(
    shape: Shape,
    config: TrainConfig,
    device: Device,
    layouts: Iterable[Layout],
    mfu: float = 0.0,
    price: float | None = None,
) -> tuple[Estimate, bool]:
    """The fastest of the layouts that fit, communication included, and True; or the smallest one and False."""
    found = [estimate(shape, config, layout, device, mfu, price) for layout in layouts]
    fitting = [one for one in found if one.fits]
    if fitting:
        return min(fitting, key=lambda one: _rank(one, config)), True
    return min(found, key=lambda one: one.memory.peak), False


def _rank(one: Estimate, config: TrainConfig) -> tuple[float, int, int, int]:
    """Time first; where that is equal, products large enough to fill a GPU, then no chunks, then the least memory."""
    filled = min(one.layout.micro_batch * config.context, FILLED_TOKENS)
    return one.hours * (1 + one.exposed), -filled, one.layout.loss_chunk, one.memory.peak


def least(
    shape: Shape, config: TrainConfig, device: Device, mfu: float = 0.0, price: float | None = None
) -> Estimate | None:
    """The best layout on the smallest number of GPUs (1, 2, 4, ...) on which any fits; None if not on
    `most(device)`."""
    gpus = 1
    while gpus <= most(device):
        if any(candidates(shape, config, gpus, device)):
            found, fits = best(shape, config, device, candidates(shape, config, gpus, device), mfu, price)
            if fits:
                return found
        gpus *= 2
    return None


def most(device: Device) -> int:
    """GPUs that a search goes up to; machines without one are not joined."""
    return 1 if device.name == "cpu" else MOST_GPUS


def candidates(
    shape: Shape,
    config: TrainConfig,
    gpus: int,
    device: Device,
    *,
    micro_batch: int = 0,
    checkpointing: Checkpointing | None = None,
    loss_chunk: int | None = None,
) -> Iterator[Layout]:
    """All layouts on exactly this many GPUs that a step can be divided into; what is given is kept.

    Tensor parallelism is the recipe's, or stays within a node and divides heads; weights are sharded over all other
    GPUs or over a node's.
    """
    for tensor in _tensors(shape, config):
        if gpus % tensor or tensor > device.node:
            continue
        ranks = gpus // tensor
        if config.batch % ranks:
            continue
        for shard in sorted({_divisor(ranks, device.node // tensor), ranks}):
            for micro in [micro_batch] if micro_batch else _divisors(config.batch // ranks):
                yield from _variants(
                    Layout(replica=ranks // shard, shard=shard, tensor=tensor, micro_batch=micro),
                    checkpointing,
                    loss_chunk,
                )


def _tensors(shape: Shape, config: TrainConfig) -> list[int]:
    """In how many parts the layers may be cut (`train.tensor.check`)."""
    if config.tensor_parallel > 1:
        return [config.tensor_parallel]
    cut = (shape.num_attention_heads, shape.num_key_value_heads, shape.intermediate_size, shape.vocab_size)
    possible = (1,) if config.optimizer == "muon" else (1, 2, 4, 8)
    return [parts for parts in possible if not any(size % parts for size in (*cut, config.context))]


def _variants(layout: Layout, checkpointing: Checkpointing | None, loss_chunk: int | None) -> Iterator[Layout]:
    for policy in [checkpointing] if checkpointing else CHECKPOINTINGS:
        for chunk in (0, LOSS_CHUNK) if loss_chunk is None else (loss_chunk,):
            yield msgspec.structs.replace(layout, checkpointing=policy, loss_chunk=chunk)


def _divisor(number: int, at_most: int) -> int:
    return max(size for size in range(1, max(1, at_most) + 1) if number % size == 0)


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, min(number, MOST_WINDOWS) + 1) if number % size == 0]


def check(shape: Shape, config: TrainConfig, layout: Layout) -> None:
    """Refuse a layout that a step cannot be divided into: `UsageError` for the mesh, `RecipeError` for the batch."""
    if shape.num_attention_heads % layout.tensor or shape.num_key_value_heads % layout.tensor:
        raise UsageError(
            f"{layout.tensor} GPUs cannot share {shape.num_attention_heads} query and "
            f"{shape.num_key_value_heads} key heads",
            where="--mesh tensor",
            mend="choose a divisor of both",
        )
    if config.batch % (layout.ranks * layout.micro_batch):
        raise RecipeError(
            f"{config.batch:,} windows a step do not divide into micro-batches of {layout.micro_batch} on "
            f"{layout.ranks} data-parallel ranks",
            where="batch, micro_batch, --mesh",
            mend="make batch a multiple of micro_batch x replica x shard",
        )


AXES = ("replica", "shard", "tensor")


def parse_mesh(text: str, gpus: int = 0) -> tuple[int, int, int]:
    """`replica=2,shard=8,tensor=2` (an axis left out is 1) as three sizes; raises `UsageError`, also where `gpus` is
    given and is not their product."""
    sizes = dict.fromkeys(AXES, 1)
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        if name not in sizes or not value.strip().isdecimal() or int(value) < 1:
            raise UsageError(
                f"cannot read the mesh '{text}'", where="--mesh", mend="write it as replica=2,shard=8,tensor=2"
            )
        sizes[name] = int(value)
    replica, shard, tensor = (sizes[name] for name in AXES)
    product = replica * shard * tensor
    if gpus and product != gpus:
        raise UsageError(
            f"a mesh of {replica} x {shard} x {tensor} has {product:,} GPUs, not {gpus:,}",
            where="--mesh, --gpus",
            mend=f"make their product {gpus:,}, or leave --gpus out",
        )
    return replica, shard, tensor
