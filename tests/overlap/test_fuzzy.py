"""What is reported is exact; what is similar is found."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.overlap.fuzzy import FEWEST, SHINGLE, Sketches
from llemma.overlap.words import normal

WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "pe", "ra", "si", "to") for b in ("ba", "de", "fi", "go", "hu")]


def sets(units: list[str]) -> list[tuple[str, ...]]:
    return [tuple(units[i : i + SHINGLE]) for i in range(len(units) - SHINGLE + 1)]


def brute(document: str, item: str) -> float:
    """The largest similarity of the item with a window of as many shingles, by looking at all of them."""
    inside, wanted = sets(normal(document.casefold())), sets(normal(item.casefold()))
    if len(set(wanted)) < FEWEST or not inside:
        return 0.0
    starts = range(max(1, len(inside) - len(wanted) + 1))
    windows = [set(inside[i : i + len(wanted)]) for i in starts]
    return max(len(window & set(wanted)) / len(window | set(wanted)) for window in windows)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), max_size=60),
    st.lists(st.lists(st.sampled_from("abc"), max_size=24), max_size=4),
    st.sampled_from([0.3, 0.6, 0.9]),
)
def test_small_sets_are_sketched_whole_and_so_exact(document: list[str], items: list[list[str]], least: float) -> None:
    text, wanted = " ".join(document), [" ".join(item) for item in items]
    found = {each.item: each.similarity for each in Sketches(wanted, least).scan(text)}
    measured = {number: brute(text, item) for number, item in enumerate(wanted)}
    assert found == {number: value for number, value in measured.items() if value >= least}


def mutated(rng: random.Random, words: list[str], share: float) -> list[str]:
    return [rng.choice(WORDS) if rng.random() < share else word for word in words]


def test_changed_copies_are_found_with_their_similarity() -> None:
    rng = random.Random(7)
    items = [" ".join(rng.choices(WORDS, k=rng.randint(40, 120))) for _ in range(40)]
    missed = similar = 0
    sketches = Sketches(items, 0.6, window=300)
    for number, item in enumerate(items):
        copy = mutated(rng, item.split(), rng.choice([0.0, 0.03, 0.06, 0.09]))
        document = " ".join([*rng.choices(WORDS, k=200), *copy, *rng.choices(WORDS, k=150)])
        found = {each.item: each.similarity for each in sketches.scan(document)}
        expected = brute(document, item)
        assert found.get(number, expected) == expected
        similar += expected >= 0.6
        missed += expected >= 0.6 and number not in found
        assert all(brute(document, items[other]) >= 0.6 for other in found)
    assert similar > 20 and missed <= 1


def test_other_names_and_numbers_are_seen_through() -> None:
    item = (
        "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips"
        " did Natalia sell altogether in April and May?"
    )
    document = (
        "Exercises. 3. Maria sold clips to 60 of her friends in April, and then she sold half as many clips in May;"
        " how many clips did Maria sell altogether in April and May? 4. Weng earns 12 dollars an hour."
    )
    (found,) = Sketches(["something else " * 9, item], 0.5).scan(document)
    assert found.item == 1 and found.similarity == brute(document, item) > 0.5
    assert found.text.startswith("Maria sold clips") or "sold clips to 60" in found.text


def test_short_items_are_told_and_not_found() -> None:
    sketches = Sketches(["a b c d", ""], 0.5)
    assert sketches.short == [0, 1] and sketches.scan("a b c d") == []
