"""A look at a corpus: some documents, some of what was dropped, and the counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from llemma.core.console import table
from llemma.core.types import Document, Dropped
from llemma.corpus import layout
from llemma.corpus.card import in_millions, millions, paper_rows, tokens_title
from llemma.corpus.layout import CorpusStats, Count

T = TypeVar("T")
_READ = 2_000
"""Documents or ledger lines looked through for a sample: enough to be varied, soon read."""
_EXCERPT = 600


def show(corpus: Path, n: int = 3, *, dropped: bool = False) -> list[Document] | list[Dropped]:
    """`n` documents of each subset's train split, or `n` dropped ones of each source, spread over what is read."""
    stats = layout.read_stats(corpus)
    if dropped:
        sources = [name for name, source in stats.sources.items() if not source.skipped]
        return [line for name in sources for line in _spread(layout.read_ledger(corpus, name), n)]
    return [document for name in stats.subsets for document in _spread(layout.read_split(corpus, name, "train"), n)]


def _spread(items: Iterable[T], n: int) -> list[T]:
    some = list(islice(items, _READ))
    return [some[place * len(some) // n] for place in range(min(n, len(some)))] if len(some) > n else some


def show_text(items: Sequence[Document] | Sequence[Dropped]) -> str:
    """The same for reading: the beginning of each document, or a line for each drop."""
    return "\n".join(_line(item) if isinstance(item, Dropped) else _excerpt(item) for item in items)


def _line(item: Dropped) -> str:
    return f"{item.source}  {item.id}  {item.step}: {item.reason}"


def _excerpt(document: Document) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in document.meta.items() if value != "")
    more = len(document.text) - _EXCERPT
    rest = f"\n[{more:,} characters more]" if more > 0 else ""
    return f"=== {document.id} ({document.source}; {facts})\n{document.text[:_EXCERPT]}{rest}\n"


def stats(corpus: Path) -> CorpusStats:
    """The statistics of a corpus."""
    return layout.read_stats(corpus)


def stats_text(found: CorpusStats) -> str:
    """The statistics as tables: by subset and split, by source and language, drops by step and reason."""
    parts = [
        f"{found.kept.docs:,} documents, {_megabytes(found.kept)} MB of text; {found.dropped:,} dropped",
        table(["subset / split", "documents", "MB", tokens_title(found)], [
            [f"{subset} / {split}", f"{count.docs:,}", _megabytes(count), millions(count)]
            for subset, splits in found.subsets.items() for split, count in splits.items()
        ]),
        table(["source / language", "documents", "MB", tokens_title(found)], [
            [f"{name} / {language}", f"{count.docs:,}", _megabytes(count), millions(count)]
            for name, source in found.sources.items() for language, count in source.languages.items()
        ]),
        table(["dropped from / by", "reason", "documents"], [
            [f"{name} / {step}", reason, f"{count:,}"]
            for name, source in found.sources.items()
            for step, reasons in source.dropped.items() for reason, count in reasons.items()
        ]),
        *_beside_the_paper(found),
        *(f"source {name} was left out: {source.skipped}" for name, source in found.sources.items() if source.skipped),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _beside_the_paper(stats: CorpusStats) -> list[str]:
    rows = paper_rows(stats)
    return [table(["language", "documents", "MB", tokens_title(stats), "the paper's"], rows)] if rows else []


def _megabytes(count: Count) -> str:
    return in_millions(count.bytes)
