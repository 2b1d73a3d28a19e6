"""All that may hold pages, as pieces for the workers: crawl files, HTML files, rows, folders, `-`, addresses."""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import IO

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import MissingError
from llemma.corpus.sources import addresses, pages, remote
from llemma.corpus.sources.http import MAX_BODY
from llemma.corpus.sources.pages import Flow, Piece
from llemma.corpus.sources.warc import records

PAGES = (".html", ".htm", ".xhtml", ".xht")
ROWS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
ARCHIVES = tuple(f".{kind}{packed}" for kind in ("warc", "wet") for packed in ("", ".gz", ".zst"))
MAX_ROW = 6 * MAX_BODY
"""Bytes of a row: JSON may write a byte of a page as six."""
STDIN = "-"

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def expanded(inputs: Sequence[Path | str], files: int, console: Console) -> list[str]:
    """The paths and addresses that `inputs` stand for; a missing one is an error."""
    return [where for given in inputs for where in _expanded(str(given), files, console)]


def _expanded(given: str, files: int, console: Console) -> list[str]:
    if given == STDIN or addresses.is_remote(given) or addresses.is_list(given):
        return addresses.listed(given, files, console)
    path = Path(given)
    if path.is_dir():
        return _inside(path)
    if not path.is_file() and glob.has_magic(given):
        found = sorted(glob.iglob(given, recursive=True))  # noqa: PTH207
        if found:
            return [where for name in found for where in (_inside(Path(name)) if Path(name).is_dir() else [name])]
    if not path.is_file():
        raise MissingError(f"no such file: {given}", mend="check the path")
    return [given]


def _inside(folder: Path) -> list[str]:
    endings = (*ARCHIVES, *PAGES, *ROWS)
    found = sorted(str(file) for file in folder.rglob("*") if file.name.lower().endswith(endings) and file.is_file())
    if not found:
        raise MissingError(f"no pages in {folder}", mend=f"give files that end in {', '.join(endings)}")
    return found


def pieces(wheres: Sequence[str], source: str, *, keep: bool, console: Console) -> Flow:
    """The pieces of every input in order; remote ones are fetched one ahead, and removed unless `keep`."""
    for where, path in zip(wheres, remote.each(wheres, keep=keep, console=console), strict=True):
        if where == STDIN:
            yield from _standard_input(source)
        else:
            name = remote.name_of(where) if addresses.is_remote(where) else path.name
            yield from _of_file(where, path, name, source)


def _of_file(where: str, path: Path, name: str, source: str) -> Flow:
    kind = _kind(name.lower(), path)
    if kind == "html":
        yield _html_file(where, path)
    elif kind == "rows":
        yield from _rows(path, name, source)
    else:  # whatever else there is must be a crawl file; one that is not says so
        yield from records(path, name, source)


def _kind(name: str, path: Path) -> str:
    if name.endswith(ARCHIVES):
        return "records"
    if name.endswith(PAGES):
        return "html"
    if name.endswith(ROWS):
        return "rows"
    head = _head(path).lstrip(b"\xef\xbb\xbf \t\r\n")
    return {b"<": "html", b"{": "rows"}.get(head[:1], "records")


def _head(path: Path) -> bytes:
    """The first bytes of what a file holds; of one that is not text, its own."""
    import zstandard

    with open(path, "rb") as handle:
        head = handle.read(1 << 12)
    try:
        if head.startswith(_GZIP):
            return zlib.decompressobj(31).decompress(head, 1 << 12)
        return zstandard.ZstdDecompressor().decompressobj().decompress(head) if head.startswith(_ZSTD) else head
    except (zlib.error, zstandard.ZstdError):
        return head


def _standard_input(source: str) -> Flow:
    """What comes by the pipe, kept in a file meanwhile: reading goes on after damage, and so back and forth."""
    with tempfile.TemporaryDirectory(prefix="llemma-") as folder:
        path = Path(folder) / "stdin"
        with open(path, "wb") as handle:
            shutil.copyfileobj(sys.stdin.buffer, handle)
        with open(path, "rb") as handle:
            head = handle.read(4)
        if _kind("", path) == "rows":  # the readers of rows go by name
            ending = ".gz" if head.startswith(_GZIP) else ".zst" if head.startswith(_ZSTD) else ""
            path = path.rename(path.with_name(f"stdin.jsonl{ending}"))
        yield from _of_file("stdin", path, path.name, source)


def _html_file(where: str, path: Path) -> tuple[pages.Place, bytes]:
    with open(path, "rb") as handle:
        data = handle.read(MAX_BODY + 1)
    url = where if addresses.is_remote(where) else path.absolute().as_uri()
    return pages.wrapped(Piece("html", where, data[:MAX_BODY], len(data) > MAX_BODY, url))


def _rows(path: Path, name: str, source: str) -> Flow:
    """Rows `{html, id?, url?}`; a damaged stream is told by the line at which it breaks off."""
    number = 0
    try:
        with jsonl.open_lines(path) as handle:
            for number, line in zip(count(1), _lines(handle), strict=False):
                place = f"{name} line {number}"
                if line is None:
                    yield pages.lost(place, source, "read", f"a row of more than {MAX_ROW >> 20} MiB")
                elif line.strip():
                    yield pages.wrapped(Piece("row", place, line))
    except jsonl.damage() as error:
        yield pages.lost(f"{name} line {number + 1}", source, "read", f"damaged stream: {error}")


def _lines(handle: IO[bytes]) -> Iterator[bytes | None]:
    """The lines; None for one that is too long to be held."""
    while line := handle.readline(MAX_ROW):
        long = len(line) == MAX_ROW and not line.endswith(b"\n")
        while long and line and not line.endswith(b"\n"):
            line = handle.readline(MAX_ROW)
        yield None if long else line
