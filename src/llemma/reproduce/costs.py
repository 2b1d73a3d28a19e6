"""`llemma train --plan`: what the phases of a recipe need and cost on a kind of GPU; no torch, no data, no network."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from llemma.core.console import count, table
from llemma.core.errors import MissingError, RecipeError, UsageError
from llemma.core.recipe import Recipe
from llemma.reproduce.schema import LlemmaRecipe, need
from llemma.train import hardware, layouts
from llemma.train import plan as costs
from llemma.train.config import TrainConfig
from llemma.train.hardware import Device
from llemma.train.layouts import Estimate
from llemma.train.memory import Checkpointing, Layout
from llemma.train.shapes import KNOWN, Shape, known_shape, read_shape, shape_of

GIB = 2**30


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is asked for: a kind of GPU (empty for all), their number or mesh, what is fixed, what is assumed."""

    gpu: str = ""
    gpus: int = 0
    mesh: str = ""
    micro_batch: int = 0
    checkpointing: Checkpointing | None = None
    loss_chunk: int | None = None
    mfu: float = 0.0
    price: float | None = None


class PhasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One phase: sizes and work as in `plan.json`, and its estimates. `instead`: what fits where the phase does not fit
    as asked, on as many GPUs if that is possible, else on the smallest number; None where 1,024 are not enough."""

    parameters: int
    steps: int
    tokens: int
    flops_per_token: float
    flops: float
    memory: int
    estimates: list[Estimate]
    instead: Estimate | None = None


def plan(recipe: Recipe[LlemmaRecipe], question: Question) -> tuple[dict[str, PhasePlan], str]:
    """The plan of every phase, as data and as text."""
    if not question.gpu and (question.gpus or question.mesh):
        raise UsageError("a number or mesh of GPUs, but not of which kind", where="--gpu", mend="add --gpu KIND")
    phases, shapes = need(recipe, "train"), shapes_of(recipe)
    plans = {name: _phase(phase, shapes[name], question) for name, phase in phases.items()}
    return plans, "\n\n".join(_text(name, plans[name], phases[name], question) for name in plans)


def shapes_of(recipe: Recipe[LlemmaRecipe]) -> dict[str, Shape]:
    """The sizes that each phase trains: of the checkpoint it starts from, of the phase before, or of `[model]`."""
    value, shapes = recipe.value, dict[str, Shape]()
    before = shape_of(value.model, value.tokenizer.vocab_size) if value.model else None
    for name, phase in value.train.items():
        before = _start(phase.init) if phase.init else before
        if before is None:
            raise RecipeError(
                f"nothing says what the phase '{name}' trains",
                where=str(recipe.path),
                mend="add [model], or init = 'FOLDER' or 'hf:NAME' in the phase",
            )
        shapes[name] = before
    return shapes


def _start(init: str) -> Shape:
    """The sizes of a checkpoint: a folder's, one's of the hub if it is well known or in the hub's local cache."""
    if not init.startswith("hf:"):
        if init in KNOWN and not Path(init).exists():
            raise MissingError(f"no folder '{init}'", where="init", mend=f"a checkpoint of the hub is 'hf:{init}'")
        return read_shape(Path(init))
    name, _, revision = init.removeprefix("hf:").partition("@")
    if Path(name).expanduser().is_dir():
        return read_shape(Path(name).expanduser())
    if name.lower() in {known.lower() for known in KNOWN}:
        return known_shape(name)
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json", revision=revision or None) if name.count("/") == 1 else None
    return read_shape(Path(cached).parent) if isinstance(cached, str) else known_shape(name)


def _phase(config: TrainConfig, shape: Shape, question: Question) -> PhasePlan:
    sizes = costs.plan(config, shape)
    asked = _estimates(config, shape, question)
    short = bool(question.gpu) and not any(one.fits for one in asked)
    return PhasePlan(
        parameters=sizes.parameters,
        steps=sizes.steps,
        tokens=sizes.tokens,
        flops_per_token=costs.flops_per_token(shape, config.context),
        flops=sizes.flops,
        memory=sizes.memory,
        estimates=asked,
        instead=_instead(config, shape, question) if short else None,
    )


def _least(config: TrainConfig, shape: Shape, device: Device, question: Question) -> Estimate | None:
    return layouts.least(shape, config, device, question.mfu, question.price)


def _instead(config: TrainConfig, shape: Shape, question: Question) -> Estimate | None:
    device = hardware.find(question.gpu)
    gpus = question.gpus or (math.prod(layouts.parse_mesh(question.mesh)) if question.mesh else 0)
    found = list(layouts.candidates(shape, config, gpus, device)) if gpus else []
    if found:
        one, fits = layouts.best(shape, config, device, found, question.mfu, question.price)
        if fits:
            return one
    return _least(config, shape, device, question)


def _estimates(config: TrainConfig, shape: Shape, question: Question) -> list[Estimate]:
    """One estimate for the asked kind; for none, the smallest number of GPUs of every kind that the phase fits on."""
    if not question.gpu:
        found = (_least(config, shape, device, question) for device in hardware.KINDS.values())
        return [one for one in found if one]
    device = hardware.find(question.gpu)
    if question.mesh:
        layout = _asked(config, shape, question)
        return [layouts.estimate(shape, config, layout, device, question.mfu, question.price)]
    if not question.gpus:
        one = _least(config, shape, device, question)
        return [one] if one else []
    return [_best(config, shape, device, question)]


