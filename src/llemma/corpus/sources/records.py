"""The records of a WARC file one by one, whatever is damaged between them.

The file is split here, so that reading can go on after a break; what a record says is read elsewhere. Files may be
plain, one compressed member a record (gzip or zstd, as crawlers write them), or one member for all. No more than a
record, and of that no more than `MAX_RECORD`, is in memory at a time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from llemma.corpus.sources.members import BrokenError, Members, codec_of

MAX_RECORD = 32 << 20
"""Bytes of a record that are kept; the rest is passed over, and the record marked as cut."""
MAX_PASSED = 1 << 30
"""Unpacked bytes that may be passed over to reach the end of a record or the next one; a compressed bomb ends here."""

_WARC = b"WARC/"
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_MAX_HEADER = 1 << 16
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
# The version line and the beginning of a header: text about web archives seldom has both so.
_NEXT = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n(?=[A-Za-z][A-Za-z-]{1,40}:)")
_NEXT_SPAN = 64
_CHUNK = 1 << 16


class Raw(NamedTuple):
    """A whole record (headers and block), where the file or the member around it begins, and where in the member the
    record does. `cut`: only its first `MAX_RECORD` bytes are here."""

    offset: int
    data: bytes
    inner: int = 0
    cut: bool = False


class Damage(NamedTuple):
    """A place where no whole record could be read. `foreign`: nothing there says that it ever was one."""

    offset: int
    reason: str
    inner: int = 0
    foreign: bool = False


def split(path: Path) -> Iterator[Raw | Damage]:
    """Every record of a WARC file in order; a file without any WARC record yields nothing."""
    seen, held = False, list[Raw | Damage]()
    for item in _split(path):
        if not seen and isinstance(item, Damage) and item.foreign:
            held.append(item)
            continue
        seen = True
        yield from held
        held.clear()
        yield item


def _split(path: Path) -> Iterator[Raw | Damage]:
    with open(path, "rb") as handle:
        codec = codec_of(handle)
        if codec is not None:
            yield from _of_members(Members(handle, codec))
            return
        size = os.fstat(handle.fileno()).st_size
        stream = _Stream(iter(lambda: handle.read(_CHUNK), b""), size)
        for item in _records(stream):
            yield item._replace(offset=item.inner, inner=0)


def _of_members(members: Members) -> Iterator[Raw | Damage]:
    at = members.first()
    while at is not None:
        stream = _Stream(members.unpacked(at))
        try:
            for item in _records(stream):
                yield item._replace(offset=at)
        except BrokenError as error:
            yield Damage(at, f"damaged {members.codec.name} member: {error}", stream.start, not stream.is_warc)
            at = members.search(at + 1)
        else:
            at = members.after()


class _Stream:
    """Unpacked bytes, with as many of them held as somebody needs; `start` is where the held ones begin."""

    broken: BrokenError | None

    def __init__(self, pieces: Iterator[bytes], size: int | None = None) -> None:
        self.pieces, self.size = pieces, size
        self.held, self.start, self.is_warc = bytearray(), 0, False
        self.ended, self.broken = False, None

    def hold(self, count: int) -> bool:
        """Hold at least so many bytes; False where the stream ends or breaks before."""
        while len(self.held) < count and not self.ended:
            try:
                piece = next(self.pieces, None)
            except BrokenError as error:
                piece, self.broken = None, error
            if piece is None:
                self.ended = True
            else:
                self.held += piece
        return len(self.held) >= count

    def need(self, count: int) -> bool:
        """As `hold`; raises where the stream breaks before. What was whole until then has been read by then."""
        if not self.hold(count) and self.broken:
            raise self.broken
        return len(self.held) >= count

    def drop(self, count: int) -> None:
        """Forget the first bytes held."""
        del self.held[:count]
        self.start += count

    def skip(self, count: int) -> bool:
        """Pass over so many bytes; False where the stream ends before."""
        if count > MAX_PASSED and self.size is None:
            raise BrokenError(f"a record of {count >> 20} MiB")
        while count > len(self.held):
            count -= len(self.held)
            self.drop(len(self.held))
            if not self.need(1):
                return False
        self.drop(count)
        return True

    def skip_blank(self) -> bool:
        """Pass over line ends; whether anything follows."""
        while self.need(1):
            text = self.held.lstrip(b"\r\n")
            self.drop(len(self.held) - len(text))
            if text:
                self.is_warc = self.is_warc or (self.hold(len(_WARC)) and self.held.startswith(_WARC))
                return True
        return False

    def seek(self) -> bool:
        """Go to the next place where a record begins, after the first byte held."""
        begun = self.start
        self.drop(1)
        while True:
            if found := _NEXT.search(self.held):
                self.drop(found.start())
                return True
            self.drop(max(0, len(self.held) - _NEXT_SPAN))
            if not self.need(len(self.held) + 1):
                self.drop(len(self.held))
                return False
            if self.size is None and self.start - begun > MAX_PASSED:
                raise BrokenError(f"more than {MAX_PASSED >> 20} MiB without a record")


def _records(stream: _Stream) -> Iterator[Raw | Damage]:
    """The records of unpacked bytes; after a damaged one reading goes on where the next one begins."""
    while stream.skip_blank():
        at, begins = stream.start, stream.held.startswith(_WARC)
        found = _record(stream)
        if isinstance(found, str):
            stream.seek()
            yield Damage(0, found, at, foreign=not begins)
        else:
            yield found._replace(inner=at)


def _record(stream: _Stream) -> Raw | str:
    """The record at the beginning of the stream, which is then passed; or what is wrong, and the stream stays."""
    if not stream.held.startswith(_WARC):
        return "no record begins here"
    stream.hold(_MAX_HEADER)
    head = _HEADER_END.search(stream.held, 0, _MAX_HEADER)
    length = _LENGTH.search(stream.held, 0, head.end()) if head else None
    if head is None or length is None or len(length[1]) > 15:
        return "damaged record: no header with a length"
    end = head.end() + int(length[1])
    if stream.size is not None and stream.start + end > stream.size:
        return "truncated or damaged record: it says that it is longer than the file"
    return _whole(stream, end) if end <= MAX_RECORD else _cut(stream, end)


def _whole(stream: _Stream, end: int) -> Raw | str:
    if not stream.need(end):
        return "truncated or damaged record: the file ends inside it"
    stream.need(end + 16)  # the end of a member is looked at, and so its checksum, before its last record is taken
    if not _closed(bytes(stream.held[end : end + 16])):
        return "damaged record: its length is wrong"
    data = bytes(memoryview(stream.held)[:end])
    stream.drop(end)
    return Raw(0, data)


def _cut(stream: _Stream, end: int) -> Raw | str:
    """Of a very large record the beginning, unless another record begins in it: then its length is wrong."""
    if not stream.need(MAX_RECORD):
        return "truncated or damaged record: the file ends inside it"
    if _NEXT.search(stream.held, 1, MAX_RECORD):
        return "damaged record: its length is wrong"
    data = bytes(memoryview(stream.held)[:MAX_RECORD])
    return Raw(0, data, cut=True) if stream.skip(end) else "truncated or damaged record: the file ends inside it"


def _closed(after: bytes) -> bool:
    """Whether what follows a record can: its two line ends, whatever comes then, or another record, or nothing."""
    rest = after.lstrip(b"\r\n")
    return after.startswith(b"\r\n\r\n") or rest.startswith(_WARC[: len(rest)])
