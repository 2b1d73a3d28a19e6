"""`echo:` answers with the last line of the prompt: a backend without a model, for trying out and for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from llemma.backends.base import Likelihood, cut, no_likelihoods
from llemma.core.types import Completion, Request


class Echo(msgspec.Struct, frozen=True):
    """Every sample is the prompt's last line that is not blank, cut at the stop strings; a token is a word."""

    name: str = "echo:"
    identity: str = "echo-1"
    device: str = "none"

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`."""
        for request in requests:
            lines = [line for line in request.prompt.splitlines() if line.strip()]
            text, _ = cut(lines[-1] if lines else "", request.stop)
            words = len(text.split())
            yield [Completion(request=request.id, sample=i, text=text, tokens=words) for i in range(request.n)]

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """An echo has no probabilities: raises `MissingError`."""
        no_likelihoods(self.name)


def open_echo(name: str, **_options: Any) -> Echo:
    """The opener of `echo:`."""
    return Echo(name=f"echo:{name}")
