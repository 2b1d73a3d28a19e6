"""Copies are found as often as MinHash can, and different documents are never merged."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.copies import find_copies, index_texts
from llemma.corpus.dedup import MINHASH, SHINGLE, Method, jaccard, shingles, sign, text_number
from llemma.corpus.exchange import Limits
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


def copies(texts: list[str], threshold: float = 0.8, method: Method = MINHASH) -> list[tuple[int, int, bool]]:
    """(document, its keeper, whether they are equal), in order."""
    with tempfile.TemporaryDirectory() as folder:
        index = index_texts(texts, method, block=100)
        equal, near = find_copies(index, threshold, Limits(Path(folder), memory=100_000))
    rows = [(rows, exact) for rows, exact in ((equal, True), (near, False))]
    return sorted((number, keeper, exact) for some, exact in rows for number, keeper, _ in some.tolist())


def found(texts: list[str], threshold: float = 0.8) -> dict[int, int]:
    return {number: keeper for number, keeper, _ in copies(texts, threshold)}


@pytest.mark.slow
def test_recall_is_that_of_the_bands_and_nothing_different_is_merged() -> None:
    rng = random.Random(7)
    originals = [text(rng) for _ in range(400)]
    planted = [
        (base, edited(rng, originals[base], rate)) for rate in (0, 0.005, 0.01, 0.02, 0.05) for base in range(400)
    ]
    texts = [" ".join(words) for words in [*originals, *(words for _, words in planted)]]
    dropped = found(texts)
    assert not any(index < 400 for index in dropped)
    similar = [
        400 + number for number, (base, words) in enumerate(planted) if similarity(texts[base], " ".join(words)) >= 0.8
    ]
    assert len(similar) > 1000
    assert sum(index in dropped for index in similar) / len(similar) > 0.97
    assert all(keeper < 400 and planted[index - 400][0] == keeper for index, keeper in dropped.items() if keeper < 400)
    assert all(similarity(texts[index], texts[keeper]) >= 0.8 for index, keeper in dropped.items())


small = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=0, max_size=14)


@given(st.lists(small, max_size=12), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_every_copy_is_truly_similar_to_an_earlier_kept_document(documents: list[list[str]], threshold: float) -> None:
    texts = [" ".join(words) for words in documents]
    dropped = found(texts, threshold)
    for index, keeper in dropped.items():
        assert keeper < index and keeper not in dropped
        assert (not texts[index] and not texts[keeper]) or similarity(texts[index], texts[keeper]) >= threshold
    for index, words in enumerate(texts):
        assert (index in dropped) or words not in texts[:index]  # exact copies are always found


def test_a_chain_of_edits_is_not_followed() -> None:
    rng = random.Random(1)
    chain = [text(rng, 300, 300)]
    for _ in range(30):
        chain.append(edited(rng, chain[-1], 0.01))
    texts = [" ".join(words) for words in chain]
    dropped = found(texts)
    assert similarity(texts[0], texts[-1]) < 0.3
    assert 2 <= len(texts) - len(dropped) < len(texts)
    assert all(similarity(texts[index], texts[keeper]) >= 0.8 for index, keeper in dropped.items())


def test_blanks_do_not_hide_an_exact_copy() -> None:
    assert copies(["a b\nc", " a  b c ", "", "\n", "a\tb c", "a b c d"]) == [
        (1, 0, True),
        (3, 2, True),
        (4, 0, True),
    ]


def test_an_exact_copy_of_a_near_copy_is_a_copy_of_the_kept_document() -> None:
    rng = random.Random(3)
    words = text(rng, 400, 400)
    near = [*words[:-1], "other"]
    assert copies([" ".join(words), " ".join(near), " ".join(near)]) == [(1, 0, False), (2, 0, False)]


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
            errors.append((left[1] == right[1]).mean() - truth)
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.05


@given(st.text(alphabet="ab \n", max_size=60))
def test_signing_depends_on_the_words_alone(value: str) -> None:
    one, other = (word_hashes(item.split()) for item in (value, "  ".join(value.split())))
    assert text_number(one) == text_number(other)
    assert all((left == right).all() for left, right in zip(sign(one), sign(other), strict=True))


@pytest.mark.parametrize("count", [0, 1])
def test_few_documents(count: int) -> None:
    assert found(["one two three"] * count) == {}
