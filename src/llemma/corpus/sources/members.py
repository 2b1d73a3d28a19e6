"""The compressed members of a file one by one: gzip members or zstd frames, found again after damage.

https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1-annotated/ has one gzip member a record;
https://iipc.github.io/warc-specifications/specifications/warc-zstd/ one zstd frame, whose dictionary, if any, comes
first in a skippable frame.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import zstandard

MAX_DICTIONARY = 64 << 20
"""Bytes of a dictionary."""

_PREFIX = b"WARC/"
_PROBE = 1 << 12
_BLOCK = 1 << 20
_HELD = 1 << 18
_FALSE = 100_000  # places of a file that look like members and are none, after which the search is given up
_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f
_DICTIONARY = 0x5D
_WINDOW = 1 << 27  # bytes of memory that a frame may ask for; zstd's own default limit


class BrokenError(Exception):
    """A member that cannot be unpacked to its end; the message says why."""


class Codec(NamedTuple):
    """A way of compression: what its members begin with, what unpacks one, and how many packed bytes are unpacked at
    a time, so that a bomb shows before it fills the memory."""

    name: str
    magic: bytes
    open: Callable[[], Any]
    step: int


def codec_of(handle: IO[bytes]) -> Codec | None:
    """How the file is compressed, by its first bytes or, where those are damaged, by members further on; None for a
    plain file."""
    head = os.pread(handle.fileno(), 8, 0)
    zstd = _is_skippable(head) or head[:4] == _ZSTD
    if zstd:
        return _zstd(handle)
    if head[:2] == _GZIP[:2]:
        return _gzip()
    if not head.startswith(_PREFIX):
        for codec in (_gzip(), _zstd(handle)):
            if Members(handle, codec).search(0) is not None:
                return codec
    return None


def _gzip() -> Codec:
    return Codec("gzip", _GZIP, lambda: zlib.decompressobj(31), 1 << 15)


def _zstd(handle: IO[bytes]) -> Codec:
    dictionary = _dictionary(handle)
    decompressor = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=_WINDOW)
    return Codec("zstd", _ZSTD, decompressor.decompressobj, 1 << 11)


def _dictionary(handle: IO[bytes]) -> zstandard.ZstdCompressionDict | None:
    head = os.pread(handle.fileno(), 8, 0)
    if not _is_skippable(head) or head[0] != _DICTIONARY:
        return None
    data = os.pread(handle.fileno(), min(MAX_DICTIONARY, _size(head)), 8)
    try:
        if data.startswith(_ZSTD):
            data = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompress(data, max_output_size=MAX_DICTIONARY)
        return zstandard.ZstdCompressionDict(data)
    except (zstandard.ZstdError, MemoryError):
        return None  # frames that need it will say so


def _is_skippable(head: bytes) -> bool:
    return len(head) == 8 and head[1:4] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F


def _size(head: bytes) -> int:
    return int.from_bytes(head[4:8], "little")


class Members:
    """The members of an open file; `unpacked` reads one, `after` says where it ended, `search` finds the next that
    holds a record."""

    def __init__(self, handle: IO[bytes], codec: Codec) -> None:
        self.codec, self._file = codec, handle.fileno()
        self._size = os.fstat(self._file).st_size
        self._end, self._false = 0, 0
        self._block, self._begin = b"", 0

    def _read(self, at: int, count: int) -> bytes:
        """So many bytes of the file, or what there is: from a block that is held, because members are small, and what
        is read of a file tells how far its reader has come."""
        if not self._begin <= at <= at + count <= self._begin + len(self._block):
            self._block, self._begin = os.pread(self._file, _HELD, at), at
        return self._block[at - self._begin : at - self._begin + count]

    def first(self) -> int | None:
        """Where the first member begins."""
        return self._from(0)

    def after(self) -> int | None:
        """Where the member behind the one that was just read begins; None at the end of the file."""
        return self._from(self._end)

    def _from(self, at: int) -> int | None:
        while at < self._size:
            head = self._read(at, 8)
            if self.codec.magic != _ZSTD or not _is_skippable(head):
                return at if head.strip(b"\0") or self._rest(at) else None
            at += 8 + _size(head)
        return None

    def _rest(self, at: int) -> bool:
        """Whether anything but zeros, with which tapes and tools pad files, follows."""
        return any(block.strip(b"\0") for block in self._blocks(at))

    def _blocks(self, at: int) -> Iterator[bytes]:
        while block := os.pread(self._file, _BLOCK, at):
            yield block
            at += len(block)

    def unpacked(self, at: int) -> Iterator[bytes]:
        """The member at `at`, piece by piece; `BrokenError` where it cannot be unpacked further."""
        unpacker, position = self.codec.open(), at
        while not unpacker.eof:
            chunk = self._read(position, self.codec.step)
            if not chunk:
                raise BrokenError("the file ends inside it")
            try:
                piece = unpacker.decompress(chunk)
            except (zlib.error, zstandard.ZstdError, MemoryError) as error:
                raise BrokenError(str(error) or "out of memory") from error
            position += len(chunk)
            self._end = position - len(unpacker.unused_data)
            if piece:
                yield piece

    def search(self, at: int) -> int | None:
        """Where the next member that begins with a record lies, from `at` on; None where there is none."""
        while at < self._size:
            block = os.pread(self._file, _BLOCK, at)
            found = block.find(self.codec.magic)
            while found >= 0:
                if self._holds_record(at + found):
                    return at + found
                self._false += 1
                if self._false > _FALSE:
                    return None
                found = block.find(self.codec.magic, found + 1)
            at += max(1, len(block) - len(self.codec.magic) + 1)
        return None

    def _holds_record(self, at: int) -> bool:
        unpacker, text = self.codec.open(), b""
        probe = os.pread(self._file, _PROBE, at)
        try:
            for start in range(0, len(probe), 64):  # a zstd block comes out whole: it may need more than one piece
                text += unpacker.decompress(probe[start : start + 64])
                if len(text) >= len(_PREFIX) or unpacker.eof:
                    break
        except (zlib.error, zstandard.ZstdError, MemoryError):
            pass
        return bool(text) and text.startswith(_PREFIX)
