"""Copies in a corpus of any size: equal texts, near-duplicates, and documents made of other documents' chunks.

Documents are taken in order: one that is like an earlier kept document is its copy, every other is kept. Copies are
never chained: the similarity is always that to the kept document. Who must be compared with whom is found on disk
(`exchange`), so memory holds one byte a document, a setting for tables, and the documents being compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.corpus.dedup import MINHASH, Marks, Method, jaccard, shingles, text_number
from llemma.corpus.exchange import Keys, Limits, Meetings, Rows, keyed, meet
from llemma.corpus.languages.chunks import ChunkRule
from llemma.corpus.simhash import SIMHASH
from llemma.corpus.words import Hashes, word_hashes

METHODS = {method.name: method for method in (MINHASH, SIMHASH)}
"""Ways to find near-duplicates, by the names that recipes give them."""
FAMILY = 200
"""Kept documents of one bucket that a later one is compared with. Texts by the thousand that share a band and yet are
no copies of each other (one form, many contents) would all be compared with all."""
LIKELY = 100
"""Candidates whose shingles are compared, those that the marks call most alike: of forms that are 0.7 alike, and so no
copies, each would be compared with thousands."""
_SHINGLES = 64_000_000  # bytes of shingles that are remembered
COPY = np.dtype([("number", "<u8"), ("keeper", "<u8"), ("similarity", "<f4")])
"""Document `number` is a copy of the kept document `keeper`."""
_BATCH = 1 << 16  # copies written at a time
Dropped = NDArray[np.bool_]
"""`(documents,)`: which documents are not in the corpus."""


class Index(msgspec.Struct, frozen=True):
    """All documents of a corpus, numbered through in blocks, as callables, so that columns may lie on disk.

    Block i has the documents from `starts[i]` to `starts[i + 1]`. `ids(block)` is `(n,)` and `texts(block)` `(n, 2)`,
    equal for equal ones; `keys(block)` is `(n, method.keys)`; `marks(documents)` is `(len, method.marks)`;
    `words(document)` are its word hashes.
    """

    starts: Sequence[int]
    method: Method
    ids: Callable[[int], Hashes]
    texts: Callable[[int], Hashes]
    keys: Callable[[int], Hashes]
    marks: Callable[[Sequence[int]], Marks]
    words: Callable[[int], Hashes]

    @property
    def count(self) -> int:
        """How many documents there are."""
        return int(self.starts[-1])


def equal_keys(starts: Sequence[int], column: Callable[[int], Hashes], dropped: Dropped) -> Keys:
    """One key a document, of 128 bits where the column is `(n, 2)`; what is `dropped` has none."""

    def block(number: int) -> Rows:
        alive = np.flatnonzero(~dropped[starts[number] : starts[number + 1]])
        values = column(number)[alive]
        numbers = alive.astype(np.uint64) + np.uint64(starts[number])
        return keyed(numbers, values) if values.ndim == 1 else keyed(numbers, values[:, 0], values[:, 1])

    return Keys(len(starts) - 1, block, int(starts[-1]))


def many_keys(starts: Sequence[int], width: int, column: Callable[[int], Hashes], dropped: Dropped) -> Keys:
    """`width` keys a document, from a column `(n, width)`; what is `dropped` has none."""

    def block(number: int) -> Rows:
        alive = np.flatnonzero(~dropped[starts[number] : starts[number + 1]])
        numbers = np.repeat(alive.astype(np.uint64) + np.uint64(starts[number]), width)
        return keyed(numbers, column(number)[alive].ravel())

    return Keys(len(starts) - 1, block, int(starts[-1]) * width)


def repeated(keys: Keys, dropped: Dropped, file: Path, limits: Limits) -> None:
    """Drop every document whose key an earlier one has, and write them to `file` as `COPY` rows in order."""
    with _Met(keys, len(dropped), limits) as found, open(file, "wb") as out:
        for rows in found:
            again = rows[rows["first"] != rows["number"]]
            _, places = np.unique(again["number"], return_index=True)
            copies = np.zeros(len(places), COPY)
            copies["number"], copies["keeper"] = again["number"][places], again["first"][places]
            copies["similarity"] = 1
            dropped[copies["number"]] = True
            copies.tofile(out)


class _Met:
    """Meetings whose scratch files go at the end of the block."""

    def __init__(self, keys: Keys, documents: int, limits: Limits) -> None:
        self.limits = limits
        shutil.rmtree(limits.folder, ignore_errors=True)
        self.found = meet(keys, documents, limits)

    def __enter__(self) -> Meetings:
        return self.found

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.limits.folder, ignore_errors=True)


def near_copies(index: Index, threshold: float, dropped: Dropped, file: Path, limits: Limits) -> None:
    """Drop every document that is like an earlier kept one, and write them to `file` as `COPY` rows in order."""
    keys = many_keys(index.starts, index.method.keys, index.keys, dropped)
    with _Met(keys, index.count, limits) as found:
        write_copies(_near(index, found, threshold, dropped), file)


def write_copies(copies: Iterable[tuple[int, int, float]], file: Path) -> None:
    """Write (number, keeper, similarity) as `COPY` rows."""
    with open(file, "wb") as out:
        held: list[tuple[int, int, float]] = []
        for copy in copies:
            held.append(copy)
            if len(held) >= _BATCH:
                np.array(held, COPY).tofile(out)
                held = []
        np.array(held, COPY).tofile(out)


def _near(index: Index, found: Meetings, threshold: float, dropped: Dropped) -> Iterator[tuple[int, int, float]]:
    later: dict[int, list[int]] = {}  # kept documents of a bucket besides its first

    sets = _Remembered(lambda document: np.unique(shingles(index.words(document))), _SHINGLES)
    for document, rows in found.documents():
        buckets = list(zip(rows["bucket"].tolist(), rows["first"].tolist(), strict=True))
        firsts = {first for _, first in buckets if first != document and not dropped[first]}
        candidates = sorted(firsts.union(*(later.get(bucket, ()) for bucket, _ in buckets)))
        best = max(_similar(index, document, candidates, sets, threshold), default=None)
        if best is not None:
            dropped[document] = True
            yield document, -best[1], best[0]
        else:
            for bucket, first in buckets:
                if first != document and len(known := later.setdefault(bucket, [])) < FAMILY:
                    known.append(document)
        for bucket in rows["bucket"][rows["end"]].tolist():
            later.pop(bucket, None)


class _Remembered:
    """A function of documents whose latest results are remembered, so many bytes of them."""

    def __init__(self, make: Callable[[int], Hashes], room: int) -> None:
        self.make, self.room, self.known = make, room, dict[int, Hashes]()

    def __call__(self, document: int) -> Hashes:
        found = self.known.pop(document, None)
        if found is None:
            found = self.make(document)
            self.room -= found.nbytes
        self.known[document] = found  # the latest stands last
        while self.room < 0 and len(self.known) > 1:
            self.room += self.known.pop(next(iter(self.known))).nbytes
        return found


def _similar(
    index: Index, document: int, candidates: list[int], sets: Callable[[int], Hashes], threshold: float
) -> list[tuple[float, int]]:
    """(similarity, minus candidate) of those that are like the document; the maximum is the earliest of the best."""
    if not candidates:
        return []
    marks = index.marks([document, *candidates])
    estimates = index.method.compare(marks[0], marks[1:]).tolist()
    least = index.method.least(threshold)
    likely = [(value, -kept) for kept, value in zip(candidates, estimates, strict=True) if value >= least]
    if not index.method.verified:
        return likely
    most = sorted(likely, reverse=True)[:LIKELY]
    measured = [(jaccard(sets(document), sets(-kept)), kept) for _, kept in most]
    return [pair for pair in measured if pair[0] >= threshold]


def settled(equal: NDArray[np.void], near: NDArray[np.void]) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Equal and near copies when equal copies of near copies are counted among the near ones.

    They have the same words, hence the same similarity to the kept document. All are `COPY` rows in order.
    """
    if not len(near) or not len(equal):
        return np.array(equal), np.array(near)
    places = np.minimum(np.searchsorted(near["number"], equal["keeper"]), len(near) - 1)
    is_moved = near["number"][places] == equal["keeper"]
    moved = np.array(near[places[is_moved]])
    moved["number"] = equal["number"][is_moved]
    joined = np.concatenate([near, moved])
    return np.array(equal[~is_moved]), joined[np.argsort(joined["number"])]


