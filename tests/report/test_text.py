from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from llemma.report.text import shorten, visible


@given(st.text())
def test_visible_text_has_no_hidden_character(text: str) -> None:
    shown = visible(text)
    assert not any(
        unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"} for c in shown
    )
    assert not any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in shown)
    assert not any(unicodedata.category(c) in {"Zl", "Zp"} for c in shown)
    assert visible(shown) == shown


def test_visible_names_what_it_replaces_and_leaves_the_rest() -> None:
    assert visible("a\u202eb\x00") == "a⟨U+202E⟩b⟨U+0000⟩"
    assert visible('x² ≤ π,\t"дом" 数\n') == 'x² ≤ π,\t"дом" 数\n'


@given(st.text(), st.integers(1, 50))
def test_shorten_gives_one_line_within_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit and "\n" not in short
