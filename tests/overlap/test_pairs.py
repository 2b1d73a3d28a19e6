"""Exactly the pairs that a brute-force search finds, and of each the first n-gram of the document."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llemma.core.errors import UsageError
from llemma.overlap import find
from llemma.overlap.index import Index, Length
from llemma.overlap.words import normal, whitespace

BLANKS = [" ", "  ", "\n", "\t", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u2028", "\u3000", "\r\n"]
TINY = st.lists(st.sampled_from("ab"), max_size=40)
SMALL = st.lists(st.sampled_from(["a", "b", "B", "a.", "\u200b", "é"]), max_size=25)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Few different words between all kinds of blanks."""
    words = draw(TINY | SMALL)
    return "".join(part for word in words for part in (draw(st.sampled_from(BLANKS)), word)) + draw(
        st.sampled_from(["", *BLANKS])
    )


def brute(documents: Sequence[str], items: Sequence[str], n: Length) -> list[tuple[str, str, str]]:
    """(document, item, n-gram) by looking at everything."""
    found = []
    for number, document in enumerate(documents):
        words = document.split()
        for name, item in enumerate(items):
            wanted = item.split()
            size = len(wanted) if n == "full" else n
            grams = {tuple(wanted[i : i + size]) for i in range(len(wanted) - size + 1)} if size else set()
            shared = [words[i : i + size] for i in range(len(words) - size + 1) if tuple(words[i : i + size]) in grams]
            if shared:
                found.append((f"d{number}", f"i{name}", " ".join(shared[0])))
    return found


LENGTHS = st.one_of(st.integers(1, 14), st.just("full"))


@settings(max_examples=400, deadline=None)
@given(st.lists(texts(), max_size=4), st.lists(texts(), max_size=5), LENGTHS)
@example(["a a a a b"], ["a a b", "a a b", "", "a"], 3)
@example(["a"], ["a"], 30)
@example(["x a b c", "a\x85b"], ["a b"], "full")
@pytest.mark.slow
def test_the_pairs_are_those_of_brute_force(documents: list[str], items: list[str], n: Length) -> None:
    hits = find(
        [(f"d{i}", text) for i, text in enumerate(documents)], [(f"i{i}", text) for i, text in enumerate(items)], n
    )
    assert [(hit.document, hit.item, hit.ngram) for hit in hits] == brute(documents, items, n)


@settings(max_examples=300, deadline=None)
@given(texts(), st.lists(texts(), max_size=4), st.lists(LENGTHS, min_size=1, max_size=4, unique=True))
def test_several_lengths_at_once_are_each_alone(document: str, items: list[str], lengths: list[Length]) -> None:
    named = [(f"i{i}", text) for i, text in enumerate(items)]
    together = list(find([("d", document)], named, lengths))
    for n in lengths:
        assert [hit for hit in together if hit.n == n] == list(find([("d", document)], named, n))


@settings(max_examples=300, deadline=None)
@given(texts(), st.lists(texts(), max_size=4), LENGTHS, st.integers(1, 9), st.integers(0, 3))
@pytest.mark.slow
def test_windows_change_nothing(document: str, items: list[str], n: Length, window: int, context: int) -> None:
    whole = Index(items, [n, 2], whitespace, context=context)
    cut = Index(items, [n, 2], whitespace, context=context, window=window)
    assert cut.scan(document) == whole.scan(document)


@settings(max_examples=200, deadline=None)
@given(texts(), texts(), st.integers(1, 5))
def test_a_hit_tells_where_it_is_and_what_stands_around(document: str, item: str, n: int) -> None:
    words, wanted = document.split(), item.split()
    for hit in find([("d", document)], [("i", item)], n, context=2):
        assert hit.ngram.split() == words[hit.at : hit.at + n] == wanted[hit.item_at : hit.item_at + n]
        run = hit.run.split()
        assert len(run) == hit.shared >= n
        around = [*hit.before.split(), *run, *hit.after.split()]
        assert any(words[i : i + len(around)] == around for i in range(len(words)))
        inside = [*hit.item_before.split(), *run, *hit.item_after.split()]
        assert any(wanted[i : i + len(inside)] == inside for i in range(len(wanted)))
        assert not hit.before or not hit.item_before or hit.before.split()[-1] != hit.item_before.split()[-1]
        assert not hit.after or not hit.item_after or hit.after.split()[0] != hit.item_after.split()[0]


