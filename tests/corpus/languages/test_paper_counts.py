"""The paper's table is whole: every language of ours, and its own total."""

from __future__ import annotations

import pytest

from llemma.corpus.languages import TABLE
from llemma.corpus.languages.paper_counts import PAPER_TOKENS, PAPER_TOTAL


def test_every_language_is_there_and_they_add_up() -> None:
    assert set(PAPER_TOKENS) == set(TABLE)
    assert sum(PAPER_TOKENS.values()) == pytest.approx(PAPER_TOTAL, abs=17 * 0.05e6)
