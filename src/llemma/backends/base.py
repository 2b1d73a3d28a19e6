"""What a backend is: requests in, completions out; texts in, likelihoods out.

A model is named `scheme:name` (`run:runs/mini/math`, `replay:completions.jsonl`, `echo:`). The scheme is looked up
in the registry (kind "backend"), so that nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

import msgspec

from llemma.core import registry
from llemma.core.errors import MissingError, RecipeError
from llemma.core.types import Completion, Request


class Likelihood(msgspec.Struct, frozen=True):
    """How likely a text is: `nats` is -ln p summed over `tokens` predicted tokens, which spell `bytes` UTF-8 bytes.

    `bytes` covers exactly what `nats` covers: a backend that had to leave something out counts it in neither. `places`
    divides tokens and nats by the place in the window (first place, tokens, nats), where the backend knows it.
    """

    nats: float
    tokens: int
    bytes: int
    places: list[tuple[int, int, float]] = []


class Backend(Protocol):
    """Anything that answers requests; made by an opener `(name, **options)`, which ignores options it cannot use."""

    @property
    def name(self) -> str:
        """The model as the user wrote it, `scheme:name`; goes into results."""
        ...

    @property
    def identity(self) -> str:
        """Names what answers: a digest of the weights or of the recording. Finished work is kept under it."""
        ...

    @property
    def device(self) -> str:
        """Where it computes: `cpu`, `cuda:0 NVIDIA H200`, `none`."""
        ...

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """One list of `request.n` samples for each request, in any order, each list as soon as it is finished.

        A request that fails yields completions with `finish="error"`; only a backend that cannot go on raises.
        """
        ...

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """The likelihood of each text, in order. Raises `MissingError` at the call where the backend has none."""
        ...

    # A backend that has its model's tokenizer also has `lengths(request) -> (tokens of the prompt, tokens that fit)`.


def open_backend(spec: str, **options: Any) -> Backend:
    """Open the model called `spec`; an unknown scheme is a `RecipeError` with a suggestion."""
    scheme, colon, name = spec.partition(":")
    if not colon:
        here = f"did you mean 'run:{spec}'?  " if Path(spec).exists() else ""
        known = ", ".join(f"{known}:" for known in registry.names("backend"))
        raise RecipeError(f"no scheme in model '{spec}'", mend=f"{here}write scheme:name with one of {known}")
    opener = registry.find("backend", scheme, where=f"model '{spec}'")
    backend: Backend = opener(name, **options)
    return backend


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """`text` before the earliest stop string, and whether there was one."""
    places = [at for at in (text.find(mark) for mark in stop if mark) if at >= 0]
    return (text[: min(places)], True) if places else (text, False)


def failed(request: Request, why: str, samples: Sequence[int] | None = None) -> list[Completion]:
    """Completions that say why `request` has no answer: for `samples`, or for all `request.n`."""
    numbers = range(request.n) if samples is None else samples
    return [Completion(request=request.id, sample=i, text="", finish="error", error=why) for i in numbers]


def no_likelihoods(name: str) -> NoReturn:
    """Refuse `score` for a backend that knows no probabilities."""
    raise MissingError(
        f"'{name}' cannot tell how likely a text is",
        where="bits per byte",
        mend="use a backend with probabilities (run:DIR, hf:NAME), or set perplexity = false",
    )
