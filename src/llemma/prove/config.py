"""The settings of provers and of proof search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from llemma.tools.config import Isolation

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ProverConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a prover's processes run."""

    step_seconds: Seconds = 5.0
    """Wall seconds a tactic."""

    open_seconds: Seconds = 120.0
    """Wall seconds for a header and a statement; importing Mathlib is slow on a cold disk."""

    check_seconds: Seconds = 120.0
    """Wall seconds for the check of a whole proof from a fresh file."""

    memory_mb: Positive = 4096
    """MiB a prover's process may use."""

    recycle_mb: Positive = 1500
    """A worker that has grown beyond this is started anew between two steps."""

    isolation: Isolation = "full"
    """`full`: no network, no writes. `rlimits`: for machines without bubblewrap; named in results."""

    command: list[str] = []
    """How to start the prover where it is not found by itself, e.g. `["lake", "env", "repl"]`."""

    options: dict[str, Any] = {}
    """Options of one prover alone (`prove/isabelle/config.py`)."""

    project: str = ""
    """The folder that the command runs in: a Lean project with the libraries that headers import."""


class SearchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one theorem is attempted; the limits are the published ones (Llemma's formal2formal, `proofsearch.py`)."""

    protocol: Literal["default", "llemma"] = "default"
    """`default`: sum of log-probabilities, states deduplicated when they are queued. `llemma`: as published, sum of
    per-token means, only states already expanded are filtered, and a crash of the prover ends the theorem."""

    samples: Positive = 32
    """Candidates an expansion; in the whole-proof modes, proofs a theorem."""

    expansions: Positive = 100
    """States of a theorem for which candidates are asked."""

    seconds: Seconds = 600.0
    """Seconds a theorem: its tactics in the prover and its share of the model, whatever else ran meanwhile. Loading
    its header and checking a finished proof are not counted: they have limits of their own."""

    proposals: Literal["sample", "beam"] = "sample"
    """How candidates are drawn: sampled, or the most probable ones by beam search (as published)."""

    format: Literal["few-shot", "steps", "reprover"] = "few-shot"
    """The prompt. `few-shot`: worked examples, then the state. `steps`: the state as proof steps are written in a
    corpus, for a model trained on them. `reprover`: the state alone, for an encoder-decoder trained on it."""

    temperature: Annotated[float, msgspec.Meta(ge=0)] = 0.7
    """Of sampled candidates. 0 is greedy: for whole proofs with one sample."""

    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """Of sampled candidates: the smallest set of tokens with this probability is drawn from."""

    max_tokens: Positive = 256
    """New tokens a tactic."""

    every: bool = False
    """Whole proofs: check every sample, also after one was accepted, so that pass@k is known for every smaller k."""

    proof_tokens: Positive = 1024
    """New tokens a whole proof."""

    seed: int = 0
    """Of sampling."""


class ProveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A run over many theorems."""

    mode: Literal["search", "whole", "informal"] = "search"
    """Best-first search; whole proofs from the statement; whole proofs from the informal statement and proof."""

    search: SearchConfig = SearchConfig()
    prover: ProverConfig = ProverConfig()

    workers: Positive = 2
    """Provers that run at the same time."""

    open: Positive | None = None
    """Theorems at work at the same time, so that the model has a batch while provers work; without it, four a
    worker."""

    batch: Positive = 512
    """Samples asked of the model at a time; new requests wait until all of them are answered."""

    max_errors: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    """Share of theorems that may end in an error of prover or model before the command fails (exit 5). A theorem that
    the prover does not take at all is told, and counts only when none is taken."""
