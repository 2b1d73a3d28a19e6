"""A look at a corpus, and what damage to it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.types import Dropped
from llemma.corpus import layout
from llemma.corpus.card import in_millions
from llemma.corpus.show import show, show_text, stats_text


def test_show_and_stats(small: Any, tmp_path: Path) -> None:
    stats, _ = small.run(small.config(), tmp_path / "out")
    documents = show(tmp_path / "out", 2)
    assert [document.source in ("prose", "more") for document in documents] == [False, False, True, True]
    assert documents[0].id in show_text(documents)
    drops = show(tmp_path / "out", 3, dropped=True)
    assert all(isinstance(item, Dropped) for item in drops) and "sample: not in the sample" in show_text(drops)
    text = stats_text(stats)
    assert "code / train" in text and "code / python" in text and "near-duplicate" in text
    with pytest.raises(MissingError, match="no corpus"):
        show(tmp_path / "nowhere")


def test_a_damaged_line_is_named(small: Any, tmp_path: Path) -> None:
    small.run(small.config(), tmp_path / "out")
    shard = tmp_path / "out/text/test/00000.jsonl.zst"
    rows = list(jsonl.read(shard, dict[str, Any]))
    jsonl.write(shard, [*rows[:2], {"text": 7}])
    with pytest.raises(DataError) as caught:
        list(layout.read_split(tmp_path / "out", "text", "test"))
    assert caught.value.where == f"{shard} line 3"


def test_small_counts_are_not_written_as_zero() -> None:
    numbers = [0, 1_234, 270, 3, 999_999, 12_345_678]
    assert [in_millions(number) for number in numbers] == ["0", "0.0012", "0.00027", "0.000003", "1", "12.3"]
