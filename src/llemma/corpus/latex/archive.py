"""Archives of paper sources, read in memory: nothing is unpacked to disk, links and paths in them mean nothing, sizes
are bounded, and what lies before (tar: also behind) a damaged place is read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from llemma.corpus.latex.tar import BLOCK, Member, RefusedError, Stream, exactly, header, tar_members

MAX_FILE = 40 * 1024 * 1024
MAX_TOTAL = 120 * 1024 * 1024
"""Bytes of LaTeX read from one archive."""
MAX_UNPACKED = 4 * 1024 * 1024 * 1024
"""Bytes an archive may unpack to, figures included; a bomb ends here."""
MAX_MEMBERS = 20_000
MAX_INNER = 5
"""Archives inside an archive that are opened when it holds no LaTeX itself."""

TEX = (".tex", ".ltx", ".latex")
STYLES = (".sty", ".cls")
ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".gz", ".zip")
# Files that LaTeX does not read as text, and some it does that hold none of the paper's.
_NO_LATEX = re.compile(
    r"\.(?:e?ps[fi]?|pdf|png|jpe?g|gif|svg|bib|bst|bbl|blg|aux|log|out|toc|txt|dat|csv|clo|fd|def|cfg|md|html?|py|c|zip|gz|tgz|tar"
    r"|bz2|xz|mp4|avi|mov|docx?|xlsx?|ipynb|nb|m|fls|synctex|idx|ind|ist|lof|lot|ttf|otf|pfb|pfa|tfm|vf|mf|mp|asy|json|xml|yaml|cpp|h|r)$",
    re.IGNORECASE,
)
_LATEX = re.compile(
    rb"\\(?:document(?:class|style)|begin\s*\{document\}|magnification|input\s+(?:amstex|harvmac|phyzzx)|section\s*\{|bye\b)"
)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


class Archive(msgspec.Struct, frozen=True):
    """The LaTeX files of a paper, in the archive's order, and what was wrong with it."""

    files: dict[str, bytes]
    warnings: tuple[str, ...] = ()


def read_archive(path: Path) -> Archive:
    """The LaTeX files of an archive, folder or single file; raises `RefusedError` with the reason.

    Keys are normalised paths inside the archive, whatever tricks its names try. A damaged archive gives its intact
    files and a warning.
    """
    if path.is_dir():
        return _collected(_folder(path), stem(path))
    with open(path, "rb") as handle:
        return _collected(_members(handle, path.name), stem(path))


def read_packed(data: bytes, name: str) -> Archive:
    """As `read_archive`, of the bytes of an archive called `name`."""
    return _collected(_members(io.BytesIO(data), name), stem(Path(name)))


def stem(path: Path) -> str:
    """The name of an archive without its extensions."""
    name = path.name
    endings = (*ARCHIVES, *TEX, ".pdf") if not path.is_dir() else ()
    return next((name[: -len(ending)] for ending in endings if name.lower().endswith(ending)), name)


def _collected(members: Iterator[Member], name: str) -> Archive:
    files: dict[str, bytes] = {}
    inner: list[Member] = []
    kinds: dict[str, int] = {}
    warnings: list[str] = []
    total = 0
    try:
        for member in members:
            key = safe(member.name) or f"{name}.tex"
            kinds[posixpath.splitext(key)[1].lower()] = 1
            if member.data is None:
                continue
            if _is_archive(key):
                inner += [member] if len(inner) < MAX_INNER else []
                continue
            total += len(member.data)
            if total > MAX_TOTAL:
                raise RefusedError(f"more than {MAX_TOTAL >> 20} MiB of LaTeX")
            files[key] = member.data
    except _DAMAGE as error:
        if not files:
            raise RefusedError(f"damaged archive: {type(error).__name__}: {str(error)[:120]}") from error
        warnings.append(f"damaged archive: {str(error)[:120] or type(error).__name__}")
    if not any(_may_hold_text(key, data) for key, data in files.items()):
        return _from_inner(inner, _reason(kinds, [*files.values()]))
    return Archive(files, tuple(warnings))