def chunk_copies(
    rule: ChunkRule, keys: Keys, total: Callable[[int], int], dropped: Dropped, file: Path, limits: Limits
) -> None:
    """Drop every document made of chunks that earlier ones have, and write them to `file` as `COPY` rows in order.

    `total(document)` is how many different chunks it has; the similarity is the share of them that was seen, the
    keeper the document with most of them. Takes eight bytes a chunk that two documents share.
    """
    with _Met(keys, len(dropped), limits) as found:
        write_copies(_chunked(rule, found, total, dropped), file)


def _chunked(
    rule: ChunkRule, found: Meetings, total: Callable[[int], int], dropped: Dropped
) -> Iterator[tuple[int, int, float]]:
    holders = np.full(found.buckets, -1, np.int64)
    for document, rows in found.documents():
        seen = holders[rows["bucket"]]
        earlier = seen[seen >= 0]
        share = len(earlier) / total(document)
        is_copy = share >= rule.share > 0 or (rule.share == 0 and len(earlier) > 0)
        if is_copy:
            dropped[document] = True
            values, counts = np.unique(earlier, return_counts=True)
            yield document, int(values[counts.argmax()]), share
        if not is_copy or rule.remembers_dropped:
            holders[rows["bucket"][seen < 0]] = document


def find_copies(index: Index, threshold: float, limits: Limits) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """All equal and all near copies of a corpus, as `COPY` rows; scratch files lie in `limits.folder`."""
    dropped = np.zeros(index.count, bool)
    limits.folder.mkdir(parents=True, exist_ok=True)
    equal, near = (limits.folder / name for name in ("equal", "near"))
    inner = msgspec.structs.replace(limits, folder=limits.folder / "met")
    repeated(equal_keys(index.starts, index.texts, dropped), dropped, equal, inner)
    near_copies(index, threshold, dropped, near, inner)
    return settled(np.fromfile(equal, COPY), np.fromfile(near, COPY))


def index_texts(texts: Sequence[str], method: Method = MINHASH, block: int = 1000) -> Index:
    """An index over texts in memory, for small corpora and tests."""
    hashes = [word_hashes(text.split()) for text in texts]
    signed = [method.sign(item) for item in hashes]
    equal = np.array([text_number(item) for item in hashes], np.uint64).reshape(-1, 2)
    keys = np.array([item[0] for item in signed], np.uint64).reshape(-1, method.keys)
    marks = np.array([item[1] for item in signed], method.mark).reshape(-1, method.marks)
    starts = [*range(0, len(texts), block), len(texts)]
    return Index(
        starts=starts,
        method=method,
        ids=lambda number: np.arange(starts[number], starts[number + 1], dtype=np.uint64),
        texts=lambda number: equal[starts[number] : starts[number + 1]],
        keys=lambda number: keys[starts[number] : starts[number + 1]],
        marks=lambda documents: marks[list(documents)],
        words=lambda document: hashes[document],
    )
