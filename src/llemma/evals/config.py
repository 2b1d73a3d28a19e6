"""The `[eval]` section of a recipe."""

from __future__ import annotations

from typing import Annotated

import msgspec

from llemma.tools.config import SandboxConfig

Positive = Annotated[int, msgspec.Meta(ge=1)]


class EvalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to ask of a model, how often, and what of it to keep."""

    tasks: list[str] = []
    """Task names, or paths of files of problems (`mine.jsonl`)."""

    shots: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Worked examples before each problem; without it, what the task says."""

    limit: Positive | None = None
    """Problems a task, from its beginning; without it, all."""

    k: Positive = 1
    """Samples a problem for maj@k, asked beside the greedy one; 1 means greedy alone."""

    published_k: bool = False
    """As many samples as were published for each task, in place of `k`."""

    temperature: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Of the k samples; without it, what was published for the task (0.6 for a file of one's own)."""

    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    """Of the k samples: the smallest set of tokens with this probability is drawn from; without it, what was published
    for the task (0.95 for a file of one's own)."""

    max_tokens: Positive | None = None
    """New tokens a completion; without it, what the task says."""

    seed: int = 0
    """Of sampling and of the bootstrap."""

    batch: Positive = 64
    """Samples asked of the backend at a time; a finished batch is on disk, so a kill loses at most one."""

    perplexity: bool | list[str] = True
    """Bits per byte: on all groups of texts (the sources of a corpus), on none, or on the named ones."""

    perplexity_bytes: Positive = 200_000
    """UTF-8 bytes of text a group."""

    perplexity_document_bytes: Positive = 8_192
    """UTF-8 bytes a document: the rest of a longer one is left out, so that one long document does not decide."""

    general: list[str] = msgspec.field(default_factory=lambda: ["general"])
    """Groups that are not mathematics; all others together are the score `mathematics`."""

    max_errors: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01
    """Share of items that may end in a backend's or judge's error before the command fails (exit 5)."""

    sandbox: SandboxConfig = SandboxConfig()
    """Where the programs of tasks with programs run."""
