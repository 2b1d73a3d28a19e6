"""What is read from a file is kept for the process, as long as the file stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def kept(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read`, a function of a file's path, which reads it again only where its size or time of change is another."""

    @lru_cache(maxsize=4)
    def remembered(path: str, state: tuple[int, int]) -> T:
        return read(path)

    @wraps(read)
    def current(path: str) -> T:
        return remembered(path, _state(path))

    return current


def _state(path: str) -> tuple[int, int]:
    if not path:
        return 0, 0  # it stands for what the toolkit has
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0  # `read` tells what is wrong
    return found.st_size, found.st_mtime_ns
