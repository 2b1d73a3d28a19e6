"""Text files in tar and zip archives, read as a stream and never extracted.

An archive may be hostile: its paths are only names, links and devices are not followed, and what it may unpack to is
limited. A damaged archive gives the members before the damage and one line in the ledger.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.naming import file_digests
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.files import MAX_FILE, Wanted, as_document, expand, unreadable

MAX_MEMBERS = 1_000_000
MAX_RATIO = 250
"""Bytes an archive may unpack to for each of its own (text reaches about 10; deflate can reach 1,030)."""
FREE_BYTES = 64_000_000
"""Bytes that any archive may unpack to, whatever its own size."""
MAX_HEADER = 1 << 20
"""Bytes of a tar header that goes on in blocks of its own (long names, pax)."""


DAMAGE = ("damaged archive", "unpacks to too much")
"""Reasons in the ledger that stand for documents that nobody could read."""


class Archive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Text files in tar (plain, gzip, bzip2, xz) and zip archives. Ids are the archive's name and the path in it."""

    inputs: list[str]
    """Archives; each is a unit, and so is each match of a pattern like `data/*.tar.gz`."""
    include: list[str] = []
    """Patterns of the paths inside the archive that are read; all when empty."""
    exclude: list[str] = []
    """Patterns of the paths inside the archive that are not read."""

    def units(self, context: Context) -> list[Unit]:
        """One unit an archive."""
        paths = expand(self.inputs)
        missing = [str(path) for path in paths if not path.is_file()]
        if missing or not paths:
            what = ", ".join(missing or self.inputs)
            raise MissingError(f"no such archive: {what}", mend="check `inputs` of this source in the recipe")
        names = zip(paths, file_digests(paths), strict=True)
        return [Unit(path.name, str(path), digest) for path, digest in names]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted member, in the archive's own order."""
        wanted = Wanted(self.include, self.exclude)
        for member in members(Path(unit.path), wanted):
            yield from as_documents(member, unit.name, source, {"archive": unit.name})


class Member(msgspec.Struct, frozen=True):
    """A file of an archive: its bytes, or in `fault` why there are none; `path` is empty if the archive is at fault."""

    path: str
    data: bytes = b""
    fault: str = ""


class BombError(Exception):
    """The archive unpacks to more than it may."""


# What the readers of the standard library raise on damaged input.
_DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    ValueError,
    OverflowError,
)