def _may_hold_text(key: str, data: bytes) -> bool:
    return not key.lower().endswith(STYLES) and not posixpath.basename(key).lower().startswith("00readme")


def _from_inner(inner: list[Member], reason: str) -> Archive:
    """The first archive in the archive that holds LaTeX; archives in that one are not opened."""
    for member in inner:
        try:
            found = read_flat(member)
        except RefusedError:
            continue
        return Archive(found.files, (*found.warnings, f"read from {safe(member.name)[:100]} inside it"))
    raise RefusedError(reason)


def read_flat(member: Member) -> Archive:
    """An archive inside another."""
    data = member.data or b""
    found = [entry for entry in _members(io.BytesIO(data), member.name) if not _is_archive(entry.name)]
    return _collected(iter(found), stem(Path(posixpath.basename(member.name) or "inner")))


def _reason(kinds: dict[str, int], contents: list[bytes]) -> str:
    for ending, word in (
        (".pdf", "PDF"),
        (".ps", "PostScript"),
        (".html", "HTML"),
        (".htm", "HTML"),
        (".docx", "DOCX"),
        (".eps", "PostScript"),
    ):
        if ending in kinds:
            return f"{word} without LaTeX source"
    return "an empty archive" if not kinds else "no LaTeX file in it"


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".tar.gz", ".tgz", ".tar", ".zip"))


def _wanted(name: str, size: int) -> bool:
    """Whether the bytes of a member are read: LaTeX by name, what may be LaTeX without saying so, inner archives."""
    base = posixpath.basename(name).lower()
    if size > MAX_FILE or not size:
        return False
    if base.endswith((*TEX, *STYLES)) or base.startswith("00readme"):
        return True
    return _is_archive(base) or not _NO_LATEX.search(base)


def _kept(name: str, data: bytes) -> Member:
    """The member, without its bytes where its name does not say LaTeX and its beginning does not look like it."""
    base = posixpath.basename(name).lower()
    known = base.endswith((*TEX, *STYLES)) or base.startswith("00readme") or _is_archive(base)
    return Member(name, data if known or (b"\x00" not in data[:1000] and _LATEX.search(data, 0, 20_000)) else None)


def safe(name: str) -> str:
    """A key for the file: no root, no parent folders. Nothing is ever written under this name."""
    return posixpath.normpath("/" + name.replace("\\", "/").replace("\x00", "")).lstrip("/")[:1000]


def _folder(path: Path) -> Iterator[Member]:
    for folder, _, names in os.walk(path, followlinks=False):
        for name in sorted(names):
            file = Path(folder) / name
            if file.is_symlink() or not file.is_file():
                continue
            inside = str(file.relative_to(path)).replace(os.sep, "/")
            fits = _wanted(name, file.stat().st_size) and not _is_archive(name)
            yield _kept(inside, file.read_bytes()) if fits else Member(inside, None)


# --- single files, compressed or not ---------------------------------------------------------------------------------


def _members(handle: IO[bytes], name: str) -> Iterator[Member]:
    head = handle.read(6)
    handle.seek(0)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip(handle)
    elif head[:2] == b"\x1f\x8b":
        yield from _stream(Bounded(gzip.GzipFile(fileobj=handle)), name)
    elif head[:3] == b"BZh":
        yield from _stream(Bounded(bz2.BZ2File(handle)), name)
    elif head == b"\xfd7zXZ\x00":
        yield from _stream(Bounded(lzma.LZMAFile(handle)), name)
    else:
        yield from _stream(Bounded(handle), name)


def _stream(stream: Stream, name: str) -> Iterator[Member]:
    """A tar, or the one file that arXiv gzips when a paper has no more."""
    head = exactly(stream, BLOCK)
    if header(head) is not None:
        for count, member in enumerate(tar_members(stream, head, _wanted)):
            if count >= MAX_MEMBERS:
                raise RefusedError(f"more than {MAX_MEMBERS} files in it")
            yield member if member.data is None else _kept(member.name, member.data)
        return
    data, warning = _rest(stream, head)
    kind = _kind(data)
    if kind:
        raise RefusedError(kind)
    yield Member(f"{stem(Path(name))}.tex", data)
    if warning:
        raise OSError(warning)


