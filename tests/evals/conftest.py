import json
import math

import pytest

from llemma.backends.base import Likelihood
from llemma.core.console import Console
from llemma.core.types import Completion
from llemma.evals.task import jsonl_task


class Scripted:
    """A backend of functions: `answer(request, sample)` gives text or a completion; every request asked is noted."""

    device = "none"

    def __init__(self, answer, identity="scripted-1"):
        self.answer, self.identity, self.name = answer, identity, "scripted:"
        self.asked, self.scored = [], []

    def complete(self, requests):
        for request in reversed(requests):  # any order is allowed
            self.asked.append(request)
            yield [self._completion(request, i) for i in range(request.n)]

    def _completion(self, request, sample):
        given = self.answer(request, sample)
        return (
            given if isinstance(given, Completion) else Completion(request.id, sample, given, tokens=len(given.split()))
        )

    def score(self, texts):
        self.scored.extend(texts)
        for text in texts:
            yield Likelihood(nats=len(text) * math.log(2), tokens=len(text), bytes=len(text.encode()))


@pytest.fixture
def scripted():
    return Scripted


@pytest.fixture
def quiet():
    return Console(quiet=True)


@pytest.fixture
def sums(tmp_path):
    """A task of ten sums, `s0` … `s9`, the sum of `s<n>` being 2n."""
    path = tmp_path / "sums.jsonl"
    rows = [{"id": f"s{n}", "problem": f"What is {n} + {n}?", "answer": 2 * n} for n in range(10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return jsonl_task(path)
