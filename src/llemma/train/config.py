"""Settings of the model and train rooms."""

from __future__ import annotations

from typing import Literal

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
    precision: Literal["bf16", "fp32"] = "bf16"
    """Precision of the matrix products; weights and optimizer stay float32."""
    seed: int = 0
    log_every: int = 10
    """Steps between two lines of metrics."""
    checkpoint_every: int = 100
    """Steps between two checkpoints; the last one is kept."""
    validate_every: int = 0
    """Steps between two looks at the validation stores; 0 means only at the end."""
    validation_windows: int = 16
    """Windows read from each validation store at each look."""
