"""`replay:FILE` answers from recorded completions, so that a run can be judged, shown or tested without its model.

Rows hold `id` (or `request`) or `prompt`, and `text` or `texts`; several rows with one key are several samples. A
row's id answers the request of that id, or any request about the problem of that id (`p1` answers `p1#greedy` and
`p1#maj`). The completions that an evaluation writes are such rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from llemma.backends.base import Likelihood, cut, failed, no_likelihoods
from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.files import file_digest
from llemma.core.types import Completion, Flag, Request


class Recorded(msgspec.Struct, frozen=True):
    """One row of a recording; other fields are let through unread."""

    id: str | int | None = None
    request: str | None = None
    prompt: str | None = None
    text: str | None = None
    texts: list[str] | None = None
    finish: Literal["stop", "length", "error"] = "stop"
    tokens: int = 0
    logprob: float | None = None
    seconds: float = 0.0
    error: str = ""
    cut: Flag = msgspec.UNSET


class Replay(msgspec.Struct, frozen=True):
    """Recorded samples by id and by prompt, in file order."""

    name: str
    identity: str
    by_id: dict[str, list[Recorded]]
    by_prompt: dict[str, list[Recorded]]
    device: str = "none"

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`; what was not recorded is an error."""
        for request in requests:
            samples = self._samples(request)[: request.n]
            lacking = range(len(samples), request.n)
            why = f"{len(samples)} of {request.n} samples are recorded" if samples else "not recorded"
            yield [_completion(request, i, row) for i, row in enumerate(samples)] + failed(request, why, lacking)

    def _samples(self, request: Request) -> list[Recorded]:
        problem = request.id.rpartition("#")[0]
        for key in (request.id, problem):
            if key in self.by_id:
                return self.by_id[key]
        return self.by_prompt.get(request.prompt, [])

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """A recording of completions has no probabilities of other texts: raises `MissingError`."""
        no_likelihoods(self.name)


def _completion(request: Request, sample: int, row: Recorded) -> Completion:
    # A live model would have ended at the stop string, whatever length was recorded.
    text, stopped = cut(row.text or "", request.stop)
    return Completion(
        request=request.id,
        sample=sample,
        text=text,
        finish="stop" if stopped else row.finish,
        tokens=row.tokens,
        logprob=row.logprob,
        seconds=row.seconds,
        error=row.error,
        cut=row.cut,
    )


def open_replay(name: str, **_options: Any) -> Replay:
    """The opener of `replay:FILE` (JSON lines). Raises `MissingError`, or `DataError` that names the row."""
    path = Path(name)
    if not path.is_file():
        raise MissingError(f"no recording '{name}'", where=f"replay:{name}", mend="check the path after 'replay:'")
    by_id: dict[str, list[Recorded]] = {}
    by_prompt: dict[str, list[Recorded]] = {}
    for number, row in enumerate(jsonl.read(path, Recorded), start=1):
        samples = _single(row, f"{path} row {number}")
        key = row.request if row.request is not None else row.id
        if key is not None:
            by_id.setdefault(str(key), []).extend(samples)
        elif row.prompt is not None:
            by_prompt.setdefault(row.prompt, []).extend(samples)
        else:
            raise DataError("a recorded row needs 'id' or 'prompt'", where=f"{path} row {number}", mend="add one")
    return Replay(name=f"replay:{name}", identity=file_digest(path), by_id=by_id, by_prompt=by_prompt)


def _single(row: Recorded, where: str) -> list[Recorded]:
    if row.texts is not None:
        return [msgspec.structs.replace(row, text=text, texts=None) for text in row.texts]
    if row.text is None:
        raise DataError("a recorded row needs 'text' or 'texts'", where=where, mend="add the recorded completion")
    return [row]
