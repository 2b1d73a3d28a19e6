"""Exactly the documents that share n words with a problem, or contain a shorter one, are hit."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from llemma.core.types import Problem
from llemma.corpus.decontaminate import Protected

words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=14)


def brute(problems: list[list[str]], document: list[str], n: int) -> list[str]:
    """The rule, said once more in the simplest way."""
    hits = []
    for number, problem in enumerate(problems):
        size = min(n, len(problem))
        runs = {tuple(document[start : start + size]) for start in range(len(document) - size + 1)}
        grams = {tuple(problem[start : start + size]) for start in range(len(problem) - size + 1)}
        if size and runs & grams:
            hits.append(f"p{number}")
    return hits


@given(st.lists(words, max_size=5), words, st.integers(1, 6))
@example([["a"]], ["a"], 30)
@example([[]], [], 1)
def test_the_pairs_are_those_of_brute_force(problems: list[list[str]], document: list[str], n: int) -> None:
    protected = Protected([Problem(f"p{i}", "t", " ".join(text), "") for i, text in enumerate(problems)], n)
    expected = brute(problems, document, n)
    assert protected.hits(document) == expected
    reason = protected.reason(document)
    assert (reason is None) == (not expected)
    assert reason is None or reason.endswith(f"a problem: {expected[0]}")


def test_long_problems_in_long_documents() -> None:
    problem = [f"word{number}" for number in range(50)]
    protected = Protected([Problem("long", "t", " ".join(problem), "")], 30)
    filler = [f"other{number}" for number in range(5_000)]
    assert protected.reason([*filler, *problem[12:42], *filler]) == "shares 30 words with a problem: long"
    assert protected.reason([*filler, *problem[12:41], *filler]) is None
    assert protected.reason([*filler, *problem[12:30], "gap", *problem[30:], *filler]) is None


def test_a_word_must_match_whole() -> None:
    protected = Protected([Problem("short", "t", "two  plus\ntwo", "")], 30)
    assert protected.hits(["what", "is", "two", "plus", "two", "?"]) == ["short"]
    assert protected.hits(["two", "plus", "twofold"]) == []
