"""Chunk duplicates as published and as mended: they agree on plain copies and part where the paper's way errs."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.copies import COPY, chunk_copies
from llemma.corpus.exchange import Keys, Limits, keyed
from llemma.corpus.languages.chunks import CHUNK, RULES, WINDOW, ChunkRule, _least, fingerprints

PUBLISHED, DEFAULT = RULES["llemma"], RULES["default"]


def text(seed: int, size: int = 3 * CHUNK) -> str:
    return "".join(random.Random(seed).choices("abcdefghij \n", k=size))


def kept(rule: ChunkRule, *texts: str) -> list[bool]:
    """Which texts stay, in order, as the global pass decides it."""
    named = [rule.chunks(text) for text in texts]
    rows = [keyed(np.full(len(names), number, np.uint64), names) for number, (names, _) in enumerate(named)]
    dropped = np.zeros(len(texts), bool)
    with tempfile.TemporaryDirectory() as folder:
        keys, file = Keys(len(texts), lambda block: rows[block], sum(map(len, rows))), Path(folder) / "copies"
        limits = Limits(Path(folder) / "met", memory=20_000)
        chunk_copies(rule, keys, lambda document: len(named[document][0]), dropped, file, limits)
        assert np.fromfile(file, COPY)["number"].tolist() == np.flatnonzero(dropped).tolist()
    own = [rule.remembers_dropped and repeats for _, repeats in named]
    return [not (copy or repeats) for copy, repeats in zip(dropped.tolist(), own, strict=True)]


def test_where_both_agree() -> None:
    for kind in RULES.values():
        assert kept(kind, text(1), text(2), text(1)) == [True, True, False]
        assert kept(kind, "short", "shorter", "short") == [True, True, False]
        assert kept(kind, text(1), text(1)[:-100]) == [True, False]


def test_a_file_that_repeats_itself_is_kept() -> None:
    itself = text(1, CHUNK) * 3
    assert kept(PUBLISHED, itself) == [False]
    assert kept(DEFAULT, itself, itself) == [True, False]


def test_a_shifted_copy_is_found() -> None:
    for shift in ("x", "# a head\n" * 30):
        assert kept(PUBLISHED, text(1), shift + text(1)) == [True, True]
        assert kept(DEFAULT, text(1), shift + text(1)) == [True, False]


def test_a_common_part_alone_does_not_make_a_copy() -> None:
    licence = text(1, CHUNK + WINDOW)
    assert kept(PUBLISHED, licence + text(2), licence + text(3)) == [True, False]
    assert kept(DEFAULT, licence + text(2, 20_000), licence + text(3, 20_000)) == [True, True]


def test_what_a_dropped_text_alone_had_is_not_lost_by_default() -> None:
    first, second, third = text(1, 40_000), text(2, 12_000), text(3, 12_000)
    texts = (first, first + second, second + third)
    assert kept(PUBLISHED, *texts)[1] is False
    assert kept(DEFAULT, *texts) == [True, False, True]


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 9))
def test_a_long_common_run_shares_a_chunk_wherever_it_stands(before: int, after: int, seed: int) -> None:
    run = text(seed, CHUNK + WINDOW - 1)
    one, other = text(seed + 10, before) + run, run + text(seed + 20, after)
    assert np.intersect1d(fingerprints(one), fingerprints(other)).size


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=2_000))
def test_the_least_of_each_window(values: list[int]) -> None:
    numbers = np.array(values, np.uint64)
    windows = [min(values[i : i + WINDOW]) for i in range(max(1, len(values) - WINDOW + 1))]
    assert _least(numbers).tolist() == windows
