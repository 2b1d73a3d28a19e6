"""Laws of the stream: however replies are cut into portions and wherever noise stands, the same replies come out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.prove.lean.framing import Blocks, Damaged, reply_in

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
REPLIES = st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), max_size=5)
NOISE = st.lists(st.sampled_from(["info: building", "", "warning: { x", " {", "}", "é"]), max_size=4)


@settings(max_examples=50, deadline=None)
@given(REPLIES, st.data())
def test_portions_and_noise_change_nothing(replies: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = b""
    for reply in replies:
        noise = "\n".join(data.draw(NOISE))
        indent = data.draw(st.sampled_from([None, 1, 2]))
        stream += (noise + "\n" + json.dumps(reply, ensure_ascii=False, indent=indent) + "\n\n").encode(
            errors="replace"
        )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    blocks = Blocks()
    found = [
        reply
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for block in blocks.feed(stream[start:end])
        if (reply := reply_in(block)) is not None
    ]
    wanted = [json.loads(json.dumps(reply, ensure_ascii=False).encode(errors="replace")) for reply in replies]
    assert found == wanted


@pytest.mark.parametrize("block", [b"{", b'{"env": 0', b"{}}", b'{"env": 0}\nnoise', b'{"a": "\xff"}', b"{1: 2}"])
def test_half_a_reply_is_damaged(block: bytes) -> None:
    with pytest.raises(Damaged):
        reply_in(block)


@pytest.mark.parametrize("block", [b"noise", b" {indented}", b"[1]", b"\xff\xfe", b""])
def test_noise_is_no_reply(block: bytes) -> None:
    assert reply_in(block) is None
