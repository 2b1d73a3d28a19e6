"""Finished batches on disk: what a killed evaluation does not have to ask again.

A batch lies in `parts/<digest>.jsonl`, named by the digest of what was asked and of who answered, never by its
number. The file is written whole by rename; its first line is the wall time the batch has cost, the others are the
answers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from llemma.backends.base import Backend, failed
from llemma.core import jsonl
from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.evals.perplexity import Passage, Scored, scored

T = TypeVar("T")
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


class _Head(msgspec.Struct, frozen=True):
    seconds: float


class Part(msgspec.Struct, Generic[T], frozen=True):
    """A batch: wall seconds it took, over all attempts, and its records."""

    seconds: float
    records: list[T]


class Journal:
    """The folder of finished batches of one evaluation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for left in folder.glob(".*.tmp"):
            # what a killed process was writing
            if _TEMPORARY.fullmatch(left.name):
                left.unlink(missing_ok=True)

    def path(self, *work: object) -> Path:
        """Where the batch of this work lies."""
        return self.folder / f"{digest(*work)}.jsonl"

    def read(self, path: Path, kind: type[T]) -> Part[T]:
        """A batch, empty when it was never begun; a damaged file is a `DataError`."""
        if not path.is_file():
            return Part(0.0, [])
        lines = jsonl.read(path, msgspec.Raw)
        head = next(lines, None)
        seconds = msgspec.json.decode(head, type=_Head).seconds if head is not None else 0.0
        return Part(seconds, [msgspec.json.decode(line, type=kind) for line in lines])

    def write(self, path: Path, part: Part[T]) -> None:
        """Keep a batch, whole or not at all."""
        jsonl.write(path, [_Head(round(part.seconds, 3)), *part.records])


def batches(requests: Sequence[Request], samples: int) -> Iterator[list[Request]]:
    """Runs of neighbouring requests that ask for at most `samples` samples together, at least one request each."""
    batch: list[Request] = []
    for request in requests:
        if batch and sum(r.n for r in batch) + request.n > samples:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def complete(backend: Backend, batch: Sequence[Request], journal: Journal) -> Part[Completion]:
    """The completions of a batch in the order of its requests: from the journal, else from the backend.

    Requests that ended in an error are asked again. When the backend dies, what it had finished is kept.
    """
    path = journal.path("complete", backend.identity, batch)
    kept = journal.read(path, Completion)
    done = _by_request(kept.records)
    missing = [request for request in batch if not _sound(done.get(request.id, []), request)]
    if not missing:
        return kept
    begun, asked = time.monotonic(), {request.id: request for request in missing}
    finished = False
    try:
        for samples in backend.complete(missing):
            done.update(_answers(samples, asked))
        finished = True
    finally:
        if finished:
            for request in missing:
                done.setdefault(request.id, failed(request, "the backend gave no answer"))
        records = [completion for request in batch for completion in done.get(request.id, [])]
        part = Part(kept.seconds + time.monotonic() - begun, records)
        if records:
            journal.write(path, part)
    return part


def _by_request(completions: Iterable[Completion]) -> dict[str, list[Completion]]:
    found: dict[str, list[Completion]] = {}
    for completion in completions:
        found.setdefault(completion.request, []).append(completion)
    return found


def _sound(samples: Sequence[Completion], request: Request) -> bool:
    return len(samples) == request.n and all(sample.finish != "error" for sample in samples)


def _answers(samples: Sequence[Completion], asked: dict[str, Request]) -> dict[str, list[Completion]]:
    """Samples by request, numbered 0 … n-1: lacking ones are errors, surplus ones and unasked answers are left out."""
    found = {}
    for name, group in _by_request(samples).items():
        if name in asked:
            given = {sample.sample: sample for sample in group}
            everything = failed(asked[name], "the backend gave no such sample")
            found[name] = [given.get(lacking.sample, lacking) for lacking in everything]
    return found


def score(backend: Backend, batch: Sequence[Passage], journal: Journal, advance: Callable[[int], None]) -> Part[Scored]:
    """The likelihoods of a batch of passages, in order: from the journal, else from the backend."""
    path = journal.path("score", backend.identity, batch)
    kept = journal.read(path, Scored)
    if len(kept.records) == len(batch):
        return kept
    begun, rows = time.monotonic(), []
    for passage, likelihood in zip(batch, backend.score([passage.text for passage in batch]), strict=True):
        rows.append(scored(passage, likelihood))
        advance(likelihood.bytes)
    part = Part(time.monotonic() - begun, rows)
    journal.write(path, part)
    return part
