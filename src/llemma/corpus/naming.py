"""Digests of files' contents, found by several threads and remembered for files that have not changed.

Units are named by content, so every run of a build must know the content of all inputs. A file that has the path, size,
times and inode it had when it was read last is not read again.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from llemma.core.files import file_digest

UNREADABLE = "unreadable"
"""Stands for the digest of a file that cannot be read."""
_THREADS = min(16, 2 * (os.cpu_count() or 1))  # hashing and reading need no interpreter
_FRESH = 3.0  # seconds in which a file may change once more without its times telling
_memory: Path | None = None


@contextmanager
def remembering(file: Path) -> Iterator[None]:
    """Within the block digests are remembered in `file`; where it cannot be used, files are read."""
    global _memory
    before, _memory = _memory, file
    try:
        yield
    finally:
        _memory = before


def file_digests(paths: Sequence[Path]) -> list[str]:
    """For each file 16 hex characters that name its content, or `UNREADABLE`."""
    keys = [_key(path) for path in paths]
    known = _recalled([key for key in keys if key])
    unknown = {path: key for path, key in zip(paths, keys, strict=True) if key not in known}
    with ThreadPoolExecutor(_THREADS) as pool:
        found = dict(zip(unknown, pool.map(_digest, unknown), strict=True))
    settled = time.time() - _FRESH
    _remember({key: found[path] for path, key in unknown.items() if key and _changed(key) < settled})
    return [known[key] if key in known else found[path] for path, key in zip(paths, keys, strict=True)]


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return UNREADABLE


def _key(path: Path) -> str:
    """What changes with a file; empty where there is none. The last time of change stands first."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    name = os.fsencode(path.absolute()).hex()
    times = (max(stat.st_mtime_ns, stat.st_ctime_ns), stat.st_mtime_ns, stat.st_ctime_ns)
    return ":".join(map(str, (*times, stat.st_size, stat.st_dev, stat.st_ino, name)))


def _changed(key: str) -> float:
    return int(key.partition(":")[0]) / 1e9


def _recalled(keys: Sequence[str]) -> dict[str, str]:
    if _memory is None or not _memory.is_file():
        return {}
    try:
        with closing(sqlite3.connect(_memory, timeout=5)) as table:
            ask = table.cursor()
            rows = ((key, ask.execute("SELECT digest FROM files WHERE key = ?", (key,)).fetchone()) for key in keys)
            return {key: str(row[0]) for key, row in rows if row}
    except sqlite3.Error:
        return {}


def _remember(digests: dict[str, str]) -> None:
    if _memory is None or not digests:
        return
    whole = [(key, digest) for key, digest in digests.items() if digest != UNREADABLE]
    try:
        with closing(sqlite3.connect(_memory, timeout=5)) as table, table:
            table.execute("CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY, digest TEXT) WITHOUT ROWID")
            table.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", whole)
    except sqlite3.Error:  # a file system without locks, a damaged file: the next run reads again
        return
