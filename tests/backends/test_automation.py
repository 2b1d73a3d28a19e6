"""The lists of closing tactics as a backend."""

from __future__ import annotations

import pytest

from llemma.backends.automation import LISTS
from llemma.backends.base import open_backend
from llemma.core.errors import MissingError, RecipeError
from llemma.core.types import Completion, Request
from llemma.prove.isabelle.config import CLOSERS


def answer(model: str, prompt: str = "goal", n: int = 100, **options: str) -> list[Completion]:
    return next(iter(open_backend(model, **options).complete([Request("t#1", prompt, n=n)])))


@pytest.mark.parametrize("prover", LISTS)
def test_each_prover_has_a_list_in_falling_probability(prover: str) -> None:
    samples = answer(f"automation:{prover}")
    assert [sample.text for sample in samples] == list(LISTS[prover])
    chances = [sample.logprob for sample in samples if sample.logprob is not None]
    assert len(chances) == len(samples) and chances == sorted(set(chances), reverse=True) and chances[0] < 0
    assert [sample.sample for sample in samples] == list(range(len(samples)))


@pytest.mark.parametrize("prover", LISTS)
def test_no_tactic_is_listed_twice(prover: str) -> None:
    assert len(set(LISTS[prover])) == len(LISTS[prover])


def test_at_most_n_are_given() -> None:
    assert [sample.text for sample in answer("automation:rocq", n=3)] == list(LISTS["rocq"][:3])


def test_the_prover_is_named_told_or_read() -> None:
    lean = list(LISTS["lean"])
    assert [sample.text for sample in answer("automation:", prover="lean")] == lean
    assert [sample.text for sample in answer("automation:lean", prover="rocq")] == lean
    assert [sample.text for sample in answer("automation:", "A state in Lean 4 follows.\nrocq")] == lean
    nothing = answer("automation:", "goal", n=2)
    assert [sample.finish for sample in nothing] == ["error", "error"] and "automation:rocq" in nothing[0].error


def test_identities_name_the_list() -> None:
    names = ["automation:rocq", "automation:lean", "automation:isabelle", "automation:"]
    assert len({open_backend(name).identity for name in names}) == 4
    assert open_backend("automation:", prover="rocq").identity == open_backend("automation:rocq").identity


def test_what_it_cannot_do() -> None:
    with pytest.raises(RecipeError) as caught:
        open_backend("automation:roq")
    assert "did you mean 'rocq'" in caught.value.mend
    with pytest.raises(MissingError):
        open_backend("automation:rocq").score(["text"])


def test_isabelles_list_is_that_of_its_gaps_and_then_sledgehammer() -> None:
    assert LISTS["isabelle"] == (*CLOSERS, "sledgehammer")
