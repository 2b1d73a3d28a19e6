"""What counts as a word of prose; no text takes long."""

import time

import pytest

from llemma.corpus.web.quality.prose import MAX_CHARS, opening, words, words_and_gaps


def test_formulas_code_and_addresses_are_gaps() -> None:
    text = (
        "Let $x+y$ be \\alpha small.\n```\nimport numpy\n```\nSee https://a.example/proof or `code`, $$z$$ and \\(w\\)."
    )
    assert words(text) == ["let", "be", "small", "see", "or", "and"]
    assert "".join("|" if word == "\0" else word[0] for word in words_and_gaps(text)) == "l|b|s|s|o||a|"


def test_an_escaped_dollar_is_a_price() -> None:
    assert words("From \\$5 up to \\$7.") == ["from", "up", "to"]


def test_a_null_byte_in_a_page_is_no_gap() -> None:
    assert words_and_gaps("one\0two") == ["one", "two"]


@pytest.mark.parametrize(
    "unit", ["x", "$", "`", "```", "\\", "\\(", "\\[", "$$", "http://", "é'", "\n", "$\n`", "\\a", "a'"]
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = unit * (MAX_CHARS // len(unit) + 1)
    begun = time.process_time()
    words_and_gaps(text)
    opening(text, 3_000)
    assert time.process_time() - begun < 2


def test_an_opening_is_cut_between_words() -> None:
    assert opening("one two three four", 7) == "one two"
