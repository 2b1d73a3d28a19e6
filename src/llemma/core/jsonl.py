"""JSON lines, plain or compressed by name (`.jsonl`, `.jsonl.zst`, `.jsonl.gz`), as typed records."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.files import replacing

T = TypeVar("T")


_LEAST, _MOST, _WANTED = 8, 2048, 1 << 16  # bytes decompressed at a time, and about how many shall come of them


class WholeZst(io.RawIOBase):
    """A zstandard file of any number of frames; raises `EOFError` where it ends inside one.

    The library's own reader keeps silent there, also where the cut falls between two lines. What decompresses to much
    is taken in small pieces, since each piece stands in memory decompressed.
    """

    def __init__(self, path: Path) -> None:
        import zstandard

        self._new = zstandard.ZstdDecompressor().decompressobj
        self._file, self._frame, self._left = open(path, "rb"), self._new(), memoryview(b"")
        self._packed, self._size, self._inside = memoryview(b""), _LEAST, False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill some of the buffer; 0 at the end of the last whole frame."""
        while not self._left:
            if not self._packed:
                self._packed = memoryview(self._file.read(1 << 14))
            if not self._packed:
                if self._inside:
                    raise EOFError("the compressed stream ends too early")
                return 0
            self._left = memoryview(self._decompressed())
        piece, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def _decompressed(self) -> bytes:
        piece = self._packed[: self._size]
        out = self._frame.decompress(piece)
        used = len(piece) - len(self._frame.unused_data)
        self._packed, self._inside = self._packed[used:], not self._frame.eof
        if self._frame.eof:
            self._frame = self._new()
        size = self._size * _WANTED // len(out) if len(out) > _WANTED else 2 * self._size
        self._size = min(_MOST, max(_LEAST, size))
        return out

    def close(self) -> None:
        """Close the file below, too."""
        self._file.close()
        super().close()


def open_lines(path: Path) -> IO[bytes]:
    """A file of lines opened for reading, decompressed by its name; a stream cut short raises `EOFError` where it ends.

    A file of several frames that was cut exactly between two of them cannot be told from a whole one.
    """
    if path.suffix == ".zst":
        return io.BufferedReader(WholeZst(path), 1 << 18)
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")  # type: ignore[return-value]


def _open_write(path: Path, name: str) -> IO[bytes]:
    if name.endswith(".zst"):
        import zstandard

        return zstandard.ZstdCompressor(level=3).stream_writer(open(path, "wb"), closefd=True)
    if name.endswith(".gz"):
        # neither time nor name in the header: equal content is equal on disk
        return io.BufferedWriter(_Gzip(open(path, "wb")))
    return open(path, "wb")


class _Gzip(gzip.GzipFile):
    """A gzip file that closes the file below it."""

    def __init__(self, below: IO[bytes]) -> None:
        super().__init__(filename="", mode="wb", fileobj=below, mtime=0)
        self.below = below

    def close(self) -> None:
        super().close()
        self.below.close()


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield the records of one file; a damaged line or stream is an error that names file and line."""
    return _rows(path, msgspec.json.Decoder(kind).decode)


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines that are not blank, undecoded; a damaged stream is an error that names file and line."""
    return _rows(path, bytes)


def _rows(path: Path, decode: Callable[[bytes], T]) -> Iterator[T]:
    number = 0
    try:
        with open_lines(path) as file:
            for line in file:
                number += 1
                if line.strip():
                    yield decode(line)
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path}", mend="check the path") from error
    except damage() as error:
        raise DataError(
            f"damaged JSON lines: {error}",
            where=f"{path} line {max(number, 1)}",
            mend="remove the file and run the command that made it again",
        ) from error


def damage() -> tuple[type[Exception], ...]:
    """What the decoders raise on a damaged line or a cut or corrupt stream."""
    import zlib

    import zstandard

    return (msgspec.DecodeError, UnicodeDecodeError, EOFError, OSError, zlib.error, zstandard.ZstdError)


def write(path: Path, records: Iterable[Any]) -> int:
    """Write records to `path`, whole or not at all; returns how many."""
    encoder, count = msgspec.json.Encoder(), 0
    with replacing(path) as temporary, _open_write(temporary, path.name) as out:
        for record in records:
            out.write(encoder.encode(record) + b"\n")
            count += 1
    return count
