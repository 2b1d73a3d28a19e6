"""Documents that share a key, found on disk: rows are scattered into partitions by their keys, each partition is sorted
alone, and what meets is scattered again by document number, so that it can be walked through in document order.

Memory is a setting: a partition is as small as that takes, one that is larger all the same (many documents have one
key) is divided by another hash until it is not, and what one key alone has is never in memory as a whole. Threads do
the work, since sorting and files need no interpreter. The result does not depend on how many there are, nor on the
number of partitions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.corpus.words import Hashes, mixed

KEYED = np.dtype([("key", "<u8"), ("more", "<u8"), ("number", "<u8")])
"""A document's key of 128 bits; `more` is 0 where 64 are enough."""
MEETING = np.dtype([("number", "<u8"), ("bucket", "<u8"), ("first", "<u8"), ("end", "?")])
"""Document `number` has a key that others have: `bucket` numbers the key, `first` is the first document that has it,
`end` says that no later one does."""
Rows = NDArray[np.void]
_COPIES = 5
"""Times a partition's bytes that sorting it takes: rows, columns, order, and what meets."""
_MOST = 4096  # partitions; each is a file that is opened, appended to and closed
_BUFFER = 1 << 16  # rows that are scattered at a time, at least
_LOAD = 1.5  # times its share that a partition may have: hashes do not fall evenly
_PIECES = 16  # that a larger partition is divided into


class Limits(msgspec.Struct, frozen=True):
    """What a pass over all documents may take: scratch files in `folder`, `memory` bytes for tables, `workers`."""

    folder: Path
    memory: int = 512_000_000
    workers: int = 1


class Keys(msgspec.Struct, frozen=True):
    """Keys of all documents, in blocks: `block(i)` gives `KEYED` rows, `rows` bounds how many there are in all."""

    blocks: int
    block: Callable[[int], Rows]
    rows: int


def keyed(numbers: Hashes, keys: Hashes, more: Hashes | None = None) -> Rows:
    """`KEYED` rows of documents `(n,)` with one key each."""
    rows = np.zeros(len(numbers), KEYED)
    rows["number"], rows["key"] = numbers, keys
    if more is not None:
        rows["more"] = more
    return rows


class Meetings:
    """What `meet` found, on disk: iterating gives `MEETING` rows in document order, a part at a time."""

    def __init__(self, folder: Path, parts: int, buckets: list[int]) -> None:
        self.folder, self.parts = folder, parts
        self.buckets = sum(buckets)
        self._bases = [0, *itertools.accumulate(buckets)]

    def __iter__(self) -> Iterator[Rows]:
        for part in range(self.parts):
            found = np.concatenate([np.zeros(0, MEETING), *self._read(part)])
            if len(found):
                yield found[np.lexsort((found["bucket"], found["number"]))]

    def _read(self, part: int) -> Iterator[Rows]:
        for partition, base in enumerate(self._bases[:-1]):
            path = self.folder / f"met-{part}-{partition}"
            if path.is_file():
                rows = np.fromfile(path, MEETING)
                rows["bucket"] += np.uint64(base)
                yield rows

    def documents(self) -> Iterator[tuple[int, Rows]]:
        """Every document that meets another, in order, with its rows."""
        for rows in self:
            starts = np.flatnonzero(np.r_[True, rows["number"][1:] != rows["number"][:-1]])
            for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
                yield int(rows["number"][start]), rows[start:end]


