"""Records come back whatever lies between them: a law, checked over damage of every kind and place."""

from __future__ import annotations

import gzip
import random
import tempfile
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.sources import members, records
from llemma.corpus.sources.records import Damage, Raw, split


def record(number: int, size: int = 200, end: bytes = b"\r\n\r\n") -> bytes:
    body = b"record %d " % number + random.Random(number).randbytes(size)
    head = b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:%d>\r\nContent-Length: %d\r\n\r\n"
    return head % (number, len(body)) + body + end


def read(data: bytes) -> list[Raw | Damage]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return list(split(Path(file.name)))


def whole(items: list[Raw | Damage], count: int) -> list[int]:
    """The numbers of the records that came back byte for byte."""
    expected = {record(number, end=b""): number for number in range(count)}
    return [expected[item.data] for item in items if isinstance(item, Raw) and item.data in expected]


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACKED = {"gzip": lambda data: gzip.compress(data, mtime=0), "zstd": zst}


@pytest.mark.parametrize("pack", [*PACKED.values(), lambda data: data], ids=[*PACKED, "plain"])
def test_every_record_of_an_intact_file(pack) -> None:  # type: ignore[no-untyped-def]
    data = b"".join(pack(record(number)) for number in range(30))
    assert whole(read(data), 30) == list(range(30)) and len(read(data)) == 30
    one = read(pack(b"".join(record(number) for number in range(30))))
    assert whole(one, 30) == list(range(30)) and len(one) == 30
    assert len({(item.offset, item.inner) for item in one}) == 30
    assert len(read(data + bytes(1000))) == 30 or pack is not PACKED["gzip"]


@pytest.mark.parametrize("packed_dictionary", [False, True])
def test_zstd_with_a_dictionary_and_skippable_frames(packed_dictionary: bool) -> None:
    dictionary = zstandard.train_dictionary(2_000, [record(number, 600) for number in range(200)])
    raw = dictionary.as_bytes()
    first = zstandard.ZstdCompressor().compress(raw) if packed_dictionary else raw
    compress = zstandard.ZstdCompressor(dict_data=dictionary).compress
    skippable = b"\x50\x2a\x4d\x18\x05\0\0\0hello"
    data = b"\x5d\x2a\x4d\x18" + len(first).to_bytes(4, "little") + first
    data += b"".join(compress(record(number)) + skippable for number in range(9))
    assert whole(read(data), 9) == list(range(9)) and len(read(data)) == 9


@pytest.mark.parametrize("end", [b"", b"\n\n", b"\r\n", b"\r\n\r\n\r\n\r\n"])
def test_line_ends_between_records(end: bytes) -> None:
    data = b"".join(record(number, end=end) for number in range(5))
    assert whole(read(data), 5) == list(range(5)) and len(read(data)) == 5


COUNT = 6


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PACKED)), st.integers(0, COUNT - 1), st.floats(0, 1), st.binary(min_size=1, max_size=40))
def test_overwriting_bytes_of_a_member_costs_at_most_that_record(
    kind: str, victim: int, where: float, noise: bytes
) -> None:
    parts = [PACKED[kind](record(number)) for number in range(COUNT)]
    at = int(where * (len(parts[victim]) - 1))
    damaged = (parts[victim][:at] + noise)[: len(parts[victim])]
    parts[victim] = damaged + parts[victim][len(damaged) :]
    check(parts, victim)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PACKED)), st.integers(0, COUNT - 1), st.floats(0, 1), st.binary(max_size=60))
def test_cutting_a_member_and_leaving_garbage_costs_that_record(
    kind: str, victim: int, where: float, garbage: bytes
) -> None:
    parts = [PACKED[kind](record(number)) for number in range(COUNT)]
    parts[victim] = parts[victim][: int(where * (len(parts[victim]) - 1))] + garbage
    check(parts, victim)


def check(parts: list[bytes], victim: int) -> None:
    """All others are there; the victim is there whole, or told at its place."""
    items = read(b"".join(parts))
    found = whole(items, COUNT)
    assert [number for number in found if number != victim] == [n for n in range(COUNT) if n != victim]
    if victim not in found and parts[victim]:
        begin = sum(map(len, parts[:victim]))
        told = [item.offset for item in items if isinstance(item, Damage)]
        assert any(begin <= offset < begin + len(parts[victim]) for offset in told), (begin, told)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, COUNT - 1),
    st.sampled_from(["longer", "shorter", "huge", "none", "words", "cut", "version", "endless"]),
    st.binary(max_size=30),
)
def test_a_damaged_record_of_a_plain_file_costs_itself(victim: int, how: str, garbage: bytes) -> None:
    parts = [record(number) for number in range(COUNT)]
    size = len(parts[victim].split(b"\r\n\r\n", 1)[1]) - 4
    length = b"Content-Length: %d" % size
    assert length in parts[victim]
    one = parts[victim]
    parts[victim] = {
        "longer": lambda: one.replace(length, b"Content-Length: %d" % (size + 150)),
        "shorter": lambda: one.replace(length, b"Content-Length: %d" % (size - 30)),
        "huge": lambda: one.replace(length, b"Content-Length: 99999999999999"),
        "endless": lambda: one.replace(length, b"Content-Length: " + b"9" * 400),
        "none": lambda: one.replace(length, b"X: y"),
        "words": lambda: one.replace(length, b"Content-Length: many"),
        "cut": lambda: one[: len(one) // 2],
        "version": lambda: one.replace(b"WARC/1.0", b"WURC/1.0"),
    }[how]() + garbage
    items = read(b"".join(parts))
    assert [number for number in whole(items, COUNT) if number != victim] == [n for n in range(COUNT) if n != victim]
    assert any(isinstance(item, Damage) for item in items) or victim in whole(items, COUNT)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3000))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for magic in (b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18", b"WARC/1.0"):
        read(magic + data)


def test_a_bomb_ends_and_the_next_record_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD", 1 << 16)
    monkeypatch.setattr(records, "MAX_PASSED", 1 << 22)
    head = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n"
    for bomb in (head % (1 << 30) + bytes(1 << 23), b"WARC/1.0\r\nX: y\r\n\r\n" + b"a" * (1 << 23), bytes(1 << 23)):
        for kind, pack in PACKED.items():
            items = read(pack(record(0)) + pack(bomb) + pack(record(1)))
            assert whole(items, 2) == [0, 1], kind
            assert len([item for item in items if isinstance(item, Damage)]) == 1
    large = record(5, 1 << 20)
    items = read(record(0) + large + record(1))
    assert whole(items, 2) == [0, 1] and len(items) == 3
    assert items[1] == Raw(len(record(0)), large[: 1 << 16], 0, True)


def test_a_file_of_false_beginnings_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_FALSE", 1000)
    assert read(b"\x1f\x8b\x08\0" * 300_000) == []


def test_a_member_with_several_records_cut_in_the_middle() -> None:
    packed = gzip.compress(b"".join(record(number) for number in range(COUNT)) + record(9, 100_000))
    items = read(packed[:-60_000])
    assert whole(items, COUNT) == list(range(COUNT)) and isinstance(items[-1], Damage) and len(items) == COUNT + 1
    assert zlib.crc32(packed)
