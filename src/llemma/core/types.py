"""The nouns of the toolkit. Each is a frozen record, and the record is the file format."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Outcome = Literal["right", "wrong", "no_answer", "cut_off", "timeout", "error"]
OUTCOMES: tuple[Outcome, ...] = ("right", "wrong", "no_answer", "cut_off", "timeout", "error")
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Flag = bool | msgspec.UnsetType
"""Yes or no; unset means no, and is not written: digests and files stay as they were before the field was there."""


class Document(msgspec.Struct, frozen=True):
    """A text of a corpus. `id` is unique and stable over rebuilds: source, release, path."""

    id: str
    text: str
    source: str
    meta: dict[str, Any] = {}


class Drop(msgspec.Struct, frozen=True):
    """What a document step returns to drop its document."""

    reason: str


class Dropped(msgspec.Struct, frozen=True):
    """A line of the ledger: this document was dropped by this step for this reason."""

    id: str
    source: str
    step: str
    reason: str


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source's share of a mixture.

    `max_epochs` caps how often its tokens may be repeated, `max_fraction` its part of all tokens; what a cap leaves
    over goes to the other sources by weight. An `optional` source that the corpus lacks is left out.
    """

    source: str
    weight: float
    max_epochs: float = 4.0
    max_fraction: float = 1.0
    optional: bool = False


class Mixture(msgspec.Struct, frozen=True):
    """What to train on, in which proportion, in which (seeded) order."""

    parts: list[Part]
    seed: int = 0


class Problem(msgspec.Struct, frozen=True):
    """A question with its gold answer; `meta` may hold the reference solution, level, subject."""

    id: str
    task: str
    text: str
    answer: str
    meta: dict[str, Any] = {}


class Request(msgspec.Struct, frozen=True):
    """What is asked of a backend. `temperature` 0 means greedy.

    `beam`: the `n` most probable continuations that a beam search of width `n` finds, the most probable first, each
    with its `logprob`; `temperature`, `top_p` and `seed` say nothing then.
    """

    id: str
    prompt: str
    stop: list[str] = []
    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int = 0
    beam: Flag = msgspec.UNSET


class Completion(msgspec.Struct, frozen=True):
    """One sampled continuation; `finish` is `stop` (stop string or end of text), `length` or `error`.

    `text` ends before the stop string. `tokens` counts generated tokens, `logprob` is their summed
    natural-log probability where the backend tells it, `seconds` the request's wall time. `cut`: the prompt was too
    long for the model's context and lost its beginning.
    """

    request: str
    sample: int
    text: str
    finish: Literal["stop", "length", "error"] = "stop"
    tokens: int = 0
    logprob: float | None = None
    seconds: float = 0.0
    error: str = ""
    cut: Flag = msgspec.UNSET


class Verdict(msgspec.Struct, frozen=True):
    """The judgement of one sample: outcome, the answer found, the gold answer, and why."""

    problem: str
    sample: int
    outcome: Outcome
    answer: str | None
    gold: str
    why: str
    seconds: float = 0.0


class Score(msgspec.Struct, frozen=True):
    """A number with its 95 % interval, the count behind it, and how the items ended."""

    task: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    outcomes: dict[str, int] = {}


class RunRecord(msgspec.Struct, frozen=True):
    """`run.json`: what was run, on what, with what, and how it ended."""

    id: str
    kind: str
    recipe_digest: str
    inputs: dict[str, str]
    packages: dict[str, str]
    device: str
    started: str
    ended: str = ""
    state: Literal["running", "done", "failed", "interrupted"] = "running"
