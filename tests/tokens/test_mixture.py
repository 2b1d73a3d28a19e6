"""Shares respect weights and caps; the order is a law of the seed alone."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.core.errors import DataError, RecipeError
from llemma.core.files import digest, write_json
from llemma.core.types import Mixture, Part
from llemma.tokens import mixture
from llemma.tokens.mixture import Order, Schedule, Windows, shares
from llemma.tokens.store import Store, StoreInfo

CONTEXT = 8


def make_store(path: Path, lengths: list[int], first: int = 0) -> Store:
    """A store whose ids count up from `first`, so that every token of it is told apart."""
    path.mkdir(parents=True)
    total = sum(lengths)
    np.arange(first, first + total, dtype="<u4").tofile(path / "tokens.bin")
    np.array([0, *np.cumsum(lengths)], dtype="<u8").tofile(path / "docs.idx")
    write_json(path / "store.json", StoreInfo(len(lengths), total, total, "uint32", 2**20, "x"))
    return Store(path)


sizes = st.integers(1, 10_000)
weights = st.floats(0.0, 10.0)


@given(
    st.lists(st.tuples(sizes, weights, st.floats(0.1, 8), st.floats(0.05, 1)), min_size=1, max_size=5),
    st.integers(1, 20_000),
)
def test_shares_fill_the_plan_or_say_why_not(parts: list[tuple[int, float, float, float]], tokens: int) -> None:
    mixed = Mixture([Part(str(i), w, e, f) for i, (_, w, e, f) in enumerate(parts)])
    available = {str(i): n for i, (n, *_) in enumerate(parts)}
    caps = [min(n * e, f * tokens) if w > 0 else 0.0 for n, w, e, f in parts]
    if sum(caps) < tokens:
        with pytest.raises(RecipeError, match="epoch caps"):
            shares(mixed, available, tokens)
        return
    found = shares(mixed, available, tokens)
    assert sum(share.share for share in found) == pytest.approx(1)
    for share, cap in zip(found, caps, strict=True):
        assert share.share * tokens <= cap * (1 + 1e-9) + 1e-6
    free = [
        share
        for share, cap in zip(found, caps, strict=True)
        if share.share * tokens < cap * 0.999 and share.weight > 1e-6
    ]
    ratios = [share.share / share.weight for share in free]
    assert ratios == pytest.approx([ratios[0]] * len(ratios)) if ratios else True


def test_an_unknown_subset_is_refused() -> None:
    with pytest.raises(RecipeError, match="of which there are no tokens"):
        shares(Mixture([Part("arxvi", 1.0)]), {"arxiv": 10}, 5)


@settings(deadline=None)
@given(st.lists(st.integers(2, 40), min_size=1, max_size=30).filter(lambda x: sum(x) > CONTEXT + 1), st.integers(0, 5))
def test_an_epoch_shows_every_window_once(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], seed: int
) -> None:
    windows = Windows(make_store(tmp_path_factory.mktemp("w") / "s", lengths), CONTEXT, seed)
    assert windows.count == (sum(lengths) - 1) // CONTEXT
    for epoch in (0, 1):
        drawn = [windows.window(epoch * windows.count + i) for i in range(windows.count)]
        assert all(len(window) == CONTEXT + 1 for window in drawn)
        inputs = np.concatenate([window[:-1] for window in drawn])
        assert len(np.unique(inputs)) == len(inputs) == windows.count * CONTEXT


def test_documents_stay_whole_inside_windows(tmp_path: Path) -> None:
    windows = Windows(make_store(tmp_path / "s", [5, 7, 11, 40]), CONTEXT, 0)
    stream = np.concatenate([windows.store.document(int(i)) for i in windows.order])
    for number in range(windows.count):
        found = windows.window(number)
        start = int(np.flatnonzero(stream == found[0])[0])
        assert (stream[start : start + CONTEXT + 1] == found).all()


def test_the_order_has_the_shares_in_every_prefix_and_needs_no_state(tmp_path: Path) -> None:
    stores = {name: make_store(tmp_path / name, [50] * 40, 10_000 * i) for i, name in enumerate("abc")}
    planned = shares(Mixture([Part("a", 6.0), Part("b", 3.0), Part("c", 1.0)]), dict.fromkeys("abc", 2000), 3000)
    order = Order(stores, planned, CONTEXT, seed=1)
    sources, draws = order.schedule(300).chunk(0)
    for prefix in (64, 128, 192, 300):
        counts = Counter(sources[:prefix].tolist())
        for index, share in enumerate([0.6, 0.3, 0.1]):
            assert abs(counts[index] - share * prefix) <= 2
    assert all(sorted(draws[sources == i]) == list(range((sources == i).sum())) for i in range(3))
    again = Order(stores, planned, CONTEXT, seed=1)
    late = [again.window(int(sources[i]), int(draws[i])) for i in range(250, 300)]
    assert all((order.window(int(sources[i]), int(draws[i])) == late[i - 250]).all() for i in range(250, 300))
    other, _ = Order(stores, planned, CONTEXT, seed=2).schedule(300).chunk(0)
    assert (other != sources).any()


def at_once(shares: np.ndarray, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first chunk of an order as one sort of all draws gives it."""
    wanted = np.ceil(shares * count).astype(np.int64) + 1
    places = np.concatenate([(np.arange(n) + 0.5) / share for n, share in zip(wanted, shares, strict=True)])
    sources = np.repeat(np.arange(len(wanted)), wanted)[np.argsort(places, kind="stable")[:count]]
    rng = np.random.default_rng(int(digest(seed, "interleave"), 16))
    for start in range(0, count, 64):
        rng.shuffle(sources[start : start + 64])
    draws = np.empty(count, dtype=np.int64)
    for index in range(len(shares)):
        draws[sources == index] = np.arange((sources == index).sum())
    return sources, draws


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6), st.integers(1, 3000), st.integers(0, 3))
def test_the_order_is_that_of_one_sort(parts: list[int], count: int, seed: int) -> None:
    portions = np.array(parts) / sum(parts)
    found = Schedule(portions, seed, count)
    sources, draws = at_once(portions, seed, count)
    assert all(map(np.array_equal, found.chunk(0), (sources, draws)))
    assert np.array_equal(found.drawn, np.bincount(sources, minlength=len(parts)))


