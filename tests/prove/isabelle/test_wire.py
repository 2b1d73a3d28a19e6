"""Messages of the server: frames in any pieces, and what is no message."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.prove.isabelle.wire import LARGEST, Frames, Message, Wire, WireError, frame

JSON = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
MESSAGE = st.builds(Message, st.sampled_from(["OK", "ERROR", "NOTE", "FINISHED", "use_theories"]), JSON)


@given(st.lists(MESSAGE, max_size=6), st.lists(st.integers(1, 200), min_size=1, max_size=10))
def test_messages_arrive_whole_however_they_are_cut(messages: list[Message], cuts: list[int]) -> None:
    data = b"".join(frame(message) for message in messages)
    frames, got, at = Frames(), [], 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        got += frames.feed(data[at : at + size])
        at += size
    assert got == messages


@given(MESSAGE)
def test_long_messages_carry_their_length_and_short_ones_do_not(message: Message) -> None:
    head, _, rest = frame(message).partition(b"\n")
    if rest:
        assert int(head) == len(rest) > 101 and rest.endswith(b"\n") and rest.count(b"\n") == 1
    else:
        assert len(head) <= 100


def test_carriage_returns_and_raw_line_breaks() -> None:
    assert Frames().feed(b"OK\r\n") == [Message("OK")]
    assert Frames().feed(b"10\r\nOK [1,\n2]\nOK\n") == [Message("OK", [1, 2]), Message("OK")]


@pytest.mark.parametrize(
    "data",
    [b"OK {\n", b"NOTE \xff\xff\n", b"%d\n" % (LARGEST + 1), b"9" * 30 + b"\n", b"x" * 70_000, b"OK not json\n"],
)
def test_what_is_no_message_ends_the_conversation(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        Frames().feed(data)
    assert caught.value.kind == "crash"


Ends = tuple[Wire, int, int]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A wire, what is written to it, and what it reads from."""
    out_read, out_write = os.pipe()
    in_read, in_write = os.pipe()
    with os.fdopen(out_write, "wb", 0) as outgoing, os.fdopen(in_read, "rb", 0) as incoming:
        yield Wire(outgoing, incoming), out_read, in_write
    for descriptor in (out_read, in_write):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def test_silence_is_a_timeout(ends: Ends) -> None:
    start = time.monotonic()
    with pytest.raises(WireError) as caught:
        ends[0].receive(time.monotonic() + 0.1)
    assert caught.value.kind == "timeout" and time.monotonic() - start < 8


def test_half_a_message_is_a_timeout_and_an_end_is_a_crash(ends: Ends) -> None:
    os.write(ends[2], b"500\nFINISHED {")
    with pytest.raises(WireError) as caught:
        ends[0].receive(time.monotonic() + 0.1)
    assert caught.value.kind == "timeout"
    os.close(ends[2])
    with pytest.raises(WireError) as caught:
        ends[0].receive(time.monotonic() + 5)
    assert caught.value.kind == "crash"


def test_a_server_that_does_not_read_is_a_timeout(ends: Ends) -> None:
    with pytest.raises(WireError) as caught:
        ends[0].send(Message("echo", "x" * 1_000_000), time.monotonic() + 0.2)
    assert caught.value.kind == "timeout"


def test_a_flood_does_not_outlast_the_limit(ends: Ends) -> None:
    stop = threading.Event()

    def flood() -> None:
        os.set_blocking(ends[2], False)
        while not stop.is_set():
            try:
                os.write(ends[2], frame(Message("NOTE", "and on")) * 50)
            except BlockingIOError:
                time.sleep(0.001)

    thread = threading.Thread(target=flood)
    thread.start()
    deadline = time.monotonic() + 0.3
    try:
        with pytest.raises(WireError) as caught:
            while True:
                ends[0].receive(deadline)
        assert caught.value.kind == "timeout" and time.monotonic() - deadline < 8
    finally:
        stop.set()
        thread.join()
