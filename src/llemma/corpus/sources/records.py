"""The records of a WARC file one by one, whatever is damaged between them.

The file is split here (so that reading can go on after a break) and each record is parsed by fastwarc.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAX_MEMBER = 512 * 1024 * 1024
"""Bytes of one gzip member unpacked; beyond it the member is treated as damaged rather than filling the memory."""

_GZIP, _WARC = b"\x1f\x8b\x08", b"WARC/"
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^content-length:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)
_NEXT_PLAIN = re.compile(rb"\n\r?\nWARC/\d")
_CHUNK = 1 << 16


class Raw(NamedTuple):
    """A whole record (headers and block), and where in the file it, or the gzip member around it, begins."""

    offset: int
    data: bytes


class Damage(NamedTuple):
    """A place where no whole record could be read."""

    offset: int
    reason: str


def split(path: Path) -> Iterator[Raw | Damage]:
    """Every record of a plain or gzipped WARC file in order; a file without any WARC record yields nothing."""
    if path.stat().st_size == 0:
        return
    with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield from _members(data) if _is_gzip(data) else _plain(data, 0)


def _is_gzip(data: mmap.mmap) -> bool:
    return data[:2] == _GZIP[:2] or (data[:5] != _WARC and _next_member(data, 0) < len(data))


def _members(data: mmap.mmap) -> Iterator[Raw | Damage]:
    at, size = 0, len(data)
    while at < size:
        text, end, reason = _unpack(data, at)
        if reason:
            following = _next_member(data, at + 1)
            if text[:5] == _WARC or at or following < size:
                yield from _whole_records(text, at, reason)
            at = following
        else:
            yield from (item._replace(offset=at) for item in _plain(text, at))
            at = end


def _whole_records(text: bytes, at: int, reason: str) -> Iterator[Raw | Damage]:
    """Of a damaged member: records before the last one are whole, when it holds several; then the damage."""
    if reason != "checksum":
        found = list(_plain(text, at)) if text[:5] == _WARC else []
        yield from (item._replace(offset=at) for item in found[:-1] if isinstance(item, Raw))
    yield Damage(at, f"damaged gzip member: {reason}")


def _unpack(data: mmap.mmap, at: int) -> tuple[bytes, int, str]:
    """The text of the member at `at`, where the next one begins, and the reason when it is damaged."""
    out: list[bytes] = []
    unpacker, total, position = zlib.decompressobj(31), 0, at
    while not unpacker.eof:
        chunk = data[position : position + _CHUNK]
        if not chunk:
            return b"".join(out), len(data), "the file ends inside it"
        try:
            piece = unpacker.decompress(chunk)
        except zlib.error as error:
            checksum = "check" in str(error)
            return b"".join(out), position, "checksum" if checksum else str(error)
        out.append(piece)
        total, position = total + len(piece), position + len(chunk)
        if total > MAX_MEMBER:
            return b"", position, f"larger than {MAX_MEMBER >> 20} MiB"
    return b"".join(out), position - len(unpacker.unused_data), ""


def _next_member(data: mmap.mmap, at: int) -> int:
    """Where the next gzip member that begins with a WARC record lies; the file's size when there is none."""
    while (at := data.find(_GZIP, at)) >= 0:
        try:
            if zlib.decompressobj(31).decompress(data[at : at + 4096], 5) == _WARC:
                return at
        except zlib.error:
            pass
        at += 1
    return len(data)


def _plain(data: mmap.mmap | bytes, base: int) -> Iterator[Raw | Damage]:
    """The records of unpacked data; a record that lies about its length ends at the next record's first line."""
    at, size = 0, len(data)
    while at < size:
        while at < size and data[at : at + 1] in (b"\r", b"\n"):
            at += 1
        if at >= size:
            return
        end = _record_end(data, at)
        if end is not None:
            yield Raw(at, bytes(data[at:end]))
            at = end
            continue
        following = _NEXT_PLAIN.search(data, at + 1)
        if data[at : at + 5] == _WARC or at or following:
            yield Damage(at, "truncated or damaged record")
        at = data.find(_WARC, following.start()) if following else size


def _record_end(data: mmap.mmap | bytes, at: int) -> int | None:
    """Where the record at `at` ends, or None when its header or length is damaged."""
    if data[at : at + 5] != _WARC:
        return None
    head = _HEADER_END.search(data, at, at + (1 << 16))
    length = _LENGTH.search(data, at, head.end()) if head else None
    if head is None or length is None or len(length[1]) > 15:
        return None
    end = head.end() + int(length[1])
    after = data[end : end + 9]
    closed = after.lstrip(b"\r\n")[:1] in (b"", b"W") and (after[:2] in (b"\r\n", b"\n\n") or not after)
    return end if end <= len(data) and closed else None
