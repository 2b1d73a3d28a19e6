"""The gold answer behind a hit, and words repeated from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.overlap.items import Item, Kind
from llemma.overlap.memory import longest_common, repeated, stated
from llemma.overlap.pairs import Hit


def hit(after: str, run: str = "find x") -> Hit:
    return Hit("d", "i", 2, "find x", 0, 0, 2, run, "", after)


@pytest.mark.parametrize(
    ("answer", "after", "expected"),
    [
        (r"\frac{1}{2}", r"so $x = \boxed{\dfrac12}$.", "absent"),  # 12 is one number
        (r"\frac{1}{2}", r"so $x = \boxed{ \dfrac{1}{2} }$.", "boxed"),
        (r"\frac{1}{2}", r"so $x = \tfrac{1}{2}\,.$", "stated"),
        ("42", "that is 420", "absent"),
        ("42", "that is 42.", "stated"),
        ("", "anything", None),
        ("$", "$", None),
    ],
)
def test_where_the_answer_stands(answer: str, after: str, expected: str | None) -> None:
    assert stated(Item("i", "find x", "problem", answer=answer), hit(after)) == expected


@pytest.mark.parametrize(("kind", "expected"), [("solution", "boxed"), ("problem", "absent")])
def test_the_run_counts_for_solutions_alone(kind: Kind, expected: str) -> None:
    assert stated(Item("i", "", kind, answer="7"), hit("the end", run=r"so \boxed{7}")) == expected


def test_repetition_is_of_what_follows() -> None:
    assert repeated(hit("then we add two and two to get four"), "First we add two and two, then") == 4


def brute(a: list[str], b: list[str]) -> int:
    pieces = {tuple(b[i:j]) for i in range(len(b)) for j in range(i, len(b) + 1)}
    runs = ((i, j) for i in range(len(a)) for j in range(i, len(a) + 1))
    return max((j - i for i, j in runs if tuple(a[i:j]) in pieces), default=0)


WORDS = st.lists(st.sampled_from("abc"), max_size=14)


@given(WORDS, WORDS)
def test_the_longest_common_run(a: list[str], b: list[str]) -> None:
    assert longest_common(a, b) == longest_common(b, a) == brute(a, b)