def as_documents(member: Member, prefix: str, source: str, facts: dict[str, str]) -> Iterator[Document | Dropped]:
    """The document in a member, or the ledger's line for it."""
    id = f"{prefix}/{member.path}" if member.path else prefix
    if member.fault:
        yield unreadable(id, source, member.fault)
    else:
        yield as_document(id, source, member.path, member.data, facts)


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The wanted files of an archive; a file that is no archive at all is a `DataError`.

    What begins like a compressed stream is taken for a damaged archive, which ends with a member that says so.
    """
    with open(path, "rb") as file:
        head = file.read(8)
        file.seek(0)
        is_zip = head.startswith((b"PK\x03\x04", b"PK\x05\x06"))
        reader = _zip_members(file, path, wanted) if is_zip else _tar_members(file, head, path, wanted)
        count = 0
        try:
            for count, member in enumerate(reader, start=1):
                if count > MAX_MEMBERS:
                    raise BombError(f"more than {MAX_MEMBERS} members")
                yield member
        except BombError as error:
            yield Member("", fault=f"{DAMAGE[1]}: {error}, stopped after {count} files")
        except _DAMAGE as error:
            yield Member("", fault=f"{DAMAGE[0]}: {str(error) or type(error).__name__}, after {count} files")


class _Limited(io.RawIOBase):
    """Passes on what it reads and stops a bomb."""

    def __init__(self, inner: IO[bytes], limit: int) -> None:
        self.inner, self.left, self.limit = inner, limit, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.inner.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise BombError(f"more than {self.limit} bytes")
        return data


_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _Header(tarfile.TarInfo):
    """Remembers how the list of members ended: `tarfile` itself takes a damaged header for the end of the archive.

    Headers that would fill the memory (names of a gigabyte) or lead backwards are damaged ones.
    """

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Any:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.type in _EXTENDED and info.size > MAX_HEADER):
            raise tarfile.HeaderError(f"a size of {info.size}")
        return info

    @classmethod
    def fromtarfile(cls, tarfile_: Any) -> Any:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            tarfile_.llemma_end = error
            raise


def _tar_members(file: IO[bytes], head: bytes, path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    limit = FREE_BYTES + MAX_RATIO * path.stat().st_size
    stream = _Limited(_decompressed(file, head), limit)
    try:
        tar = tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)
    except tarfile.TarError as error:
        raise DataError(
            f"not an archive: {path.name}",
            where=str(path),
            mend="tar (plain, .gz, .bz2, .xz) and zip are read; check `inputs`",
        ) from error
    for info in tar:
        yield from _tar_member(tar, info, wanted)
        # A stream needs no list of what has passed; it would grow with the archive.
        tar.members = []  # type: ignore[attr-defined]
    end = getattr(tar, "llemma_end", None)
    if type(end).__name__ != "EOFHeaderError":
        raise tarfile.ReadError(f"bad header ({end})")
    while stream.read(1 << 20):  # the checksum stands at the end of the stream
        pass


def _decompressed(file: IO[bytes], head: bytes) -> Any:
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    return file


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo, wanted: Callable[[str], bool]) -> Iterator[Member]:
    name = info.name.removeprefix("./")
    if info.isdir() or not wanted(name):
        return
    fault = _unsafe(name) or _kind(info) or _too_large(info.size)
    if fault:
        yield Member(name, fault=fault)
        return
    handle = tar.extractfile(info)
    data = handle.read() if handle else b""
    if len(data) < info.size:
        raise EOFError("ends in the middle of a member")
    yield Member(name, data)


def _kind(info: tarfile.TarInfo) -> str:
    if info.isfile():
        return ""
    return "not read: a link" if info.issym() or info.islnk() else "not read: a device or another special file"


def _unsafe(name: str) -> str:
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or "\\" in name
    return "not read: the path leads outside the archive" if outside else ""


def _too_large(size: int) -> str:
    return f"too large: {size} bytes" if size > MAX_FILE else ""


def _zip_members(file: IO[bytes], path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    left = FREE_BYTES + MAX_RATIO * path.stat().st_size
    _check_list(file)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir() or not wanted(info.filename):
                continue
            member = _zip_member(archive, info)
            left -= len(member.data)
            if left < 0:
                raise BombError("its members together")
            yield member


_LISTED = 46 + 100  # bytes of a member in the list of a zip: a fixed part, and a name that is long on average


def _list_sizes(end: int, big: int) -> list[tuple[int, int, int]]:
    """Where the length of the list stands: in the end record, and in that of 64 bits, where the first says 2^32 - 1."""
    return [(end, 12, 16)] * (end >= 0 > big) + [(big, 40, 48)] * (big >= 0)


def _check_list(file: IO[bytes]) -> None:
    """Refuse a zip whose list of members, which is read as a whole, is longer than `MAX_MEMBERS` could need."""
    file.seek(0, io.SEEK_END)
    start = max(0, file.tell() - (1 << 16) - 200)
    file.seek(start)
    tail = file.read()
    file.seek(0)
    end, big = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    sizes = [int.from_bytes(tail[at + first : at + last], "little") for at, first, last in _list_sizes(end, big)]
    if any(size > MAX_MEMBERS * _LISTED for size in sizes):
        raise BombError(f"more than {MAX_MEMBERS} members")


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = info.filename
    link = "not read: a link" if (info.external_attr >> 16) & 0o170000 == 0o120000 else ""
    fault = _unsafe(name) or link or _too_large(info.file_size)
    if fault:
        return Member(name, fault=fault)
    try:
        with archive.open(info) as handle:
            data = handle.read(MAX_FILE + 1)
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
        return Member(name, fault=f"not read: {error}")
    except _DAMAGE as error:  # the next members may be whole
        return Member(name, fault=f"{DAMAGE[0]}: {str(error) or type(error).__name__}")
    return Member(name, data, _too_large(len(data)))
