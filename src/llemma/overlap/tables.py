"""What a search found, in numbers: the paper's table, coverage, and the summary that holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from llemma.core.console import count, duration, table
from llemma.overlap.accuracy import EVERY, Adjusted, Split
from llemma.overlap.index import Length
from llemma.overlap.items import Item
from llemma.overlap.work import Context, Likeness, Scanned, Search

_COLUMNS = 6  # subsets side by side


class Coverage(msgspec.Struct, frozen=True):
    """Of the items of a kind, how many are too short to hit."""

    kind: str
    n: Length
    items: int
    short: int


class Unique(msgspec.Struct, frozen=True):
    """A row of the paper's table: items and documents that share anything, each counted once, and their pairs."""

    kind: str
    n: Length
    subset: str
    items: int
    documents: int
    pairs: int


class Memory(msgspec.Struct, frozen=True):
    """Of the hits of a kind: where the document states the gold answer, and whether the model's completion repeats it.

    `asked` hits have a completion; of these `repeats` have a run of `REPEATED` words, the longest has `longest`.
    """

    kind: str
    n: Length
    hits: int
    boxed: int = 0
    stated: int = 0
    absent: int = 0
    asked: int = 0
    repeats: int = 0
    longest: int = 0


class Summary(msgspec.Struct, frozen=True):
    """`H.summary.json`. `bytes` is text searched, `seconds` processor time; `unmatched` counts items that are of no
    problem of the run."""

    search: Search
    shards: int
    documents: int
    bytes: int
    seconds: float
    damaged: int
    unnamed: int
    subsets: dict[str, int]
    """Documents by subset."""
    pairs: int
    coverage: list[Coverage]
    unique: list[Unique]
    fuzzy: list[Unique] = []
    fuzzy_short: int = 0
    memory: list[Memory] = []
    run: str = ""
    accuracy: list[Split] = []
    adjusted: list[Adjusted] = []
    unmatched: int = 0
    damages: list[str] = []


