"""Words, units, and windows that neither lose nor repeat any."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llemma.overlap.words import SPLITTERS, normal, windows

PIECES = st.sampled_from(
    [
        "a",
        "bc",
        "12",
        "3.5",
        "\\",
        "\\ ",
        "\\,",
        "\\frac",
        "{",
        "$",
        " ",
        "\n",
        "\x85",
        "\xa0",
        "\x1f",
        "\u3000",
        ".",
        "é",
    ]
)


def test_blanks_of_the_pattern_are_those_of_split() -> None:
    everything = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [c for c in everything if re.match(r"\s", c)] == [c for c in everything if len(f"a{c}b".split()) == 2]


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=60), st.sampled_from(sorted(SPLITTERS)), st.integers(0, 7), st.integers(1, 12))
@example(["a"] * 50, "whitespace", 3, 5)
def test_every_word_is_in_one_window(parts: list[str], name: str, margin: int, size: int) -> None:
    text, split = "".join(parts), SPLITTERS[name]
    whole, owned = split(text), list[str]()
    for window in windows(text, split, margin, size):
        assert window.offset + window.first == len(owned)
        assert window.words == whole[window.offset : window.offset + len(window.words)]
        assert window.first >= min(margin, len(owned))
        assert len(window.words) - window.last >= min(margin, len(whole) - window.offset - window.last)
        owned += window.words[window.first : window.last]
    assert owned == whole


def test_a_single_endless_word_is_one_word() -> None:
    (window,) = windows("x" * 5000, str.split, 3, 100)
    assert window.words == ["x" * 5000]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (r"$x^{2}\,,$", r"\(x^2\)"),
        (r"\left( a+b \right)", "(a + b)"),
        (r"\dfrac{1}{2}", r"$\frac 1 2$"),
        ("What is $y$?", "What is y"),
        (r"\text{if } x \leq 3", "if x ≤ 3"),
        ("a − b", "a-b"),
        (r"a\quad b \\ & c", "a b c"),
        ("“quoted”", '"quoted"'),
        (r"10\,000", "10{,}000"),
    ],
)
def test_what_is_the_same_to_the_eye_is_the_same(left: str, right: str) -> None:
    assert normal(left) == normal(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x^2", "x_2"),
        ("x + 1", "x - 1"),
        ("3.5", "3 5"),
        (r"\Delta", r"\delta"),
        ("x", "X"),
        ("ab", "a b"),
        ("12", "1 2"),
        (r"\{1\}", "{1}"),
        (r"\sin x", "sin x"),
    ],
)
def test_what_differs_differs(left: str, right: str) -> None:
    assert normal(left) != normal(right)


@given(st.text(max_size=40) | st.lists(PIECES, max_size=30).map("".join))
def test_blanks_part_units_and_are_none(text: str) -> None:
    assert normal(text) == [unit for word in text.split() for unit in normal(word)]
    assert not any(unit.split() != [unit] for unit in normal(text))


def test_units() -> None:
    assert normal(r"Find $\dfrac{3.50x_1}{\sqrt 2}$, if 40\% is_ok.") == (
        ["Find", r"\frac", "3.50", "x", "_", "1", r"\sqrt", "2", "if", "40", "%", "is", "_", "ok"]
    )
    assert normal("\\ \\\\ \\, $$ {} .") == []
