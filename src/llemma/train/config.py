"""Settings of the model and train rooms."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from llemma.core.recipe import Count
from llemma.core.types import Part


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The shape of a model made from scratch; names as in Hugging Face's `config.json`."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    tie_word_embeddings: bool = True
    rope_theta: float = 1_000_000.0
    """Code Llama's RoPE base."""
    max_position_embeddings: int = 2048
    """The longest sequence the model is made for."""


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training phase."""

    mixture: list[Part]
    """Subsets with weights and caps."""
    tokens: Count
    """Tokens to train on."""
    context: int
    """Tokens of one training window."""
    batch: int
    """Windows of one optimizer step."""
    micro_batch: int = 0
    """Windows computed at once; 0 means the whole batch."""
    init: str = ""
    """A checkpoint to start from: a folder, or `hf:NAME` for one of the Hugging Face hub; empty means the phase before,
    or `[model]` with random weights."""
    branch: str = ""
    """A checkpoint of another run to go on from, with its optimizer and data position, under this phase's schedule: a
    folder `RUN/PHASE/checkpoints/step-N`, or `RUN/PHASE` for its newest. `tokens` count from that run's beginning."""
    rope_theta: float | None = None
    """Replaces the checkpoint's RoPE base (Llemma 7B: 1e6 -> 1e4); None keeps it."""
    implementation: Literal["auto", "llemma", "transformers"] = "auto"
    """Whose module computes `init`; `auto`: our own where it covers the architecture, else transformers'."""
    parity_check: bool = True
    """Compare the loss of `init` with that of transformers' own module before the first step."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon` trains the layers' matrices with Muon and the rest with AdamW: fewer steps for small models."""
    peak_lr: float = 1e-4
    schedule: Literal["cosine", "linear", "wsd", "constant"] = "cosine"
    """What the learning rate does after its linear warm-up: a cosine or a line down to `final_lr`; the peak and a decay
    at the end (warm-up, stable, decay); the peak to the end."""
    schedule_steps: int = 0
    """Steps that the schedule is laid out for, warm-up included; 0 means the steps taken. Llemma 7B was laid out for
    48,000 steps and took 42,000 of them. Beyond its end the final rate stays."""
    final_lr: float = 1 / 30
    """Learning rate at the end of the schedule, as a share of the peak."""
    warmup_steps: int = 500
    """Steps in which the learning rate rises in a line from 0 to the peak."""
    decay_steps: int = 0
    """Steps of the decay at the end of `wsd`; 0 leaves it out, for a run that later ones branch from."""
    decay: Literal["linear", "cosine", "sqrt"] = "linear"
    """The way down of `wsd`; `sqrt` is 1 - sqrt(progress)."""
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0
    """Gradients are scaled down to this global norm."""
    z_loss: float = 0.0
    """Weight of the squared log-sum of the logits, which keeps them from drifting (PaLM: 1e-4); 0 leaves it out."""
    loss_spike: float = 8.0
    """A step is left out whose loss lies this many standard deviations above those of the last 128; 0: none is."""
    norm_spike: float = 10.0
    """A step is left out whose gradient norm is this many times the usual one of the last 128; 0: none is. Norms of
    batches of six windows reach seven times the usual; large batches can do with less. (What is not finite is always
    left out.)"""
    rollback_after: int = 3
    """Steps left out one after the other that lead back to the last checkpoint and past their data."""
    max_rollbacks: int = 5
    """Rollbacks before the run ends with an error."""
    precision: Literal["bf16", "fp32", "fp8"] = "bf16"
    """Precision of the matrix products; weights and optimizer stay float32. `fp8`: bfloat16, and eight bits in the
    products of the inner layers, on GPUs that have them."""
    document_mask: bool = False
    """Attention stays within a document, where a window holds several."""
    checkpointing: Literal["none", "selective", "full"] = "none"
    """Activations kept for the backward pass: all; only those that products and attention leave behind; only the input
    of each layer."""
    loss_chunk: int = 0
    """Tokens that get logits at a time; 0 means a micro-batch at once."""
    compile: bool = False
    """Compile the layers: minutes before the first step, faster ones after it."""
    replicas: int = 1
    """Copies of the model under torchrun; each is divided among its share of the processes."""
    tensor_parallel: int = 1
    """Processes under torchrun that compute each window together, each with a share of the heads and of the MLP's
    width; they must be neighbours with fast links, the GPUs of one machine."""
    seed: int = 0
    log_every: int = 10
    """Steps between two lines of metrics."""
    checkpoint_every: int = 100
    """Steps between two checkpoints."""
    keep_checkpoints: int = 2
    """The last so many checkpoints are kept."""
    validate_every: int = 0
    """Steps between two looks at the validation stores; 0 means only at the end."""
    validation_windows: int = 16
    """Windows read from each validation store at each look."""
    trackers: list[str] = []
    """Who else is told the metrics, beside metrics.jsonl: `tensorboard`, `wandb`, or a plug-in."""


class SweepConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Short runs of one training phase over mixtures of its sources, to choose their weights by."""

    phase: str = ""
    """The training phase that each run is, with other weights; empty means the recipe's only one."""
    compare: dict[str, float]
    """The weights that the fitted ones are compared with (Llemma: papers 2, web 4, code 1). Its keys are the sources
    that are weighted; what else the phase's mixture names (replay) keeps its share in every run."""
    candidates: list[dict[str, float]] = []
    """More mixtures to run."""
    draws: int = 12
    """Mixtures drawn at random around `natural`, beside `compare` and the candidates."""
    natural: dict[str, float] = {}
    """The shares around which mixtures are drawn; empty means those of the tokens there are."""
    concentration: float = 4.0
    """Of the Dirichlet distribution they are drawn from; the larger, the closer to `natural`."""
    low: dict[str, float] = {}
    """Smallest weights, as shares of the weighted sources together; default 0.02."""
    high: dict[str, float] = {}
    """Largest ones; default 0.9, and no more than `max_epochs` of the phase's mixture allow in the target run."""
    objective: dict[str, float] = {}
    """Validation subsets whose bits per byte are to be small together, with weights; empty means the weighted sources,
    each as much as another."""
    target_tokens: Count = Count(0)
    """Tokens of the run that the weights are for: each source is cut down so that a proxy run repeats it as often as
    that run would (arXiv 2606.07597). 0 leaves the stores as they are."""
    target_available: dict[str, Count] = {}
    """Tokens of a source in the target run, where the stores at hand are only a part of it."""
    repeats: int = 1
    """Runs of the fitted mixture and of `compare`, each with a seed of its own: how much is chance."""
    seed: int = 0
    """Of the draws, the cut and the fit; the runs have the phase's own."""
    keep_models: bool = False
    """Keep the weights of every run, not its losses alone."""


INDIFFERENT: dict[str, Any] = {
    "parity_check": True,
    "replicas": 1,
    "tensor_parallel": 1,
    "trackers": [],
    "keep_checkpoints": 1,
}
"""Settings that change no number (but for the order of sums), each with the value that stands for all: a run may go on
with others."""
AT_LEAST = {
    "tokens": 1,
    "context": 1,
    "batch": 1,
    "rollback_after": 1,
    "replicas": 1,
    "tensor_parallel": 1,
    "keep_checkpoints": 1,
    "checkpoint_every": 1,
    "log_every": 1,
}
NOT_NEGATIVE = (
    "micro_batch",
    "warmup_steps",
    "decay_steps",
    "schedule_steps",
    "validation_windows",
    "max_rollbacks",
    "loss_chunk",
    "z_loss",
    "loss_spike",
    "norm_spike",
    "validate_every",
)


def problems(phase: TrainConfig) -> list[str]:
    """What is wrong with numbers of a phase that no type forbids."""
    least = AT_LEAST | dict.fromkeys(NOT_NEGATIVE, 0)
    return [f"{name} must be at least {limit}" for name, limit in least.items() if getattr(phase, name) < limit]
