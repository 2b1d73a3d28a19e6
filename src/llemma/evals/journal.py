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


def sweep(folder: Path) -> None:
    """Remove what a killed process was writing into `folder`."""
    for left in folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(left.name):
            left.unlink(missing_ok=True)


class Journal:
    """The folder of finished batches of one evaluation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sweep(folder)

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
        jsonl.write(path, [_Head(part.seconds), *part.records])


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


def complete(
    backend: Backend, batch: Sequence[Request], journal: Journal, seen: Callable[[Sequence[Completion]], None]
) -> Part[Completion]:
    """The completions of a batch in the order of its requests: from the journal, else from the backend.

    Requests that ended in an error are asked again. When the backend dies or the user stops it, what was finished is
    kept. `seen` gets the samples of each request as soon as they are there.
    """
    path = journal.path("complete", backend.identity, batch)
    kept = journal.read(path, Completion)
    given = _by_request(kept.records)
    done = {request.id: given[request.id] for request in batch if _sound(given.get(request.id, []), request)}
    for samples in done.values():
        seen(samples)
    missing = [request for request in batch if request.id not in done]
    if not missing:
        return kept
    begun = time.monotonic()
    try:
        for samples in _answers(backend, missing):
            done[samples[0].request] = samples
            seen(samples)
    finally:
        records = [completion for request in batch for completion in done.get(request.id, [])]
        part = Part(round(kept.seconds + time.monotonic() - begun, 3), records)
        journal.write(path, part)
    return part


def _by_request(completions: Iterable[Completion]) -> dict[str, list[Completion]]:
    found: dict[str, list[Completion]] = {}
    for completion in completions:
        found.setdefault(completion.request, []).append(completion)
    return found


def _sound(samples: Sequence[Completion], request: Request) -> bool:
    return len(samples) == request.n and all(sample.finish != "error" for sample in samples)


def _answers(backend: Backend, requests: Sequence[Request]) -> Iterator[list[Completion]]:
    """All samples of each request, numbered 0 … n-1: what the backend owes is an error in its place."""
    owed = {request.id: request for request in requests}
    for answer in backend.complete(requests):
        for name, group in _by_request(answer).items():
            request = owed.pop(name, None)
            if request is not None:
                given = {sample.sample: sample for sample in group}
                yield [given.get(lack.sample, lack) for lack in failed(request, "the backend gave no such sample")]
    for request in owed.values():
        yield failed(request, "the backend gave no answer")


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
    part = Part(round(time.monotonic() - begun, 3), rows)
    journal.write(path, part)
    return part