def _rest(stream: Stream, head: bytes) -> tuple[bytes, str]:
    parts, size = [head], len(head)
    try:
        while data := stream.read(1 << 20):
            parts.append(data)
            size += len(data)
            if size > MAX_FILE:
                raise RefusedError(f"a file of more than {MAX_FILE >> 20} MiB")
    except _DAMAGE as error:
        if size == len(head):
            raise
        return b"".join(parts), str(error) or type(error).__name__
    return b"".join(parts), ""


def _kind(data: bytes) -> str:
    """Why a single file is no LaTeX, or ""."""
    start = data[:1000].lstrip().lower()
    if not start:
        return "an empty archive" if not data.strip() else ""
    for mark, word in ((b"%pdf", "PDF"), (b"%!ps", "PostScript"), (b"<!doctype html", "HTML"), (b"<html", "HTML")):
        if start.startswith(mark):
            return f"{word} without LaTeX source"
    if re.match(rb"\s*%\s*auto-ignore", data):
        return "withdrawn" if b"withdraw" in data.lower() else "no LaTeX file in it"
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return (
        "neither an archive nor LaTeX" if not wide and (b"\\" not in data or data.count(b"\x00", 0, 4096) > 40) else ""
    )


class Bounded:
    """A stream that ends with `RefusedError` when it has given more than `MAX_UNPACKED`."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._left = stream, MAX_UNPACKED

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise RefusedError(f"it unpacks to more than {MAX_UNPACKED >> 30} GiB")
        return data


# --- zip -----------------------------------------------------------------------------------------------------------


def _zip(handle: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(handle) as archive:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise RefusedError(f"more than {MAX_MEMBERS} files in it")
        for entry in archive.infolist():
            if entry.is_dir() or not _wanted(entry.filename, entry.file_size or 1):
                yield Member(entry.filename, None)
                continue
            with archive.open(entry) as content:
                data = content.read(MAX_FILE + 1)  # the size a zip declares may be a lie
            yield _kept(entry.filename, data) if len(data) <= MAX_FILE else Member(entry.filename, None)


# --- arXiv's bulk files ----------------------------------------------------------------------------------------------

_PAPER = re.compile(
    r"(?:^|/)((?:[a-z-]+(?:\.[A-Z]{2})?\d{7}|\d{4}\.\d{4,5})(?:v\d+)?)\.(?:gz|tar\.gz|tgz|tar|zip|pdf|ps\.gz|html\.gz)$"
)


def is_bulk(path: Path) -> bool:
    """Whether a file is one of arXiv's `arXiv_src_YYMM_NNN.tar`: a plain tar of papers named by their identifiers."""
    if path.is_dir() or path.suffix.lower() != ".tar":
        return False
    with open(path, "rb") as handle:
        members = tar_members(handle, exactly(handle, BLOCK), lambda name, size: False)
        try:
            return _PAPER.search(next(members).name) is not None
        except (StopIteration, *_DAMAGE):
            return False


def bulk(path: Path) -> Iterator[tuple[str, Member]]:
    """Each paper of a bulk file: its identifier, and what `read_member` opens. Raises `EOFError` where the file breaks
    off."""
    with open(path, "rb") as handle:
        for member in tar_members(handle, exactly(handle, BLOCK), _wanted_paper):
            if found := _PAPER.search(member.name):
                yield found[1], member


def _wanted_paper(name: str, size: int) -> bool:
    return size <= 4 * MAX_FILE and not name.endswith(".pdf") and _PAPER.search(name) is not None


def read_member(name: str, data: bytes | None) -> Archive:
    """The LaTeX files of a paper in a bulk file; raises `RefusedError` with the reason."""
    if name.endswith(".pdf"):
        raise RefusedError("PDF without LaTeX source")
    if data is None:
        raise RefusedError(f"more than {4 * MAX_FILE >> 20} MiB")
    return read_packed(data, posixpath.basename(name))
