"""What `results.json` says of an evaluation, or of a run over theorems. Unknown fields are ignored, fields of later
versions have defaults."""

from __future__ import annotations

import msgspec

from llemma.core.types import Score


class Source(msgspec.Struct, frozen=True):
    """Where the problems of a task came from."""

    origin: str = ""
    sha256: str = ""
    revision: str = ""


class TaskFacts(msgspec.Struct, frozen=True):
    """How a task was asked."""

    task: str
    version: int = 0
    shots: int = 0
    judge: str = ""
    judge_version: int = 0
    problems: int = 0
    asked: int = 0
    k: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 0
    stop: list[str] = []
    protocol: str = ""
    prompts: str = ""
    data: Source | None = None


class Part(msgspec.Struct, frozen=True):
    """A score of the problems of a task that share a fact: `by` is `subject` or `level`, `name` its value."""

    by: str
    name: str
    score: Score


class Latency(msgspec.Struct, frozen=True):
    """Seconds a request, over the requests of one reading."""

    requests: int
    median: float
    p99: float


class Cost(msgspec.Struct, frozen=True):
    """What one task has cost: wall seconds in the backend, samples, new tokens, seconds of judging.

    `cut` prompts lost their beginning, being too long for the model's context.
    """

    task: str
    seconds: float = 0.0
    samples: int = 0
    tokens: int = 0
    latencies: dict[str, Latency] = {}
    judging: float = 0.0
    cut: int = 0


class Facts(msgspec.Struct, frozen=True):
    """Our part of `results.json`; `general` names subsets of text that is no mathematics, `seconds` are the model's."""

    model: str = ""
    device: str = ""
    seconds: float = 0.0
    tasks: list[TaskFacts] = []
    scores: list[Score] = []
    curves: list[Score] = []
    parts: list[Part] = []
    costs: list[Cost] = []
    general: list[str] = []
    seed: int = 0


class NoModel(msgspec.Struct, frozen=True):
    """What closing tactics prove without a model."""

    score: Score
    model: str = ""


class ProvingFacts(msgspec.Struct, frozen=True):
    """`results.json` of a run over theorems; `not_taken` theorems did not open in the prover."""

    task: str
    prover: str
    score: Score
    prover_identity: str = ""
    model: str = ""
    protocol: str = ""
    device: str = ""
    baseline: NoModel | None = None
    not_taken: int = 0
    rejected: int = 0
    expansions: int = 0
    tried: int = 0
    seconds: float = 0.0
