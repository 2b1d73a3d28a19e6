"""n-grams as numbers are equal exactly where the words are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.words import grams, word_hashes


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=40), st.integers(1, 8))
def test_grams_are_equal_exactly_where_words_are(words: list[str], n: int) -> None:
    numbers = grams(word_hashes(words), n)
    runs = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    assert len(numbers) == len(runs)
    assert len(set(zip(runs, numbers.tolist(), strict=True))) == len(set(runs)) == len(np.unique(numbers))


def test_a_gram_does_not_depend_on_its_place() -> None:
    words = [f"w{number}" for number in range(5_000)]
    long = grams(word_hashes(words), 7)
    assert (grams(word_hashes(words[4_321:]), 7) == long[4_321:]).all()
