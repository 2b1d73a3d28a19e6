"""Near-duplicates of JSONL files, outside a recipe: `llemma corpus dedup`.

Two passes: the first signs every row and lays hashes and signatures down in scratch files, the second copies the rows
that are kept. Memory holds ids and a few numbers a row, never texts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import DataError, UsageError
from llemma.core.files import disk_error
from llemma.corpus.dedup import BANDS, SIZE, Copy, Index, find_copies, sign
from llemma.corpus.words import word_hashes


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


def dedup_files(inputs: Sequence[Path], out: Path, *, threshold: float, console: Console) -> Counts:
    """Write the rows of `inputs` that are no copies to files of the same names in `out`, and `out/clusters.jsonl`.

    A row is a copy when its 5-word shingles have a Jaccard similarity of at least `threshold` with an earlier kept row
    (files in the order given). Raises `DataError` for a row without `id` and `text`, naming file and line.
    """
    names = _names(inputs, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".scratch-") as scratch:
            ids, index = _sign(inputs, Path(scratch), console)
            with console.progress("find copies", unit="rows"):
                copies = find_copies(index, threshold)
    except OSError as error:
        raise disk_error(error, out) from error
    dropped = {copy.index for copy in copies}
    start = 0
    for path, name in zip(inputs, names, strict=True):
        with console.progress(f"write {name}", unit="rows") as bar:
            rows = bar.counted(jsonl.read(path, msgspec.Raw))
            counter = _Counter(start)
            jsonl.write(out / name, (row for row in counter.passing(rows) if counter.now not in dropped))
        start = counter.now + 1
    jsonl.write(out / "clusters.jsonl", (_cluster(copy, ids) for copy in copies))
    exact = sum(copy.exact for copy in copies)
    return Counts(len(ids), len(ids) - len(copies), exact, len(copies) - exact)


class _Counter:
    """The number of the row that is passing."""

    def __init__(self, start: int) -> None:
        self.now = start - 1

    def passing(self, rows: Iterator[msgspec.Raw]) -> Iterator[msgspec.Raw]:
        for row in rows:
            self.now += 1
            yield row


def _cluster(copy: Copy, ids: list[Any]) -> Cluster:
    return Cluster(ids[copy.index], ids[copy.keeper], round(copy.similarity, 4))


def _names(inputs: Sequence[Path], out: Path) -> list[str]:
    names = [path.name for path in inputs]
    if len(set(names)) < len(names) or "clusters.jsonl" in names:
        raise UsageError("two outputs would have the same name", mend="rename the inputs, or call dedup on each folder")
    if any(path.resolve().parent == out.resolve() for path in inputs):
        raise UsageError("the output folder holds an input", where=str(out), mend="choose another --out")
    return names


def _sign(inputs: Sequence[Path], scratch: Path, console: Console) -> tuple[list[Any], Index]:
    """Ids of all rows, and an index whose columns lie in `scratch`."""
    ids: list[Any] = []
    ends, texts = [0], []
    with ExitStack() as stack, console.progress("sign", unit="rows") as bar:
        words, bands, rows = (stack.enter_context(open(scratch / name, "wb")) for name in ("words", "bands", "rows"))
        for path in inputs:
            for row in bar.counted(_rows(path)):
                hashes = word_hashes(row.text.split())
                signature = sign(hashes)
                for file, column in ((words, hashes), (bands, signature.bands), (rows, signature.rows)):
                    file.write(column.tobytes())
                texts.append(signature.text)
                ids.append(row.id)
                ends.append(ends[-1] + len(hashes))
    band = _column(scratch / "bands", np.uint64).reshape(-1, BANDS)
    signed = _column(scratch / "rows", np.uint32).reshape(-1, SIZE)
    hashed = _column(scratch / "words", np.uint64)
    return ids, Index(
        texts=np.array(texts, np.uint64).reshape(-1, 2),
        band=lambda number: np.ascontiguousarray(band[:, number]),
        rows=lambda documents: signed[list(documents)],
        words=lambda document: hashed[ends[document] : ends[document + 1]],
    )


def _column(path: Path, dtype: type) -> NDArray[Any]:
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)


def _rows(path: Path) -> Iterator[Row]:
    try:
        yield from jsonl.read(path, Row)
    except DataError as error:
        raise DataError(
            error.what, where=error.where, mend="rows are {id, text, ...}; mend or remove that line"
        ) from error