@given(st.lists(st.sampled_from([r"\frac", "x", "2", "$", r"\,", "^", "{", "}", "."]), max_size=30), st.integers(1, 6))
def test_normal_tokens_are_searched_as_their_units(parts: list[str], n: int) -> None:
    item, document = " ".join(parts), "".join(parts[3:]) + " $ x . " + " ".join(parts)
    found = {hit.ngram for hit in find([("d", document)], [("i", item)], n, tokens="normal")}
    as_words = find([("d", " ".join(normal(document)))], [("i", " ".join(normal(item)))], n)
    assert found == {hit.ngram for hit in as_words}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["0", "0 1", "0 0 1", "x"]), st.integers(1, 30)), max_size=6),
    st.lists(st.tuples(st.sampled_from(["0", "0 1", "1 0 0", "y"]), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(4, 12),
)
def test_periodic_texts_are_searched_as_exactly(
    document: list[tuple[str, int]], items: list[tuple[str, int]], n: int
) -> None:
    text = " ".join(f"{part} " * times for part, times in document)
    wanted = [f"{part} " * times + other * times for (part, times), (other, _) in zip(items, items[::-1], strict=True)]
    hits = find([("d0", text)], [(f"i{i}", item) for i, item in enumerate(wanted)], n)
    assert [(hit.document, hit.item, hit.ngram) for hit in hits] == brute([text], wanted, n)


def test_words_are_compared_as_they_stand() -> None:
    assert not list(find([("d", "Let x be")], [("i", "let x be")], 3))
    assert not list(find([("d", "let x, be")], [("i", "let x be")], 3))
    assert [hit.ngram for hit in find([("d", "so let\n x\u3000be it")], [("i", "let x be")], 3)] == ["let x be"]


def test_lone_surrogates_are_words_like_others() -> None:
    assert [hit.at for hit in find([("d", "x \ud800 b")], [("i", "\ud800 b")], 2)] == [1]


def test_repeats_cost_no_more_than_other_words() -> None:
    # a table of zeros against an item of zeros: every block meets every place of the item
    hits = list(find([("d", "0 " * 300_000), ("e", "0 1 " * 100_000)], [("i", "0 " * 400), ("j", "0 1 " * 200)], 30))
    assert [(hit.document, hit.item) for hit in hits] == [("d", "i"), ("e", "j")]


def test_tables_that_are_no_hit_cost_no_more_either() -> None:
    items = [(f"i{i}", "0 " * 29 + str(i)) for i in range(1, 20)]
    started = time.process_time()
    assert not list(find([("d", "0 " * 300_000)], items, 30, context=5))
    assert [hit.item for hit in find([("d", "0 " * 300_000 + "7 7 " + "0 " * 9)], items, 30)] == ["i7"]
    assert time.process_time() - started < 10  # 0.3 s; every block with every place would be minutes


def test_reading_is_lazy() -> None:
    def corpus():  # type: ignore[no-untyped-def]
        yield "d", "a b"
        raise AssertionError("read on")

    assert next(find(corpus(), [("i", "a b")], 2)).document == "d"


@pytest.mark.parametrize("n", [0, -1, [], "half", True])
def test_odd_lengths_are_refused(n: object) -> None:
    with pytest.raises(UsageError):
        find([], [], n)  # type: ignore[arg-type]


def test_an_unknown_tokenisation_is_refused() -> None:
    with pytest.raises(UsageError, match="no tokenisation 'normall'") as error:
        find([], [], tokens="normall")
    assert "did you mean 'normal'" in error.value.mend