def _asked(config: TrainConfig, shape: Shape, question: Question) -> Layout:
    """The layout of an explicit mesh; what is not said is as the recipe has it, or as the loop does without a word."""
    replica, shard, tensor = layouts.parse_mesh(question.mesh, question.gpus)
    micro = question.micro_batch or config.micro_batch or max(1, config.batch // (replica * shard))
    layout = Layout(
        replica=replica,
        shard=shard,
        tensor=tensor,
        micro_batch=micro,
        checkpointing=question.checkpointing or "none",
        loss_chunk=question.loss_chunk or 0,
    )
    layouts.check(shape, config, layout)
    return layout


def _best(config: TrainConfig, shape: Shape, device: Device, question: Question) -> Estimate:
    found = [
        layout
        for layout in layouts.candidates(
            shape,
            config,
            question.gpus,
            device,
            micro_batch=question.micro_batch,
            checkpointing=question.checkpointing,
            loss_chunk=question.loss_chunk,
        )
        if config.batch % (layout.ranks * layout.micro_batch) == 0
    ]
    if not found:
        micro = f" in micro-batches of {question.micro_batch}" if question.micro_batch else ""
        raise UsageError(
            f"{config.batch:,} windows a step do not divide among {question.gpus:,} GPUs{micro}",
            where="--gpus",
            mend="choose a number of GPUs that divides the batch, or another batch with --set train.PHASE.batch=N",
        )
    return layouts.best(shape, config, device, found, question.mfu, question.price)[0]


def _text(name: str, plan: PhasePlan, config: TrainConfig, question: Question) -> str:
    head = (
        f"{name}: {count(plan.parameters)} parameters, {count(plan.tokens)} tokens in {plan.steps:,} steps\n"
        f"  {plan.flops:.2e} FLOPs: {plan.flops_per_token / 1e9:,.3g} GFLOP a token, 6 for each weight that multiplies"
        " and causal attention at half of the full square"
    )
    if not question.gpu:
        return f"{head}\n\n{_kinds(plan)}"
    return "\n".join([head, *(_detail(one, config) for one in plan.estimates), *_advice(plan, question)])


def _kinds(plan: PhasePlan) -> str:
    rows = [
        (
            f"{one.layout.gpus} x {one.device}",
            _words(one.layout),
            _size(one.memory.peak),
            count(one.tokens_per_second),
            _hours(one.hours),
            _gpu_hours(one),
            f"{one.mfu:.0%}",
            _money(one.cost),
        )
        for one in plan.estimates
    ]
    columns = ("smallest machine", "layout", "memory a GPU", "tokens/s", "time", "GPU-hours", "MFU", "cost")
    rates = " or ".join(sorted({f"{one.utilisation:.0%}" for one in plan.estimates}))
    note = f"assumed: arithmetic at {rates} of the peak, and prices (--mfu, --price); details: --gpu KIND"
    return f"{table(columns, rows)}\n{note}"


def _detail(one: Estimate, config: TrainConfig) -> str:
    layout, memory = one.layout, one.memory
    device = hardware.KINDS[one.device]
    accumulated = config.batch // (layout.ranks * layout.micro_batch)
    parts = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer states": memory.optimizer,
        "gathered and sent": memory.communication,
        "activations": memory.activations,
        "logits and their gradients": memory.loss,
        "peak": memory.peak,
        "may be used": one.usable,
    }
    rows = [(part, _size(size)) for part, size in parts.items()]
    rate = f"{device.peak(config.precision) / 1e12:,.4g} TFLOP/s"
    return "\n".join(
        [
            f"  {layout.gpus} x {one.device}: {_words(layout)}, accumulation {accumulated}: "
            + ("fits" if one.fits else "DOES NOT FIT"),
            "",
            table(("memory a GPU", ""), rows),
            "",
            f"{count(one.tokens_per_second)} tokens/s, {_hours(one.hours)}, {_gpu_hours(one)} GPU-hours, "
            f"{_money(one.cost)} at {_money(one.cost / one.gpu_hours)} an hour (change with --price)",
            f"assumed: arithmetic at {one.utilisation:.0%} of {rate} (change with --mfu), so {one.mfu:.0%} MFU",
            f"communication that arithmetic cannot hide: at most {one.exposed:.0%} more",
        ]
    )


def _advice(plan: PhasePlan, question: Question) -> list[str]:
    """What to do where the phase does not fit as asked."""
    if any(one.fits for one in plan.estimates):
        return []
    one = plan.instead
    if one is None:
        most = layouts.most(hardware.find(question.gpu))
        return [f"no number of {question.gpu} up to {most:,} is enough: try a kind with more memory"]
    same = bool(plan.estimates) and one.layout.gpus == plan.estimates[0].layout.gpus
    what = "would fit on as many" if same else "the least that fits"
    return [f"{what}: {one.layout.gpus} x {one.device}, {_words(one.layout)}, {_size(one.memory.peak)}"]


def _words(layout: Layout) -> str:
    mesh = " x ".join(f"{axis} {getattr(layout, axis)}" for axis in layouts.AXES if getattr(layout, axis) > 1)
    parts = [mesh, f"micro-batch {layout.micro_batch}"]
    parts.append(f"{layout.checkpointing} checkpointing" if layout.checkpointing != "none" else "")
    parts.append(f"loss by {layout.loss_chunk:,}" if layout.loss_chunk else "")
    return ", ".join(part for part in parts if part)


def _hours(hours: float) -> str:
    if hours < 0.1:
        return f"{hours * 3600:.0f} s"
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:,.1f} days"


def _gpu_hours(one: Estimate) -> str:
    return f"{one.gpu_hours:,.0f}" if one.gpu_hours >= 10 else f"{one.gpu_hours:.2g}"


def _size(size: float) -> str:
    return f"{size / GIB:,.1f} GiB" if size >= GIB else f"{size / 2**20:,.1f} MiB"


def _money(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars < 100 else f"${dollars:,.0f}"
