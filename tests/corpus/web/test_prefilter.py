"""The quick look finds what its patterns find, and takes little time on whatever it sees."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.web import prefilter
from llemma.corpus.web.prefilter import looks_mathematical

PIECES = [
    b"<math>", b"<m:math ", b"MathJax", b"math", b"aftermath", b'class="tex"', b"class=latex ", b"[itex]", b"formula",
    b"class='formulaInl'", b"text", b"cht=tx", b"\\begin{align", b"KaTeX", b"latex.php", b"data-tex=", b"x" * 30,
    b"<p>", b"\n", b" ", b"\\frac", b"$x^2$", b"$5", b"tex.cgi", b"mwe-math",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_words_first_changes_nothing(raw: bytes) -> None:
    patterns = (prefilter._MARKS, prefilter._COMMANDS, prefilter._DOLLARS)
    assert looks_mathematical(raw) == any(pattern.search(raw) for pattern in patterns)


@pytest.mark.parametrize("piece", [b"math", b"class=", b"$a ", b"\\(", b"\\[", b"<a:", b"formula "])
@pytest.mark.slow
def test_hostile_bytes_take_little_time(piece: bytes) -> None:
    begun = time.process_time()
    looks_mathematical(piece * (1_000_000 // len(piece)))
    assert time.process_time() - begun < 4
