"""Remote crawl files, fetched so that a break costs nothing: what came is kept, and the rest is asked for.

A file comes into a cache folder under a temporary name, with what the server said of it (size, ETag) beside it, and is
renamed when it is whole. It is removed once it has been read. A process that holds a file holds a lock on it, which
dies with the process; what killed ones left stays for the next run, within the folder's bound.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from llemma.core.console import Console
from llemma.core.errors import DataError, LlemmaError
from llemma.core.files import digest, read_json, write_json
from llemma.core.home import cache_folder
from llemma.corpus.source import Unit
from llemma.corpus.sources import addresses, download
from llemma.corpus.sources.download import Facts

CACHE_GB = 20.0
"""Bound of the cache folder in GB (10^9 bytes), unless `LLEMMA_CRAWL_GB` says another; files in use are never removed
for it."""
_PROBES = 16  # files asked for at the same time while a build is planned


def folder() -> Path:
    """Where fetched files wait to be read."""
    return cache_folder() / "crawl"


def units(urls: Sequence[str]) -> list[Unit]:
    """A unit an address, named by what the server says of its size and tag; nothing is fetched."""
    with ThreadPoolExecutor(_PROBES) as pool:
        facts = list(pool.map(lambda url: download.probe(addresses.web_address(url)), urls))
    return [Unit(name_of(url), url, _digest(url, fact)) for url, fact in zip(urls, facts, strict=True)]


def name_of(url: str) -> str:
    """The file's name: the last part of the path."""
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or "index"


def _digest(url: str, facts: Facts) -> str:
    return digest(url, facts.size, facts.etag or facts.modified)


@contextmanager
def local(where: str, *, keep: bool = False, unit: str = "", console: Console | None = None) -> Iterator[Path]:
    """The file behind a path (that file) or an address (fetched, and removed afterwards unless `keep`).

    `unit` is the digest of the planned unit; `DataError` where the file has changed since.
    """
    if not addresses.is_remote(where):
        yield Path(where)
        return
    with _Entry(where) as entry:
        facts = entry.fetch(console)
        if unit and _digest(where, facts) != unit:
            raise DataError("the file has changed since the build was planned", where=where, mend="run it again")
        yield entry.path
        if not keep:
            entry.remove()


def each(wheres: Sequence[str], *, keep: bool = False, console: Console | None = None) -> Iterator[Path]:
    """The file behind each path or address in turn; the next one is fetched while one is read."""
    ahead = _Ahead(wheres[0], console) if wheres else None
    for number in range(len(wheres)):
        assert ahead is not None
        current, ahead = ahead, None
        try:
            path = current.wait()
            if number + 1 < len(wheres):
                ahead = _Ahead(wheres[number + 1], console)
            yield path
            current.finish(keep)
        finally:
            current.leave()
            if ahead is not None and number + 1 == len(wheres):
                ahead.leave()


class _Ahead:
    """A file being fetched by a thread. The thread is a daemon: Ctrl-C does not wait for the network."""

    def __init__(self, where: str, console: Console | None) -> None:
        self.where, self.entry, self.error = where, None, None
        if addresses.is_remote(where):
            self.thread = threading.Thread(target=self._fetch, args=(console,), daemon=True)
            self.thread.start()

    entry: _Entry | None
    error: BaseException | None

    def _fetch(self, console: Console | None) -> None:
        try:
            self.entry = _Entry(self.where)
            self.entry.__enter__()
            self.entry.fetch(console)
        except BaseException as error:
            self.error = error

    def wait(self) -> Path:
        """The file, when it is here."""
        if not addresses.is_remote(self.where):
            return Path(self.where)
        self.thread.join()
        if self.error is not None:
            raise self.error
        assert self.entry is not None
        return self.entry.path

    def finish(self, keep: bool) -> None:
        """It has been read."""
        if self.entry is not None and not keep:
            self.entry.remove()

    def leave(self) -> None:
        """Let others have it."""
        if self.entry is not None:
            self.entry.__exit__()


class _Entry:
    """A file of the cache, with a lock that is held inside the block."""

    def __init__(self, url: str) -> None:
        self.url, self.address = url, addresses.web_address(url)
        self.path = folder() / f"{digest(self.address)}-{name_of(url)[-120:]}"
        self.part, self.note, self.lock = (
            self.path.with_name(self.path.name + end) for end in (".part", ".json", ".lock")
        )
        self.handle: IO[bytes] | None = None

    def __enter__(self) -> _Entry:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = open(self.lock, "ab")
        fcntl.flock(self.handle, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        if self.handle is not None:
            self.handle.close()

    def remove(self) -> None:
        """Forget the file; the empty lock file stays, because others may wait for it."""
        for path in (self.path, self.part, self.note):
            path.unlink(missing_ok=True)

    def fetch(self, console: Console | None) -> Facts:
        """Have the whole file here, whatever part of it is; what the server says of it."""
        tell = console.warn if console is not None else _silent
        facts = self._facts()
        if self.path.is_file() and facts is not None:
            if download.probe(self.address) == facts:
                return facts
            self.remove()
        if facts is None:
            self.part.unlink(missing_ok=True)
        if console is not None:
            have = _size(self.part)
            console.say(f"fetching {self.url}" + (f", of which {have / 1e6:,.1f} MB are here" if have else ""))
        fetched = download.fetch(self.address, self.part, facts, self._noted, tell)
        self.part.replace(self.path)
        return fetched

    def _facts(self) -> Facts | None:
        try:
            return read_json(self.note, Facts)
        except LlemmaError:
            return None

    def _noted(self, facts: Facts) -> None:
        """Called before the first byte of a version comes: remember which one it is, and make room for it."""
        make_room((facts.size or 0) - _size(self.part))
        write_json(self.note, facts)


def _silent(text: str) -> None:
    """Say nothing."""


def make_room(needed: int) -> None:
    """Remove the files that lie longest in the cache and that nobody holds, until `needed` bytes more are within its
    bound; raises where the disk has not that much left."""
    bound = float(os.environ.get("LLEMMA_CRAWL_GB") or CACHE_GB) * 1e9
    files = [
        path for path in folder().glob("*") if path.suffix != ".lock" and path.suffix != ".json" and path.is_file()
    ]
    total = sum(map(_size, files))
    for path in sorted(files, key=_age):
        if total + needed <= bound:
            break
        size = _size(path)
        total -= size if _forgotten(path) else 0
    if shutil.disk_usage(folder()).free < needed:
        raise LlemmaError(
            f"no room for a file of {needed / 1e9:.1f} GB",
            where=str(folder()),
            mend="free some space, or set LLEMMA_HOME",
        )


def _forgotten(path: Path) -> bool:
    """Remove a file unless somebody holds it. Its empty lock stays: others may wait for it."""
    name = path.name.removesuffix(".part")
    with open(path.with_name(name + ".lock"), "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        for end in ("", ".part", ".json"):
            path.with_name(name + end).unlink(missing_ok=True)
    return True


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _age(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
