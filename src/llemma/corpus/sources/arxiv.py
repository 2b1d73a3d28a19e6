"""Paper sources as arXiv hands them out: an archive (or folder) of LaTeX becomes one document.

Archives are read in memory: nothing is unpacked to disk, links and paths inside them mean nothing, sizes are bounded.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import posixpath
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from llemma.core.errors import MissingError
from llemma.core.files import digest, file_digest
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit

MAX_FILE = 40 * 1024 * 1024
MAX_TOTAL = 120 * 1024 * 1024
"""Bytes of LaTeX read from one archive."""
MAX_UNPACKED = 4 * 1024 * 1024 * 1024
"""Bytes an archive may unpack to, figures included; a bomb ends here."""
MAX_MEMBERS = 20_000

_TEXT = (".tex", ".ltx", ".sty", ".cls", ".latex")
_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".gz", ".zip")


class RefusedError(Exception):
    """An archive that cannot become a document; the message is the reason in the ledger."""


class Arxiv(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LaTeX sources. `inputs` are archives, single .tex files, folders of either, or globs; a folder with .tex
    files is one paper."""

    inputs: list[str]

    def units(self, context: Context) -> list[Unit]:
        """One unit an archive, named by its file without the extensions (with its folder where names repeat)."""
        paths = sorted({path for pattern in self.inputs for path in _papers(pattern)})
        repeated = Counter(_stem(path) for path in paths)
        return [Unit(_name(path, repeated), str(path), _digest(path)) for path in paths]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The one document of an archive, or the reason why there is none; made by a worker that can be killed."""
        from llemma.corpus.sources.papers import made

        return made(self, [unit], source)

    def read_here(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """As `read`, in this process: whatever the archive does, it does to us."""
        from llemma.corpus.latex import paper

        try:
            files = read_files(Path(unit.path))
            text = paper(files)
        except RefusedError as error:
            yield Dropped(unit.name, source, "read", str(error))
            return
        if not text:
            yield Dropped(unit.name, source, "latex", "no text in its LaTeX files")
            return
        yield Document(unit.name, text, source, {"archive": Path(unit.path).name, "files": len(files)})


def _papers(pattern: str) -> Iterator[Path]:
    names = sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
    found = [Path(name) for name in names]
    found = [path for path in found if path.exists()]
    if not found:
        raise MissingError(f"no paper source: {pattern}", where="inputs", mend="check the path; globs may use * and **")
    for path in found:
        yield from [path] if path.is_file() or _is_paper(path) else _inside(path)


def _is_paper(folder: Path) -> bool:
    return any(child.suffix in (".tex", ".ltx") for child in folder.iterdir())


def _inside(folder: Path) -> Iterator[Path]:
    """The archives in a folder of papers, and its subfolders that are papers."""
    for child in sorted(folder.iterdir()):
        if (child.is_dir() and not child.is_symlink() and _is_paper(child)) or (
            child.is_file() and child.name.endswith(_ARCHIVES)
        ):
            yield child


def _stem(path: Path) -> str:
    for ending in (*_ARCHIVES, ".tex", ".ltx"):
        if path.name.endswith(ending) and path.is_file():
            return path.name[: -len(ending)]
    return path.name


def _name(path: Path, repeated: Counter[str]) -> str:
    return _stem(path) if repeated[_stem(path)] == 1 else str(path)


def _digest(path: Path) -> str:
    if path.is_file():
        return file_digest(path)
    return digest(
        [
            (str(p.relative_to(path)), file_digest(p))
            for p in sorted(path.rglob("*"))
            if p.is_file() and not p.is_symlink()
        ]
    )


# --- reading archives ------------------------------------------------------------------------------------------------


def read_files(path: Path) -> dict[str, str]:
    """The LaTeX files of an archive, folder or single file, decoded; raises `RefusedError` with the reason.

    Keys are normalised paths inside the archive, whatever tricks its names try.
    """
    try:
        raw = _folder(path) if path.is_dir() else _file(path)
        found = {name: _decode(data) for name, data in raw}
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise RefusedError(f"damaged archive: {type(error).__name__}: {str(error)[:120]}") from error
    if not any(name.endswith((".tex", ".ltx", ".latex")) for name in found):
        raise RefusedError("no LaTeX file in it")
    return found


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace") if b"\x00" not in data[:1000] else ""


def _folder(path: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    for folder, _, names in os.walk(path, followlinks=False):
        for name in sorted(names):
            file = Path(folder) / name
            if (
                name.lower().endswith(_TEXT)
                and file.is_file()
                and not file.is_symlink()
                and file.stat().st_size <= MAX_FILE
            ):
                total = _within(total + file.stat().st_size)
                yield str(file.relative_to(path)).replace(os.sep, "/"), file.read_bytes()


def _within(total: int) -> int:
    if total > MAX_TOTAL:
        raise RefusedError(f"more than {MAX_TOTAL >> 20} MiB of LaTeX")
    return total


def _file(path: Path) -> Iterator[tuple[str, bytes]]:
    with open(path, "rb") as handle:
        head = handle.read(6)
        handle.seek(0)
        if head[:4] == b"PK\x03\x04":
            yield from _zip(handle)
        elif head[:4] == b"%PDF":
            raise RefusedError("PDF without LaTeX source")
        elif head[:2] == b"\x1f\x8b":
            with gzip.open(handle) as unpacked:
                yield from _stream(_Bounded(unpacked), path)  # type: ignore[arg-type]
        elif path.name.endswith((".bz2", ".xz")):
            with tarfile.open(fileobj=handle, mode="r:*") as archive:
                yield from _tar(archive)
        else:
            yield from _stream(_Bounded(handle), path)


def _stream(stream: _Bounded, path: Path) -> Iterator[tuple[str, bytes]]:
    """A tar, or the one file that arXiv gzips when a paper has no more."""
    head = stream.read(512)
    if len(head) == 512 and (head[257:262] == b"ustar" or _old_tar(head)):
        with tarfile.open(fileobj=io.BufferedReader(_Joined(head, stream)), mode="r|") as archive:
            yield from _tar(archive)
        return
    data = head + stream.read(MAX_FILE)
    if data[:4] == b"%PDF":
        raise RefusedError("PDF without LaTeX source")
    if len(data) > MAX_FILE:
        raise RefusedError(f"a file of more than {MAX_FILE >> 20} MiB")
    if b"\\" not in data or b"\x00" in data[:4096]:
        raise RefusedError("neither an archive nor LaTeX")
    yield f"{_stem(path)}.tex", data


def _old_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _tar(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    total = pdf = 0
    for count, member in enumerate(archive):
        if count >= MAX_MEMBERS:
            raise RefusedError(f"more than {MAX_MEMBERS} files in it")
        pdf += member.name.lower().endswith(".pdf")
        if not member.isfile() or not member.name.lower().endswith(_TEXT) or member.size > MAX_FILE:
            continue
        content = archive.extractfile(member)
        if content is not None:
            total = _within(total + member.size)
            yield _safe(member.name), content.read()


def _zip(handle: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    total = 0
    with zipfile.ZipFile(handle) as archive:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise RefusedError(f"more than {MAX_MEMBERS} files in it")
        for member in archive.infolist():
            if member.is_dir() or not member.filename.lower().endswith(_TEXT):
                continue
            with archive.open(member) as content:
                data = content.read(MAX_FILE + 1)  # the size a zip declares may be a lie
            if len(data) <= MAX_FILE:
                total = _within(total + len(data))
                yield _safe(member.filename), data


def _safe(name: str) -> str:
    """A key for the file: no root, no parent folders. Nothing is ever written under this name."""
    return posixpath.normpath("/" + name.replace("\\", "/").replace("\x00", "")).lstrip("/")


class _Bounded:
    """A stream that ends with `RefusedError` when it has given more than `MAX_UNPACKED`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MAX_UNPACKED

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise RefusedError(f"it unpacks to more than {MAX_UNPACKED >> 30} GiB")
        return data


class _Joined(io.RawIOBase):
    """`head`, then the rest of `stream`."""

    def __init__(self, head: bytes, stream: _Bounded) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
