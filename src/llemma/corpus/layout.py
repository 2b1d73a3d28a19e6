"""Where things lie in a corpus: the one module that knows.

<subset>/<split>/00000.jsonl.zst     rows {"text", "meta"}; meta has id, source and the source's own facts
dropped/<source>.jsonl.zst           the ledger: `Dropped` records
stats.json                           `CorpusStats`
README.md                            the data card
.staging/                            what a rebuild need not do again; may be removed
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError, suggest
from llemma.core.files import read_json
from llemma.core.types import SPLITS, Document, Dropped

STATS = "stats.json"
CARD = "README.md"
DROPPED = "dropped"
STAGING = ".staging"


class Row(msgspec.Struct):
    """A row of a shard."""

    text: str
    meta: dict[str, Any]


class Count(msgspec.Struct, frozen=True):
    """Documents, the bytes of their text in UTF-8, and its tokens (see `CorpusStats.tokenizer`)."""

    docs: int = 0
    bytes: int = 0
    tokens: int = 0


def added(*counts: Count) -> Count:
    """The sum of counts."""
    return Count(
        sum(count.docs for count in counts), sum(count.bytes for count in counts), sum(count.tokens for count in counts)
    )


class SourceStats(msgspec.Struct, frozen=True):
    """What became of a source: kept by split and language, dropped by step and reason, or why it was left out."""

    subset: str
    units: int = 0
    kept: Count = Count()
    splits: dict[str, Count] = {}
    languages: dict[str, Count] = {}
    dropped: dict[str, dict[str, int]] = {}
    skipped: str = ""


class CorpusStats(msgspec.Struct, frozen=True):
    """`stats.json`. `work` names all that decided the corpus; `shards` gives documents and file size of each shard;
    `tokenizer` is the file that counted tokens, empty where they are estimated from the bytes."""

    work: str
    kept: Count
    dropped: int
    subsets: dict[str, dict[str, Count]]
    sources: dict[str, SourceStats]
    shards: dict[str, Count]
    tokenizer: str = ""


def shard(subset: str, split: str, number: int) -> str:
    """A shard's path inside the corpus."""
    return f"{subset}/{split}/{number:05d}.jsonl.zst"


def ledger(source: str) -> str:
    """The path inside the corpus of a source's dropped documents."""
    return f"{DROPPED}/{source}.jsonl.zst"


def read_stats(corpus: Path) -> CorpusStats:
    """The statistics of a corpus; raises `MissingError` where there is none."""
    if not (corpus / STATS).is_file():
        raise MissingError(
            f"no corpus in {corpus}", mend="make one with `llemma corpus build RECIPE`, or check the path"
        )
    return read_json(corpus / STATS, CorpusStats)


def subsets(corpus: Path) -> list[str]:
    """Names of the subsets, sorted."""
    return sorted(read_stats(corpus).subsets)


def read_split(corpus: Path, subset: str, split: str) -> Iterator[Document]:
    """The documents of one split of a subset, in order; a damaged or shortened shard is a `DataError`."""
    stats = read_stats(corpus)
    if subset not in stats.subsets or split not in SPLITS:
        name, known = (subset, list(stats.subsets)) if subset not in stats.subsets else (split, list(SPLITS))
        raise MissingError(
            f"no '{name}' in the corpus", where=str(corpus), mend=suggest(name, known) or f"it has {', '.join(known)}"
        )
    for name, expected in sorted(stats.shards.items()):
        if name.startswith(f"{subset}/{split}/"):
            yield from _read_shard(corpus / name, expected.docs)


def _read_shard(path: Path, expected: int) -> Iterator[Document]:
    count = 0
    for row in jsonl.read(path, Row):
        count += 1
        meta = dict(row.meta)
        yield Document(str(meta.pop("id", "")), row.text, str(meta.pop("source", "")), meta)
    if count != expected:  # a compressed stream may be cut without a reader noticing
        raise DataError(
            f"the shard has {count} documents instead of {expected}",
            where=f"{path} line {count + 1}",
            mend="remove the file and build the corpus again",
        )


def read_ledger(corpus: Path, source: str) -> Iterator[Dropped]:
    """What was dropped of a source."""
    return jsonl.read(corpus / ledger(source), Dropped)


def is_complete(corpus: Path, stats: CorpusStats) -> bool:
    """Whether all shards and ledgers are there, the shards in their full size."""
    sizes = all(_size(corpus / name) == count.bytes for name, count in stats.shards.items())
    ledgers = (corpus / ledger(name) for name, source in stats.sources.items() if not source.skipped)
    return sizes and all(path.is_file() for path in ledgers) and (corpus / CARD).is_file()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
