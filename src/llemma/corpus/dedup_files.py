"""Near-duplicates of JSONL files, outside a recipe: `llemma corpus dedup`.

Two passes: the first signs every row and lays hashes and signatures down in scratch files, the second copies the rows
that are kept. Memory holds one byte a row, and the rows being compared.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import BusyError, DataError, UsageError
from llemma.core.files import disk_error
from llemma.corpus.copies import METHODS, Index, find_copies
from llemma.corpus.dedup import MINHASH, Method, text_number
from llemma.corpus.exchange import Limits
from llemma.corpus.words import word_hashes

_BLOCK = 5_000  # rows whose columns are read at a time
_SCRATCH = ".scratch-"


class Cluster(msgspec.Struct, frozen=True):
    """A row of `clusters.jsonl`: the dropped `id` is a copy of the kept `keeper`."""

    id: Any
    keeper: Any
    similarity: float


class Counts(msgspec.Struct, frozen=True):
    """Rows read, kept, and dropped as exact and as near copies."""

    rows: int
    kept: int
    exact: int
    near: int


class Row(msgspec.Struct):
    """What deduplication reads of a row."""

    id: Any
    text: str


def dedup_files(
    inputs: Sequence[Path], out: Path, *, threshold: float, console: Console, method: str = MINHASH.name
) -> Counts:
    """Write the rows of `inputs` that are no copies to files of the same names in `out`, and `out/clusters.jsonl`.

    A row is a copy when its 5-word shingles have a Jaccard similarity of at least `threshold` with an earlier kept row
    (files in the order given), or by `simhash` when three bits of 64 differ at most. Raises `DataError` for a row
    without `id` and `text`, naming file and line.
    """
    names = _names(inputs, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out), tempfile.TemporaryDirectory(dir=out, prefix=_SCRATCH) as scratch:
            signed = _Signed(Path(scratch), METHODS[method])
            signed.sign(inputs, console)
            with console.progress("find copies", unit="rows"):
                equal, near = find_copies(signed.index(), threshold, Limits(Path(scratch) / "copies"))
            dropped = np.zeros(signed.count, bool)
            dropped[np.concatenate([equal["number"], near["number"]])] = True
            _write_kept(inputs, [out / name for name in names], dropped, console)
            jsonl.write(out / "clusters.jsonl", _clusters(equal, near, signed))
    except OSError as error:
        raise disk_error(error, out) from error
    return Counts(signed.count, signed.count - len(equal) - len(near), len(equal), len(near))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder, and remove what a run that was killed left half written in it."""
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in out.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in out.glob(".*.jsonl*.tmp"):
            left.unlink(missing_ok=True)
        yield
    except BlockingIOError as error:
        mend = "wait for it, or choose another --out"
        raise BusyError("another run writes into this folder", where=str(out), mend=mend) from error
    finally:
        os.close(folder)


def _write_kept(inputs: Sequence[Path], outputs: Sequence[Path], dropped: NDArray[np.bool_], console: Console) -> None:
    start = 0
    for path, output in zip(inputs, outputs, strict=True):
        with console.progress(f"write {output.name}", unit="rows") as bar:
            counter = _Counter(start)
            rows = counter.passing(bar.counted(jsonl.read(path, msgspec.Raw)))
            jsonl.write(output, (row for row in rows if not dropped[counter.now]))
        start = counter.now + 1


class _Counter:
    """The number of the row that is passing."""

    def __init__(self, start: int) -> None:
        self.now = start - 1

    def passing(self, rows: Iterator[msgspec.Raw]) -> Iterator[msgspec.Raw]:
        for row in rows:
            self.now += 1
            yield row


def _clusters(equal: NDArray[np.void], near: NDArray[np.void], signed: _Signed) -> Iterator[Cluster]:
    joined = np.concatenate([equal, near])
    for number, keeper, similarity in joined[np.argsort(joined["number"])]:
        yield Cluster(signed.id(int(number)), signed.id(int(keeper)), round(float(similarity), 4))


def _names(inputs: Sequence[Path], out: Path) -> list[str]:
    names = [path.name for path in inputs]
    if len(set(names)) < len(names) or "clusters.jsonl" in names:
        raise UsageError("two outputs would have the same name", mend="rename the inputs, or call dedup on each folder")
    if any(path.resolve().parent == out.resolve() for path in inputs):
        raise UsageError("the output folder holds an input", where=str(out), mend="choose another --out")
    return names


class _Signed:
    """Columns of all rows in files of `folder`: ids as JSON, word hashes, what near-duplicates are found by."""

    COLUMNS = ("ids", "words", "texts", "keys", "marks", "ends")

    def __init__(self, folder: Path, method: Method) -> None:
        self.folder, self.method, self.count = folder, method, 0

    def sign(self, inputs: Sequence[Path], console: Console) -> None:
        """Read every row once."""
        ends = np.zeros(2, np.uint64)  # of the row's id and of its words
        with ExitStack() as stack, console.progress("sign", unit="rows") as bar:
            files = [stack.enter_context(open(self.folder / name, "wb")) for name in self.COLUMNS]
            for path in inputs:
                for row in bar.counted(_rows(path)):
                    hashes, id = word_hashes(row.text.split()), msgspec.json.encode(row.id)
                    keys, marks = self.method.sign(hashes)
                    ends += np.array([len(id), len(hashes)], np.uint64)
                    text = np.array(text_number(hashes), np.uint64)
                    columns = (hashes, text, keys, marks, ends)
                    for file, data in zip(files, (id, *(column.tobytes() for column in columns)), strict=True):
                        file.write(data)
                    self.count += 1

    def index(self) -> Index:
        """What `find_copies` asks for."""
        texts, keys = self._column("texts", np.uint64, 2), self._column("keys", np.uint64, self.method.keys)
        marks = self._column("marks", np.dtype(self.method.mark), self.method.marks)
        words = self._column("words", np.uint64, 1)
        starts = [*range(0, self.count, _BLOCK), self.count]
        return Index(
            starts=starts,
            method=self.method,
            ids=lambda block: np.arange(starts[block], starts[block + 1], dtype=np.uint64),  # rows are not joined by id
            texts=lambda block: np.array(texts[starts[block] : starts[block + 1]]),
            keys=lambda block: np.array(keys[starts[block] : starts[block + 1]]),
            marks=lambda documents: marks[list(documents)],
            words=lambda document: np.array(words[slice(*self._span(document, 1)), 0]),
        )

    def id(self, number: int) -> Any:
        """A row's id."""
        start, end = self._span(number, 0)
        with open(self.folder / "ids", "rb") as file:
            file.seek(start)
            return msgspec.json.decode(file.read(end - start))

    def _span(self, number: int, column: int) -> tuple[int, int]:
        ends = self._column("ends", np.uint64, 2)
        return int(ends[number - 1, column]) if number else 0, int(ends[number, column])

    def _column(self, name: str, dtype: Any, width: int) -> NDArray[Any]:
        path = self.folder / name
        data = np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)
        return data.reshape(-1, width)


def _rows(path: Path) -> Iterator[Row]:
    try:
        yield from jsonl.read(path, Row)
    except DataError as error:
        raise DataError(
            error.what, where=error.where, mend="rows are {id, text, ...}; mend or remove that line"
        ) from error
