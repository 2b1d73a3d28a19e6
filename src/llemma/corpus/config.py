"""The `corpus` section of a recipe."""

from __future__ import annotations

from typing import Any

import msgspec


class SourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source of documents and what is done with them."""

    kind: str
    """Name of the source plug-in; `llemma list sources` shows them."""
    subset: str
    """Folder of the corpus its documents go to; several sources may share one."""
    steps: list[str] = []
    """Names of the document steps, applied in this order; the first that drops a document ends its way."""
    options: dict[str, Any] = {}
    """The plug-in's own options, checked strictly against its fields."""
    optional: bool = False
    """Whether the build goes on without this source where something it needs is not on the machine."""
    keep: float = 1.0
    """Share of the documents that is kept, chosen by hash of the document id."""
    validation: float | None = None
    """Share of the documents in the validation split; the corpus' own share when left out."""
    test: float | None = None
    """Share of the documents in the test split; the corpus' own share when left out."""


class CorpusConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a corpus is built."""

    sources: dict[str, SourceConfig]
    """Sources by name. Of two copies the one from the earlier source is kept."""
    validation: float = 0.01
    """Share of the documents in the validation split, chosen by hash of the document id."""
    test: float = 0.01
    """Share of the documents in the test split."""
    dedup_threshold: float = 0.8
    """Jaccard similarity of 5-word shingles from which on a document is a copy."""
    decontaminate_ngram: int = 30
    """A document that shares this many consecutive words with a protected problem is dropped."""
    shard_bytes: int = 20_000_000
    """Size from which on a new shard is begun, in bytes before compression."""
    workers: int = 2
    """How many units of input are read at the same time."""
    executor: str = "local"
    """Which datatrove executor moves the documents."""