def meet(keys: Keys, documents: int, limits: Limits) -> Meetings:
    """Which of the documents share a key. `limits.folder` must be empty; the answer lies in it."""
    limits.folder.mkdir(parents=True, exist_ok=True)
    share = max(1, limits.memory // max(1, limits.workers))
    partitions = min(_MOST, max(1, -(-keys.rows * KEYED.itemsize * _COPIES // share)))
    parts = max(1, -(-keys.rows * MEETING.itemsize * _COPIES // limits.memory))
    room = share // (KEYED.itemsize * _COPIES)
    buffer = max(_BUFFER, room)

    def scatter(worker: int) -> None:
        blocks = range(worker, keys.blocks, limits.workers)
        for rows in _gathered((keys.block(number) for number in blocks), buffer):
            # the high bits of key * partitions: even, whatever the number of partitions
            where = ((rows["key"] >> np.uint64(32)) * np.uint64(partitions)) >> np.uint64(32)
            _append(rows, where, limits.folder, f"key-{{}}-{worker}")

    def gather(partition: int) -> int:
        files = [path for worker in range(limits.workers) if (path := _file(limits, partition, worker)).is_file()]
        buckets = 0
        for rows, more in _meeting(files, max(_BUFFER, int(room * _LOAD)), 1):
            rows["bucket"] += np.uint64(buckets)
            part = rows["number"] * np.uint64(parts) // np.uint64(max(1, documents))
            _append(rows, part, limits.folder, f"met-{{}}-{partition}")
            buckets += more
        return buckets

    with ThreadPoolExecutor(limits.workers) as pool:
        list(pool.map(scatter, range(limits.workers)))
        buckets = list(pool.map(gather, range(partitions)))
    return Meetings(limits.folder, parts, buckets)


def _meeting(files: list[Path], room: int, level: int) -> Iterator[tuple[Rows, int]]:
    """`MEETING` rows of a partition, and how many buckets end with them. The files are removed; not many more than
    `room` rows are in memory at a time."""
    if sum(path.stat().st_size for path in files) <= room * KEYED.itemsize:
        rows = _met(np.concatenate([np.zeros(0, KEYED), *(np.fromfile(path, KEYED) for path in files)]))
        yield rows, int(rows["bucket"][-1]) + 1 if len(rows) else 0
    elif _is_one_key(files, room):
        yield from _met_by_all(files, room)
    else:
        pieces = _divided(files, room, level)
        for path in files:  # before the pieces are divided in turn: the disk need not hold all levels
            path.unlink()
        for piece in pieces:
            yield from _meeting([piece], room, level + 1)
        return
    for path in files:
        path.unlink()


def _pieces(files: list[Path], room: int) -> Iterator[Rows]:
    for path in files:
        for start in range(0, path.stat().st_size, room * KEYED.itemsize):
            yield np.fromfile(path, KEYED, room, offset=start)


def _is_one_key(files: list[Path], room: int) -> bool:
    first = np.fromfile(files[0], KEYED, 1)
    return all((rows[["key", "more"]] == first[["key", "more"]]).all() for rows in _pieces(files, room))


def _met_by_all(files: list[Path], room: int) -> Iterator[tuple[Rows, int]]:
    """`MEETING` rows of documents that all have one key."""
    first = min(int(rows["number"].min()) for rows in _pieces(files, room))
    last = max(int(rows["number"].max()) for rows in _pieces(files, room))
    if first == last:
        return
    for rows in _pieces(files, room):
        found = np.zeros(len(rows), MEETING)
        found["number"], found["first"], found["end"] = rows["number"], first, rows["number"] == last
        yield found, 0
    yield np.zeros(0, MEETING), 1


def _divided(files: list[Path], room: int, level: int) -> list[Path]:
    """The rows in files of their own, by a hash of the whole key that differs from level to level."""
    name = files[0].name + "-{}"
    for rows in _pieces(files, room):
        salted = mixed(mixed(rows["key"] + np.uint64(level)) ^ rows["more"])
        _append(rows, salted % np.uint64(_PIECES), files[0].parent, name)
    return [path for piece in range(_PIECES) if (path := files[0].parent / name.format(piece)).is_file()]


def _file(limits: Limits, partition: int, worker: int) -> Path:
    return limits.folder / f"key-{partition}-{worker}"


def _gathered(blocks: Iterator[Rows], buffer: int) -> Iterator[Rows]:
    """Small blocks joined and large ones cut, so that each has about so many rows."""
    held: list[Rows] = []
    for rows in blocks:
        for start in range(0, len(rows), buffer):
            held.append(rows[start : start + buffer])
            if sum(map(len, held)) >= buffer:
                yield np.concatenate(held)
                held = []
    if held:
        yield np.concatenate(held)


def _append(rows: Rows, where: NDArray[Any], folder: Path, name: str) -> None:
    """Append each row to the file of its number."""
    order = np.argsort(where, kind="stable")
    numbers, starts = np.unique(where[order], return_index=True)
    for number, start, end in zip(numbers.tolist(), starts, [*starts[1:], len(rows)][: len(starts)], strict=True):
        with open(folder / name.format(number), "ab") as file:
            rows[order[start:end]].tofile(file)


def _met(rows: Rows) -> Rows:
    """The rows whose key another document has too, as `MEETING` rows; buckets are numbered from 0 on."""
    if not len(rows):
        return np.zeros(0, MEETING)
    order = np.lexsort((rows["number"], rows["more"], rows["key"]))
    key, more, number = rows["key"][order], rows["more"][order], rows["number"][order]
    new = np.r_[True, (key[1:] != key[:-1]) | (more[1:] != more[:-1])]
    starts = np.flatnonzero(new)
    lengths = np.diff(np.r_[starts, len(new)])
    # of one document alone nothing is said, however often it has the key
    shared = np.repeat((lengths > 1) & (number[starts] != number[starts + lengths - 1]), lengths)
    found = np.zeros(int(shared.sum()), MEETING)
    found["number"], found["first"] = number[shared], np.repeat(number[starts], lengths)[shared]
    found["end"] = np.r_[new[1:], True][shared]
    found["bucket"] = np.cumsum(new[shared]) - 1 if len(found) else 0
    return found
