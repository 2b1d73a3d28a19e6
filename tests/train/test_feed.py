"""Which windows a step takes depends on the seed and on what was left out, not on the number of processes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import RecipeError
from llemma.core.recipe import Count
from llemma.core.types import Mixture, Part
from llemma.tokens.mixture import shares
from llemma.train.config import TrainConfig
from llemma.train.feed import Feed, joined, place_of
from llemma.train.mesh import Mesh

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=5)
CONFIG = TrainConfig(mixture=[Part("a", 1.0, 50.0)], tokens=Count(20 * 6 * 16), context=16, batch=6)


def feed(data: Any, rank: int = 0, size: int = 1) -> Feed:
    _, stores = data
    available = {name: store.info.tokens for name, store in stores.items()}
    planned = shares(Mixture(CONFIG.mixture, CONFIG.seed), available, CONFIG.tokens)
    return Feed(stores, planned, CONFIG, 20, Mesh(rank, size, "cpu"))


@given(spans=SPANS)
def test_windows_are_the_places_that_were_not_left_out(spans: list[tuple[int, int]]) -> None:
    left_out = {place for start, stop in spans for place in range(start, stop)}
    kept = [place for place in range(200) if place not in left_out]
    assert [place_of(number, joined(spans)) for number in range(80)] == kept[:80]


@given(spans=SPANS)
def test_joined_spans_ascend_without_touching(spans: list[tuple[int, int]]) -> None:
    found = joined(spans)
    assert all(stop < start for (_, stop), (start, _) in pairwise(found))
    assert joined(found) == found


@pytest.mark.parametrize("size", [2, 3, 6])
def test_processes_divide_the_windows_of_one(data: Any, size: int) -> None:
    whole = feed(data)
    parts = [feed(data, rank, size) for rank in range(size)]
    for step in (0, 7, 19):
        assert torch.equal(whole.windows(step), torch.cat([part.windows(step) for part in parts]))
        assert torch.equal(whole.documents(step), torch.cat([part.documents(step) for part in parts]))


def test_a_batch_that_cannot_be_divided_is_refused(data: Any) -> None:
    with pytest.raises(RecipeError, match="cannot be divided among 4"):
        feed(data, 0, 4)


def test_places_beyond_the_plan_are_windows_not_drawn_before(data: Any) -> None:
    found = feed(data)
    named = [found._named(place) for place in range(300)]
    assert len(set(named)) == 300


def test_documents_change_where_a_new_one_begins(data: Any) -> None:
    tokenizer, _ = data
    found = feed(data)
    for step in range(20):
        windows, documents = found.windows(step), found.documents(step)
        steps = documents[:, 1:] - documents[:, :-1]
        assert np.array_equal(steps.numpy(), (windows[:, 1:] == tokenizer.bos).numpy())
        assert (documents[:, 0] == 0).all()


def test_what_was_left_out_moves_the_rest(data: Any) -> None:
    found, plain = feed(data), feed(data)
    found.left_out = [(12, 24)]
    assert torch.equal(found.windows(1), plain.windows(1)) and torch.equal(found.windows(2), plain.windows(4))
    assert found.span(2, 3) == (24, 30)
    assert msgspec.json.encode(found.left_out) == b"[[12,24]]"