def test_chunks_draw_each_window_once_and_keep_the_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "CHUNK", 128)
    portions = np.array([190, 380, 95, 14, 21]) / 700
    found = Schedule(portions, 1, 1000)
    named = [found.named(place) for place in range(1000)]
    assert len(set(named)) == 1000
    for index, drawn in enumerate(found.drawn):
        assert sorted(draw for source, draw in named if source == index) == list(range(drawn))
    later = [found.named(place) for place in (999, 3, 500)]
    assert later == [named[999], named[3], named[500]]
    assert np.abs(found.drawn - 1000 * portions).max() <= 1


def test_an_order_of_a_large_run_is_known_at_once() -> None:
    """48,000 steps of 1,024 windows: no array of all of them is made."""
    tracemalloc.start()
    found = Schedule(np.array([190, 380, 95, 14, 21]) / 700, 0, 48_000 * 1024)
    source, draw = found.named(41_999 * 1024)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    share = found.shares[source]
    assert abs(draw - 41_999 * 1024 * share) < 100 and peak < 30e6


def test_too_little_for_one_window(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fewer than one window"):
        Windows(make_store(tmp_path / "s", [4]), CONTEXT, 0)


def test_an_optional_source_that_is_not_there_is_left_out() -> None:
    parts = [Part("a", 1.0, max_epochs=100), Part("b", 1.0, optional=True)]
    assert [share.source for share in shares(Mixture(parts), {"a": 100}, 50)] == ["a"]
    with pytest.raises(RecipeError, match="'b'"):
        shares(Mixture([parts[0], Part("b", 1.0)]), {"a": 100}, 50)
