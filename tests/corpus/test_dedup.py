"""Copies are found as often as MinHash can, and different documents are never merged."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.dedup import SHINGLE, find_copies, index_texts, jaccard, shingles, sign
from llemma.corpus.words import word_hashes

WORDS = [f"w{number}" for number in range(2_000)]


def similarity(left: str, right: str) -> float:
    """Jaccard similarity of the 5-word shingles, by definition."""
    sets = []
    for words in (left.split(), right.split()):
        size = min(SHINGLE, len(words))
        sets.append({tuple(words[start : start + size]) for start in range(len(words) - size + 1)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def text(rng: random.Random, low: int = 200, high: int = 500) -> list[str]:
    return [rng.choice(WORDS) for _ in range(rng.randint(low, high))]


def edited(rng: random.Random, words: list[str], rate: float) -> list[str]:
    result = []
    for word in words:
        kind = rng.random() / rate if rate else 9
        result += (
            [word]
            if kind >= 1
            else [rng.choice(WORDS)]
            if kind < 0.5
            else []
            if kind < 0.75
            else [word, rng.choice(WORDS)]
        )
    return result


def found(texts: list[str], threshold: float = 0.8) -> dict[int, int]:
    return {copy.index: copy.keeper for copy in find_copies(index_texts(texts), threshold)}


def test_recall_is_that_of_the_bands_and_nothing_different_is_merged() -> None:
    rng = random.Random(7)
    originals = [text(rng) for _ in range(400)]
    planted = [
        (base, edited(rng, originals[base], rate)) for rate in (0, 0.005, 0.01, 0.02, 0.05) for base in range(400)
    ]
    texts = [" ".join(words) for words in [*originals, *(words for _, words in planted)]]
    copies = found(texts)
    assert not any(index < 400 for index in copies)
    similar = [
        400 + number for number, (base, words) in enumerate(planted) if similarity(texts[base], " ".join(words)) >= 0.8
    ]
    assert len(similar) > 1000
    assert sum(index in copies for index in similar) / len(similar) > 0.97
    assert all(keeper < 400 and planted[index - 400][0] == keeper for index, keeper in copies.items() if keeper < 400)
    assert all(similarity(texts[index], texts[keeper]) >= 0.8 for index, keeper in copies.items())


small = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=0, max_size=14)


@given(st.lists(small, max_size=12), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_every_copy_is_truly_similar_to_an_earlier_kept_document(documents: list[list[str]], threshold: float) -> None:
    texts = [" ".join(words) for words in documents]
    copies = found(texts, threshold)
    for index, keeper in copies.items():
        assert keeper < index and keeper not in copies
        assert (not texts[index] and not texts[keeper]) or similarity(texts[index], texts[keeper]) >= threshold
    for index, words in enumerate(texts):
        assert (index in copies) or words not in texts[:index]  # exact copies are always found


def test_a_chain_of_edits_is_not_followed() -> None:
    rng = random.Random(1)
    chain = [text(rng, 300, 300)]
    for _ in range(30):
        chain.append(edited(rng, chain[-1], 0.01))
    texts = [" ".join(words) for words in chain]
    copies = found(texts)
    assert similarity(texts[0], texts[-1]) < 0.3
    assert 2 <= len(texts) - len(copies) < len(texts)
    assert all(similarity(texts[index], texts[keeper]) >= 0.8 for index, keeper in copies.items())


def test_blanks_do_not_hide_an_exact_copy() -> None:
    first, second, third = find_copies(index_texts(["a b\nc", " a  b c ", "", "\n", "a\tb c", "a b c d"]), 0.8)
    assert [(copy.index, copy.keeper, copy.exact) for copy in (first, second, third)] == [
        (1, 0, True),
        (3, 2, True),
        (4, 0, True),
    ]


def test_an_exact_copy_of_a_near_copy_is_a_copy_of_the_kept_document() -> None:
    rng = random.Random(3)
    words = text(rng, 400, 400)
    near = [*words[:-1], "other"]
    copies = find_copies(index_texts([" ".join(words), " ".join(near), " ".join(near)]), 0.8)
    assert [(copy.index, copy.keeper) for copy in copies] == [(1, 0), (2, 0)]


def test_the_share_of_equal_numbers_estimates_the_similarity() -> None:
    rng = np.random.default_rng(5)
    errors = []
    for share in (0.2, 0.5, 0.8, 0.95):
        for _ in range(60):
            common = rng.integers(0, 2**63, int(2000 * share), dtype=np.uint64)
            sides = [
                np.concatenate([common, rng.integers(0, 2**63, 2000 - len(common), dtype=np.uint64)]) for _ in "ab"
            ]
            # a word between repeats would make other shingles; single shingles are wanted here
            left, right = (sign(side) for side in sides)
            truth = jaccard(*(np.unique(shingles(side)) for side in sides))
            errors.append((left.rows == right.rows).mean() - truth)
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.05


@given(st.text(alphabet="ab \n", max_size=60))
def test_signing_depends_on_the_words_alone(value: str) -> None:
    left, right = (sign(word_hashes(item.split())) for item in (value, "  ".join(value.split())))
    assert left.text == right.text
    assert (left.rows == right.rows).all() and (left.bands == right.bands).all()


@pytest.mark.parametrize("count", [0, 1])
def test_few_documents(count: int) -> None:
    assert found(["one two three"] * count) == {}
