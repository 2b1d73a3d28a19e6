import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.backends.base import Likelihood
from llemma.core.types import Document
from llemma.evals.perplexity import Passage, Scored, bits_per_byte, scored, scores, select, truncate


def documents(*texts):
    return [Document(id=f"d{i}", text=text, source="s") for i, text in enumerate(texts)]


@given(st.text(max_size=40), st.integers(0, 60))
def test_a_truncated_text_is_the_longest_that_fits(text, size):
    kept = truncate(text, size)
    assert text.startswith(kept)
    assert len(kept.encode()) <= size
    assert kept == text or len(text[: len(kept) + 1].encode()) > size


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(1, 100), st.integers(1, 20))
def test_a_selection_keeps_its_bounds_and_forgets_no_byte(texts, budget, cap):
    chosen = select("s", documents(*texts), budget, cap)
    sizes = [len(passage.text.encode()) for passage in chosen]
    assert sum(sizes) <= budget
    assert all(0 < size <= cap for size in sizes)
    lengths = {f"d{i}": len(text.encode()) for i, text in enumerate(texts)}
    assert all(size + p.left_out == lengths[p.document] for size, p in zip(sizes, chosen, strict=True))


def test_a_selection_does_not_depend_on_the_order_and_is_no_prefix():
    given = documents(*["text"] * 100)
    shuffled = random.Random(1).sample(given, 100)
    chosen = select("s", given, 40, 4)
    assert chosen == select("s", shuffled, 40, 4)
    assert len(chosen) == 10
    assert {passage.document for passage in chosen} != {f"d{i}" for i in range(10)}


def test_bits_per_byte_is_total_bits_over_total_bytes():
    rows = [Scored("s", "a", 8 * math.log(2), 3, 4), Scored("s", "b", 4 * math.log(2), 3, 20)]
    score = bits_per_byte("s", rows)
    assert score.value == pytest.approx(12 / 24)
    assert score.low == pytest.approx(4 / 20)
    assert score.high == pytest.approx(2.0)
    assert (score.n, score.outcomes) == (2, {"scored": 2, "cut": 0, "error": 0})


@pytest.mark.parametrize("broken", [Likelihood(math.nan, 1, 5), Likelihood(math.inf, 1, 5), Likelihood(1.0, 0, 0)])
def test_what_is_no_number_is_an_error_and_in_no_sum(broken):
    row = scored(Passage("s", "a", "text"), broken)
    assert row.nats is None
    assert row.error
    good = Scored("s", "b", math.log(2), 1, 1)
    assert bits_per_byte("s", [row, good]).value == pytest.approx(1.0)
    assert bits_per_byte("s", [row, good]).outcomes["error"] == 1
    assert bits_per_byte("s", [row]) is None


def test_all_mathematics_together_leaves_general_text_out():
    rows = [Scored("arxiv", "a", math.log(2), 1, 1), Scored("code", "b", 3 * math.log(2), 1, 1)]
    rows.append(Scored("general", "c", 100.0, 1, 1))
    found = {score.task: score.value for score in scores(rows, general=["general"])}
    assert list(found) == ["arxiv", "code", "general", "mathematics"]
    assert found["mathematics"] == pytest.approx(2.0)
    assert [score.task for score in scores(rows[2:], general=["general"])] == ["general"]
