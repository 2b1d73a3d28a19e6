"""SimHash: what differs in three bits meets, what differs in more is no copy, and small edits keep most bits."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.copies import find_copies, index_texts
from llemma.corpus.dedup import shingles
from llemma.corpus.exchange import Limits
from llemma.corpus.simhash import BITS, DISTANCE, SIMHASH, keys, simhash
from llemma.corpus.words import word_hashes

WORDS = [f"w{number}" for number in range(2_000)]


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=DISTANCE))
def test_three_differing_bits_never_hide_a_pair(bits: int, flipped: set[int]) -> None:
    other = bits ^ sum(1 << bit for bit in flipped)
    assert (keys(np.uint64(bits)) == keys(np.uint64(other))).any()


@given(st.lists(st.text("abc", min_size=1, max_size=3), max_size=60))
def test_each_bit_is_that_of_most_shingles(words: list[str]) -> None:
    hashes = word_hashes(words)
    some = {int(number) for number in shingles(hashes)}
    bits = int(simhash(hashes))
    for bit in range(BITS):
        ones = sum(number >> bit & 1 for number in some)
        assert (bits >> bit & 1) == (2 * ones > len(some))


def test_the_distance_decides(tmp_path: Path) -> None:
    rng = random.Random(4)
    base, unlike = rng.choices(WORDS, k=900), rng.choices(WORDS, k=900)
    texts = [base, [*base[:-1], "other"], [*base[:700], *unlike[700:]], unlike]
    index = index_texts([" ".join(words) for words in texts], SIMHASH)
    found = find_copies(index, 0.8, Limits(tmp_path / "scratch"))[1].tolist()
    distances = [int(simhash(word_hashes(words)) ^ simhash(word_hashes(base))).bit_count() for words in texts]
    assert [number for number, _, _ in found] == [n for n in (1, 2, 3) if distances[n] <= DISTANCE]
    assert distances[1] <= 6 < distances[3]
