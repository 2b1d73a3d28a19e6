"""Beam search finds what transformers' own finds, and for small texts what trying all of them finds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

pytest.importorskip("transformers")

from llemma.backends import beam
from llemma.backends.base import open_backend
from llemma.backends.hub_network import PlainState
from llemma.core.errors import MissingError
from llemma.core.files import digest
from llemma.core.types import Request

TEXT = "what is two plus two? four. Problem: solution 0 1 2 3 4 5 6 7 8 9"
SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3}
PROMPTS = ["what is two plus", "four. Problem: what is two plus two?", "what"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, saved: Callable[..., Path]) -> Path:
    return saved(tmp_path_factory.mktemp("beam") / "m", TEXT, max_position_embeddings=96, **SHAPE)


def requests(n: int, **more: Any) -> list[Request]:
    return [Request(f"p{i}", prompt, n=n, max_tokens=8, beam=True, **more) for i, prompt in enumerate(PROMPTS)]


def answers(backend: Any, asked: list[Request]) -> dict[str, list[tuple[str, str, float]]]:
    found = {}
    for samples in backend.complete(asked):
        assert [sample.sample for sample in samples] == list(range(len(samples)))
        found[samples[0].request] = [(s.text, s.finish, round(s.logprob, 2)) for s in samples]
    return dict(sorted(found.items()))


class Table:
    """A `State` whose logits are a function of the ids before."""

    def __init__(self, rows: int, logits: Callable[[list[int]], Sequence[float]]) -> None:
        self.logits_of, self.ids = logits, [[] for _ in range(rows)]
        self._look()

    def _look(self) -> None:
        self.logits = torch.tensor([list(self.logits_of(ids)) for ids in self.ids])

    def advance(self, tokens: list[int], rows: list[int]) -> None:
        self.ids = [[*self.ids[row], token] for row, token in zip(rows, tokens, strict=True)]
        self._look()


def chance(ids: list[int]) -> list[float]:
    """Logits of 4 tokens, that of the end (3) rising with the length; arbitrary otherwise."""
    return [math.sin(17 * sum((i + 2) * (t + 1) for i, t in enumerate(ids)) + 5 * t) for t in range(3)] + [
        len(ids) - 2.0
    ]


def test_a_wide_search_finds_the_most_probable_of_all() -> None:
    every = []
    for length in range(5):
        for ids in itertools.product(range(3), repeat=length):
            logprob = 0.0
            for at, token in enumerate((*ids, 3) if length < 4 else ids):
                row = torch.tensor(chance(list(ids[:at]))).log_softmax(0)
                logprob += float(row[token])
            every.append((logprob, list(ids)))
    [found] = beam.search(Table(60, chance), 1, 60, 4, {3})
    best = sorted(every, reverse=True)[:60]
    assert [one.ids for one in found[:10]] == [ids for _, ids in best[:10]]
    assert [one.logprob for one in found] == pytest.approx([logprob for logprob, _ in best], abs=1e-4)


def test_prompts_are_searched_apart_and_few_continuations_are_no_error_of_the_search() -> None:
    alone = beam.search(Table(3, chance), 1, 3, 6, {3})
    assert beam.search(Table(9, chance), 3, 3, 6, {3}) == alone * 3
    [few] = beam.search(Table(8, lambda ids: [0.0, -1.0]), 1, 8, 1, set())
    assert len(few) == 2 and few[0].finish == "length"


@pytest.mark.parametrize("scheme", ["run", "hf"])
@pytest.mark.parametrize("n", [1, 4])
def test_it_is_transformers_own_search(folder: Path, scheme: str, n: int) -> None:
    hub: Any = open_backend(f"hf:{folder}?bos=true&dtype=float32")
    hub.model.set_attn_implementation("sdpa")
    wanted = {}
    for i, prompt in enumerate(PROMPTS):
        ids = torch.tensor([hub.encode(prompt)])
        settings = {"num_beams": n, "num_return_sequences": n, "length_penalty": 0.0, "early_stopping": False}
        settings |= {"do_sample": False, "max_new_tokens": 8, "return_dict_in_generate": True, "output_scores": True}
        made = hub.model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **settings)
        texts = [hub.decode(row[ids.shape[1] :].tolist()) for row in made.sequences]
        if n == 1:  # transformers has no scores of sequences without beams
            wanted[f"p{i}"] = [(texts[0], None)]
        else:
            wanted[f"p{i}"] = list(zip(texts, (round(x, 2) for x in made.sequences_scores.tolist()), strict=True))
    found = answers(open_backend(f"{scheme}:{folder}" + "?bos=true&dtype=float32" * (scheme == "hf")), requests(n))
    given = {name: [(text, score if n > 1 else None) for text, _, score in rows] for name, rows in found.items()}
    assert given == wanted
    assert len({text for rows in found.values() for text, _, _ in rows}) > 2


def test_a_search_without_a_shared_prefix_and_in_small_batches_is_the_same(folder: Path) -> None:
    hub: Any = open_backend(f"hf:{folder}?bos=true&dtype=float32")
    found = answers(hub, requests(3))
    hub.batch = 1
    assert answers(hub, requests(3)) == found
    hub.batch, hub.state = 64, lambda prompts, samples: PlainState(hub.model, prompts, samples)
    hub.model.set_attn_implementation("sdpa")
    assert answers(hub, requests(3)) == found


def test_stop_strings_end_continuations(folder: Path) -> None:
    backend = open_backend(f"run:{folder}")
    free = answers(backend, requests(4))
    mark = free["p0"][0][0][2:4]
    for rows in answers(backend, requests(4, stop=[mark])).values():
        assert all(mark not in text for text, _, _ in rows)


def test_a_search_and_samples_can_be_asked_together(folder: Path) -> None:
    backend = open_backend(f"run:{folder}")
    found = answers(backend, [*requests(2), Request("z", "two", max_tokens=4)])
    assert list(found) == ["p0", "p1", "p2", "z"] and len(found["z"]) == 1
    assert found["p0"] == answers(backend, requests(2))["p0"]


def test_the_field_leaves_old_requests_as_they_were() -> None:
    old = Request("a", "b")
    assert b"beam" not in msgspec.json.encode(old) and not old.beam
    assert digest(old) != digest(msgspec.structs.replace(old, beam=True))
    before = msgspec.defstruct("Request", [(f.name, f.type) for f in msgspec.structs.fields(Request)[:-1]], frozen=True)
    fields = {"stop": ["x"], "n": 2, "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "seed": 3}
    assert msgspec.structs.fields(Request)[-1].name == "beam"
    assert digest([Request("a", "b", **fields)]) == digest([before("a", "b", *fields.values())])


def test_a_cache_whose_rows_cannot_be_copied_is_refused(folder: Path) -> None:
    hub: Any = open_backend(f"hf:{folder}?bos=true&dtype=float32")

    class Fixed(PlainState):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.picks = False

    hub.state = lambda prompts, samples: Fixed(hub.model, prompts, samples)
    with pytest.raises(MissingError, match="no beam search"):
        list(hub.complete(requests(2)))