class Counts:
    """Unique items and documents, counted as rows stream by; what is kept is set by the items."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.given = items
        self.kinds = {item.id: item.kind for item in items}
        self.items: dict[tuple[str, Length, str], set[str]] = {}
        self.documents: Counter[tuple[str, Length, str]] = Counter()
        self.pairs: Counter[tuple[str, Length, str]] = Counter()
        self.last: dict[tuple[str, Length, str], tuple[int, int]] = {}

    def add(self, shard: int, row: Context | Likeness) -> None:
        """Count one row; rows of a document come together."""
        key = (self.kinds[row.item], row.n if isinstance(row, Context) else 0, row.subset)
        self.items.setdefault(key, set()).add(row.item)
        self.pairs[key] += 1
        if self.last.get(key) != (shard, row.number):
            self.documents[key] += 1
            self.last[key] = (shard, row.number)

    def rows(self, lengths: Sequence[Length], subsets: Sequence[str]) -> Iterator[Unique]:
        """The table: every kind, length and subset that was searched, also where nothing was found."""
        for kind in dict.fromkeys(self.kinds.values()):
            for n in lengths:
                for subset in subsets:
                    key = (kind, n, subset)
                    yield Unique(*key, len(self.items.get(key, ())), self.documents[key], self.pairs[key])


def covered(items: Sequence[Item], lengths: Sequence[Length], sizes: Sequence[int]) -> list[Coverage]:
    """By kind and length, how many items there are and how many have too few words; `sizes` in words."""
    rows = []
    for kind in dict.fromkeys(item.kind for item in items):
        mine = [size for item, size in zip(items, sizes, strict=True) if item.kind == kind]
        for n in lengths:
            least = 1 if n == "full" else n
            rows.append(Coverage(kind, n, len(mine), sum(size < least for size in mine)))
    return rows


def totals(marks: Sequence[Scanned]) -> tuple[int, int, float, int, int]:
    """Documents, bytes, seconds, damaged rows and rows without an id of all shards."""
    return (
        sum(mark.documents for mark in marks),
        sum(mark.bytes for mark in marks),
        round(sum(mark.seconds for mark in marks), 3),
        sum(mark.damaged for mark in marks),
        sum(mark.unnamed for mark in marks),
    )


def text(summary: Summary) -> str:
    """The summary for a reader."""
    rate = summary.bytes / 1e6 / summary.seconds if summary.seconds else 0.0
    head = f"{summary.documents:,} documents, {count(summary.bytes)}B of text in {duration(summary.seconds)} of"
    lines = [f"{head} processor time ({rate:.0f} MB/s); {summary.pairs:,} pairs share words"]
    lines += [*_coverage_lines(summary), *_notes(summary)]
    lines += ["\nunique items / unique documents", _unique_table(summary.unique)]
    if summary.search.fuzzy:
        likeness = f"in other words: Jaccard similarity from {summary.search.fuzzy:g} on"
        lines += [f"\nunique items / unique documents, {likeness}", _unique_table(summary.fuzzy)]
    if summary.memory:
        lines += ["\nwhat follows the hit in the document", _memory_table(summary.memory)]
    return "\n".join([*lines, *_accuracy_lines(summary)])


def _coverage_lines(summary: Summary) -> list[str]:
    return [
        f"{row.short:,} of {row.items:,} {row.kind}s are shorter than {row.n} words and cannot hit"
        for row in summary.coverage
        if row.short and row.n != "full"
    ]


def _notes(summary: Summary) -> list[str]:
    found = []
    if summary.damaged:
        found.append(f"{summary.damaged:,} damaged rows or files were left out")
    if summary.unnamed:
        found.append(f"{summary.unnamed:,} documents have no id: they are called after their file and line")
    if summary.unmatched:
        found.append(f"{summary.unmatched:,} items are of no problem of the run")
    return found


def _unique_table(rows: Sequence[Unique]) -> str:
    """As the paper prints it, a column a subset; of many subsets the rows that have anything."""
    subsets = list(dict.fromkeys(row.subset for row in rows))
    if len(subsets) > _COLUMNS:
        cells = [(_label(row.kind, row.n), row.subset, row.items, row.documents) for row in rows if row.items]
        return table(["", "subset", "items", "documents"], cells)
    cells_of = {(row.kind, row.n, row.subset): f"{row.items:,} / {row.documents:,}" for row in rows}
    keys = list(dict.fromkeys((row.kind, row.n) for row in rows))
    body = [[_label(kind, n), *(cells_of[kind, n, subset] for subset in subsets)] for kind, n in keys]
    return table(["", *subsets], body)


def _label(kind: str, n: Length) -> str:
    if n == 0:
        return f"{kind}s"
    return f"{kind}s, whole" if n == "full" else f"{kind}s, n = {n}"


def _accuracy_lines(summary: Summary) -> list[str]:
    """The table by level, without the parts that have no hits, and the differences at equal level."""
    if not summary.run:
        return []
    hit = {(row.task, row.kind, row.n) for row in summary.accuracy if row.level == EVERY and row.hits.n}
    rows = [row for row in summary.accuracy if (row.task, row.kind, row.n) in hit]
    if not rows:
        return ["\nno problem of the run has a hit"]
    lines = ["\nright answers where a problem has a hit, and on the rest", _accuracy_table(rows)]
    for each in summary.adjusted:
        interval = f"{100 * each.low:+.1f} to {100 * each.high:+.1f}, p = {each.p:.2g}"
        lines.append(
            f"{each.task}, {_label(each.kind, each.n)}: {100 * each.difference:+.1f} points at equal level ({interval})"
        )
    return lines


def _accuracy_table(rows: Sequence[Split]) -> str:
    cells = [
        (
            f"{row.task}, {_label(row.kind, row.n)}",
            row.level,
            f"{row.hits.right}/{row.hits.n}",
            _percent(row.hits.right, row.hits.n),
            f"{row.rest.right}/{row.rest.n}",
            _percent(row.rest.right, row.rest.n),
            "" if row.difference is None else f"{100 * row.difference:+.1f}",
            "" if row.low is None or row.high is None else f"{100 * row.low:+.1f} to {100 * row.high:+.1f}",
            "" if row.p is None else f"{row.p:.2g}",
        )
        for row in rows
    ]
    return table(["", "level", "hits", "%", "rest", "%", "difference", "95 %", "Fisher's p"], cells)


def _percent(right: int, n: int) -> str:
    return f"{100 * right / n:.1f}" if n else ""


def _memory_table(rows: Sequence[Memory]) -> str:
    cells = [
        (_label(row.kind, row.n), row.hits, row.boxed, row.stated, row.absent, row.asked, row.repeats, row.longest)
        for row in rows
    ]
    heads = ["", "hits", "gold boxed", "gold stated", "gold absent", "completions", "repeat it", "longest run"]
    return table(heads, cells)
