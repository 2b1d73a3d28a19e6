"""Who shares a key is found whatever the memory and the number of threads, as it would be in a dictionary."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus import exchange
from llemma.corpus.exchange import Keys, Limits, keyed, meet

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0, 1, 7, 2**63, 2**64 - 1, 12345 << 40])), max_size=120)


def expected(pairs: list[tuple[int, int]]) -> set[tuple[int, int, int]]:
    """(document, the key's first document, key) of all that share a key."""
    holders: dict[int, set[int]] = {}
    for number, key in pairs:
        holders.setdefault(key, set()).add(number)
    return {(number, min(numbers), key) for key, numbers in holders.items() if len(numbers) > 1 for number in numbers}


SIZES = st.sampled_from([2, 20, 1 << 16])
"""Rows from which on a partition is divided, or taken in pieces where it has one key."""


@given(PAIRS, st.sampled_from([200, 5_000, 10**9]), st.integers(1, 3), st.integers(1, 4), SIZES)
@pytest.mark.slow
def test_all_that_meet_and_no_others(
    pairs: list[tuple[int, int]], memory: int, workers: int, blocks: int, rows: int
) -> None:
    with patch.object(exchange, "_BUFFER", rows):
        check(pairs, memory, workers, blocks)


def check(pairs: list[tuple[int, int]], memory: int, workers: int, blocks: int) -> None:
    pairs = sorted(set(pairs))
    rows = [
        keyed(np.array([n for n, _ in some], np.uint64), np.array([key for _, key in some], np.uint64))
        for some in (pairs[start::blocks] for start in range(blocks))
    ]
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(Path(folder) / "met", memory, workers)
        found = meet(Keys(blocks, lambda block: rows[block], len(pairs)), 41, limits)
        met = [row for part in found for row in part.tolist()]
        documents = [number for number, _ in found.documents()]
    assert [row[0] for row in met] == sorted(row[0] for row in met)
    assert documents == sorted({row[0] for row in met})
    names: dict[int, set[tuple[int, int]]] = {}
    for number, bucket, first, _ in met:
        names.setdefault(bucket, set()).add((number, first))
    assert {frozenset(some) for some in names.values()} == {
        frozenset((n, f) for n, f, k in expected(pairs) if k == key) for _, _, key in expected(pairs)
    }
    for bucket, some in names.items():  # the end is told once, with the last document
        ends = [number for number, name, _, end in met if name == bucket and end]
        assert ends == [max(number for number, _ in some)]
    assert len(met) == len(expected(pairs))
    assert found.buckets == len(names)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_memory_is_bounded_though_most_documents_have_one_key(share: float, tmp_path: Path) -> None:
    count, block, memory = 600_000, 5_000, 4_000_000

    def keys(number: int) -> exchange.Rows:
        rng = np.random.default_rng(number)
        values = rng.integers(0, 2**63, block, dtype=np.uint64)
        values[rng.random(block) < share] = 7
        return keyed(np.arange(number * block, (number + 1) * block, dtype=np.uint64), values)

    tracemalloc.start()
    found = meet(Keys(count // block, keys, count), count, Limits(tmp_path / "met", memory))
    met = sum(len(part) for part in found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert abs(met - share * count) < 2_000
    # a buffer of 65,536 rows is scattered and sorted at a time; one partition of 600,000 rows took 150 MB
    assert peak < memory + 12 * exchange._BUFFER * exchange.KEYED.itemsize
