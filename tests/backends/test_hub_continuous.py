"""Continuous batching, here on the CPU: the same greedy answers as batch by batch, in any company."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from llemma.backends import hub_continuous
from llemma.backends.base import open_backend
from llemma.core.errors import LlemmaError, MissingError
from llemma.core.types import Request

SHOTS = "Q: what is two plus two?\nA: four.\n\n" * 3
SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, saved: Callable[..., Path]) -> Path:
    text = SHOTS + "Problem: solution 0 1 2 3 4 5 6 7 8 9"
    return saved(tmp_path_factory.mktemp("continuous") / "m", text, max_position_embeddings=128, **SHAPE)


def opened(folder: Path, batching: str, **options: Any) -> Any:
    return open_backend(f"hf:{folder}?bos=true&dtype=float32&device_map=cpu&batching={batching}", **options)


@pytest.fixture(scope="module")
def static(folder: Path) -> Any:
    return opened(folder, "static")


@pytest.fixture(scope="module")
def continuous(folder: Path) -> Any:
    return opened(folder, "continuous")


def requests(**more: Any) -> list[Request]:
    questions = ["two?", "what is two plus two plus two?", "what?", "four 3?", "9 8 7 6", ""]
    fields = {"max_tokens": 16, **more}
    return [Request(f"p{i}", f"{SHOTS}Q: {question}\nA:", **fields) for i, question in enumerate(questions)]


def answers(backend: Any, asked: list[Request]) -> dict[str, list[tuple[Any, ...]]]:
    found = {
        samples[0].request: [(s.sample, s.text, s.tokens, s.finish, round(s.logprob, 2), bool(s.cut)) for s in samples]
        for samples in backend.complete(asked)
    }
    assert len(found) == len(asked)
    return dict(sorted(found.items()))


def test_greedy_answers_are_those_of_batch_by_batch(static: Any, continuous: Any) -> None:
    assert continuous.continuous and not static.continuous
    assert continuous.identity == static.identity
    wanted = answers(static, requests())
    assert answers(continuous, requests()) == wanted
    assert len({rows[0][1] for rows in wanted.values()}) > 1


def test_ends_of_texts_and_stop_strings_end_requests_alone(
    static: Any, continuous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = answers(static, requests())
    ends = static.eos | {static.tokenizer.encode(free["p0"][0][1], add_special_tokens=False)[3]}
    mark = free["p1"][0][1][4:6]
    monkeypatch.setattr(static, "eos", ends)
    monkeypatch.setattr(continuous, "eos", ends)
    wanted = answers(static, requests(stop=[mark]))
    assert answers(continuous, requests(stop=[mark])) == wanted
    assert "stop" in {rows[0][3] for rows in wanted.values()} and len({rows[0][2] for rows in wanted.values()}) > 2


@pytest.mark.slow
def test_a_few_at_a_time_and_beginnings_cut_off(folder: Path, static: Any) -> None:
    two = opened(folder, "continuous", batch=2)
    asked = [*requests(), Request("long", SHOTS * 6, max_tokens=20), Request("twice", SHOTS, n=3, max_tokens=4)]
    found = answers(two, asked)
    assert found == answers(static, asked)
    assert found["long"][0][-1] is True and len(found["twice"]) == 3


@pytest.mark.slow
def test_samples_keep_their_own_streams(static: Any, continuous: Any) -> None:
    asked = [*requests(n=3, temperature=1.0), Request("greedy", "two", max_tokens=3)]
    assert answers(continuous, asked) == answers(static, asked)


def test_on_a_cpu_it_is_not_chosen_unasked(folder: Path) -> None:
    assert not opened(folder, "auto").continuous


@pytest.mark.slow
def test_a_model_that_cannot_is_refused_before_the_first_request(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any, **options: Any) -> Any:
        raise ValueError("paged attention of no kind")

    monkeypatch.setattr("transformers.LlamaForCausalLM.continuous_batching_context_manager", refuse)
    with pytest.raises(MissingError, match="no continuous batching of this model: ValueError: paged attention"):
        opened(folder, "continuous")
    monkeypatch.undo()
    monkeypatch.setattr(hub_continuous, "_agrees", lambda *given: False)
    with pytest.raises(MissingError, match="its results differ"):
        opened(folder, "continuous")


def test_a_loop_that_dies_is_an_error_and_not_a_wait(continuous: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*given: Any, **options: Any) -> Any:
        raise RuntimeError("the card fell off the bus")

    monkeypatch.setattr(hub_continuous, "_WAIT", 0.05)
    monkeypatch.setattr(continuous.model, "forward", die)
    with pytest.raises(LlemmaError, match="fell off the bus"):
        samples = list(continuous.complete(requests()))
        raise LlemmaError(samples[0][0].error)
