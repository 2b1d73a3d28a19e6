"""A reader of tar that nothing stops: bounded headers, damaged places passed over, bytes read only where wanted.

The library's keeps what extended headers declare in memory whatever their size, ends at the first damaged header, and
takes several times as long for an archive of many small files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

MAX_SKIPPED = 64 * 1024 * 1024
"""Bytes behind a damaged header in which the next good one is looked for."""
BLOCK = 512
_CHUNK = 1 << 20


class RefusedError(Exception):
    """An archive that cannot become a document; the message is the reason in the ledger."""


class Member(msgspec.Struct, frozen=True):
    """A file inside an archive; `data` is None where nobody needs its bytes."""

    name: str
    data: bytes | None


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


def exactly(stream: Stream, size: int) -> bytes:
    """`size` bytes, or what there is."""
    parts: list[bytes] = []
    while size > 0 and (data := stream.read(min(size, _CHUNK))):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class _Header(msgspec.Struct, frozen=True):
    name: str
    size: int
    kind: bytes


def header(block: bytes) -> _Header | None:
    """What a tar header says, or None when the block is none (its checksum tells)."""
    if len(block) < BLOCK:
        return None
    said = _number(block[148:156])
    if said is None or said != sum(block[:148]) + 256 + sum(block[156:]):
        return None
    name, prefix = (part.split(b"\x00")[0].decode("utf-8", "replace") for part in (block[:100], block[345:500]))
    if prefix and block[257:262] == b"ustar" and block[262:263] == b"\x00":
        name = f"{prefix}/{name}"
    size = _number(block[124:136])
    return None if size is None else _Header(name, size, block[156:157])


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \x00")
    return int(digits, 8) if re.fullmatch(rb"[0-7]{0,12}", digits) and digits else 0 if not digits else None


def tar_members(stream: Stream, block: bytes, wanted: Callable[[str, int], bool]) -> Iterator[Member]:
    """The files of a tar whose first `block` was read; links and devices are passed over.

    `wanted` says by name and size whether the bytes of a file are read. A damaged header costs what lies between it and
    the next good one; raises `EOFError` about that, and about an archive that breaks off, when all intact members were
    yielded.
    """
    long_name, damaged = "", False
    while block.strip(b"\x00"):
        found = header(block)
        if found is None:
            block, damaged = _resumed(stream), True
            continue
        padded = -(-found.size // BLOCK) * BLOCK
        if found.kind in (b"L", b"x") and found.size <= _CHUNK:
            extra = exactly(stream, padded)[: found.size]
            long_name = (
                _pax_path(extra) if found.kind == b"x" else extra.rstrip(b"\x00").decode("utf-8", "replace")
            ) or long_name
        elif found.kind in (b"0", b"\x00", b"7"):
            yield _member(stream, long_name or found.name, found.size, wanted)
            _skip(stream, padded - found.size)
            long_name = ""
        else:
            long_name = ""
            _skip(stream, padded if found.kind not in (b"1", b"2", b"5") else 0)
        block = exactly(stream, BLOCK)
    if damaged:
        raise EOFError("damaged headers were passed over")


def _member(stream: Stream, name: str, size: int, wanted: Callable[[str, int], bool]) -> Member:
    if not wanted(name, size):
        _skip(stream, size)
        return Member(name, None)
    data = exactly(stream, size)
    if len(data) < size:
        raise EOFError("it breaks off")
    return Member(name, data)


def _skip(stream: Stream, size: int) -> None:
    while size > 0:
        data = stream.read(min(size, _CHUNK))
        if not data:
            raise EOFError("it breaks off")
        size -= len(data)


def _resumed(stream: Stream) -> bytes:
    """The next block that is a good header; b"" when there is none near."""
    for _ in range(MAX_SKIPPED // BLOCK):
        block = exactly(stream, BLOCK)
        if len(block) < BLOCK or (block[257:262] == b"ustar" and header(block) is not None):
            return block if len(block) == BLOCK else b""
    return b""


def _pax_path(extra: bytes) -> str:
    """The `path` of a pax header: records `LENGTH key=value\\n`."""
    match = re.search(rb"(?:^|\n)\d+ path=([^\n]{1,4000})\n", extra)
    return match[1].decode("utf-8", "replace") if match else ""
