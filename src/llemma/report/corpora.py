"""The corpus page's data: languages, lengths and scores of documents, and the data card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.report import read

DOCUMENTS, BYTES = 2_000, 8_000_000  # read of each subset: enough for the shape of a distribution
BINS = 24
FIELDS = 6  # numbers of the documents' facts that are drawn
FEW, DISTINCT = 20, 5  # a field with fewer documents or values has no shape to draw
CARD = 200_000  # characters of the data card


class Row(msgspec.Struct, frozen=True):
    """A document of a shard."""

    text: str
    meta: dict[str, Any] = {}


class Looked(msgspec.Struct, frozen=True):
    """The first documents of a subset: lengths in characters, and the numbers that sources tell of them."""

    subset: str
    lengths: list[int]
    numbers: dict[str, list[float]]


class Histogram(msgspec.Struct, frozen=True):
    """Counts between edges (one more than counts), one list of counts a group; `log`: edges are powers of ten."""

    name: str
    edges: list[float]
    groups: list[tuple[str, list[int]]]
    log: bool = False


def languages(stats: read.CorpusStats) -> list[tuple[str, int, int]]:
    """(language, documents, bytes) over all sources, the largest first."""
    sizes: dict[str, tuple[int, int]] = {}
    for source in stats.sources.values():
        for name, size in source.languages.items():
            docs, total = sizes.get(name, (0, 0))
            sizes[name] = (docs + size.docs, total + size.bytes)
    return sorted(((name, *size) for name, size in sizes.items()), key=lambda row: (-row[2], row[0]))


def card(run: read.Run) -> str:
    """The data card, as it stands; empty where there is none."""
    path = run.folder / "corpus" / "README.md"
    return path.read_text(encoding="utf-8", errors="replace")[:CARD] if path.is_file() else ""


def looked(run: read.Run) -> list[Looked]:
    """The first documents of every subset of the corpus."""
    return [_look(run.folder / "corpus" / subset, subset) for subset in (run.stats.subsets if run.stats else {})]


def _look(folder: Path, subset: str) -> Looked:
    lengths: list[int] = []
    numbers: dict[str, list[float]] = {}
    for row in _rows(folder):
        lengths.append(len(row.text))
        for name, value in row.meta.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                numbers.setdefault(name, []).append(float(value))
        if len(lengths) == DOCUMENTS or sum(lengths) > BYTES:
            break
    return Looked(subset, lengths, numbers)


def _rows(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob("*/*.jsonl*")):
        try:
            yield from jsonl.read(path, Row)
        except DataError:
            continue


def lengths(found: Sequence[Looked]) -> Histogram | None:
    """Characters a document, by subset, in bins of equal ratio."""
    values = [max(1, n) for one in found for n in one.lengths]
    if not values:
        return None
    low, high = math.log10(min(values)), math.log10(max(values) + 1)
    edges = [low + (high - low) * i / BINS for i in range(BINS + 1)]
    groups = [(one.subset, _counted([math.log10(max(1, n)) for n in one.lengths], edges)) for one in found]
    return Histogram("characters a document", [10**edge for edge in edges], groups, log=True)


def scores(found: Sequence[Looked]) -> list[Histogram]:
    """The numbers that sources tell of their documents, one histogram a field, the commonest fields first."""
    fields: dict[str, list[tuple[str, list[float]]]] = {}
    for one in found:
        for name, values in one.numbers.items():
            if len(values) >= FEW and len(set(values)) >= DISTINCT:
                fields.setdefault(name, []).append((one.subset, values))
    commonest = sorted(fields, key=lambda name: (-sum(len(values) for _, values in fields[name]), name))
    return [_histogram(name, fields[name]) for name in commonest[:FIELDS]]


def _histogram(name: str, groups: Sequence[tuple[str, list[float]]]) -> Histogram:
    values = sorted(value for _, group in groups for value in group)
    low, high = values[0], values[int(0.99 * (len(values) - 1))]  # a few giants must not flatten all others
    high = high if high > low else values[-1]
    edges = [low + (high - low) * i / BINS for i in range(BINS + 1)]
    return Histogram(name, edges, [(subset, _counted(group, edges)) for subset, group in groups])


def _counted(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many lie in each bin; what lies beyond the last edge is in the last bin."""
    counts = [0] * (len(edges) - 1)
    width = (edges[-1] - edges[0]) / len(counts) or 1.0
    for value in values:
        counts[min(len(counts) - 1, max(0, int((value - edges[0]) / width)))] += 1
    return counts
