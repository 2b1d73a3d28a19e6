"""Batches made ahead are those that the feed would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from llemma.core.recipe import Count
from llemma.core.types import Mixture, Part
from llemma.tokens.mixture import shares
from llemma.train.ahead import Ahead
from llemma.train.config import TrainConfig
from llemma.train.feed import Feed
from llemma.train.mesh import Mesh

CONFIG = TrainConfig(mixture=[Part("a", 1.0, 50.0)], tokens=Count(20 * 4 * 16), context=16, batch=4)
CPU = torch.device("cpu")


def feed(data: Any) -> Feed:
    _, stores = data
    available = {name: store.info.tokens for name, store in stores.items()}
    planned = shares(Mixture(CONFIG.mixture, CONFIG.seed), available, CONFIG.tokens)
    return Feed(stores, planned, CONFIG, 20, Mesh(0, 1, "cpu"))


def test_steps_come_as_the_feed_gives_them_also_after_going_back(data: Any) -> None:
    plain, used = feed(data), feed(data)
    with Ahead(used, CPU, documents=True) as ahead:
        for step, left_out in ((0, []), (1, []), (2, []), (1, [(4, 12)]), (2, [(4, 12)]), (9, [(4, 12)])):
            plain.left_out = used.left_out = left_out  # type: ignore[assignment]
            batch = ahead.take(step)
            assert torch.equal(batch.windows, plain.windows(step)) and batch.labels is None
            assert batch.documents is not None and torch.equal(batch.documents, plain.documents(step))


def test_the_next_batch_is_under_way_before_it_is_asked_for(data: Any) -> None:
    used, asked = feed(data), list[int]()
    windows = used.windows
    used.windows = lambda step: (asked.append(step), windows(step))[1]  # type: ignore[method-assign]
    with Ahead(used, CPU, documents=False) as ahead:
        ahead.take(0)
        assert ahead.next is not None
        ahead.next[1].result()
        assert asked == [0, 1]
        ahead.take(1, last=True)
        assert asked == [0, 1] and ahead.next is None
    assert np.array_equal(asked, [0, 1])
