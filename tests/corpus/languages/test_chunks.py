"""Chunk duplicates as published and as mended: they agree on plain copies and part where the paper's way errs."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.languages.chunks import CHUNK, WINDOW, Chunks, PublishedChunks, _least, fingerprints


def text(seed: int, size: int = 3 * CHUNK) -> str:
    return "".join(random.Random(seed).choices("abcdefghij \n", k=size))


def kept(chunks: Chunks | PublishedChunks, *texts: str) -> list[bool]:
    return [not chunks.repeats(text) for text in texts]


def test_where_both_agree() -> None:
    for kind in (Chunks, PublishedChunks):
        assert kept(kind(), text(1), text(2), text(1)) == [True, True, False]
        assert kept(kind(), "short", "shorter", "short") == [True, True, False]
        assert kept(kind(), text(1), text(1)[:-100]) == [True, False]


def test_a_file_that_repeats_itself_is_kept() -> None:
    itself = text(1, CHUNK) * 3
    assert kept(PublishedChunks(), itself) == [False]
    assert kept(Chunks(), itself, itself) == [True, False]


def test_a_shifted_copy_is_found() -> None:
    for shift in ("x", "# a head\n" * 30):
        assert kept(PublishedChunks(), text(1), shift + text(1)) == [True, True]
        assert kept(Chunks(), text(1), shift + text(1)) == [True, False]


def test_a_common_part_alone_does_not_make_a_copy() -> None:
    licence = text(1, CHUNK + WINDOW)
    assert kept(PublishedChunks(), licence + text(2), licence + text(3)) == [True, False]
    assert kept(Chunks(), licence + text(2, 20_000), licence + text(3, 20_000)) == [True, True]


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
