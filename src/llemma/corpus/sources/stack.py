"""The Stack and data sets like it: source files as rows of Parquet or JSON lines, one unit a shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.types import Document, Dropped
from llemma.corpus.languages import named
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources import shards
from llemma.corpus.sources.files import Wanted, expand, text_document, unreadable
from llemma.corpus.sources.shards import Damage, Hub, Row

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("content", "text", "code"),
    "path": ("max_stars_repo_path", "path", "file_path"),
    "language": ("lang", "language", "programming_language"),
    "id": ("hexsha", "blob_id", "id", "sha"),
    "repo": ("max_stars_repo_name", "repo_name", "repo", "repository_name"),
}
"""What is read of a row, and the columns it is looked for in: those of The Stack first."""


class Stack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Source files in shards. Ids are the source's name and the row's own id, else the shard and the row's number."""

    inputs: list[str] = []
    """Shards on disk, patterns like `data/*.parquet` among them."""
    repo: str = ""
    """A data set of the Hugging Face Hub instead, such as `bigcode/the-stack-dedup` (HF_TOKEN where it is gated)."""
    revision: str = ""
    """Branch, tag or commit of the data set; its main branch when empty."""
    files: list[str] = msgspec.field(default_factory=lambda: ["**.parquet", "**.jsonl*"])
    """Patterns of the data set's files that are read, such as `data/lean/*.parquet`."""
    columns: dict[str, str] = {}
    """Columns by what they hold: text, path, language, id, repo; further ones are kept as facts under these names."""
    languages: list[str] = []
    """Languages that are read, as the rows name them; all when empty."""
    language: str = ""
    """The language of all rows, where no column tells."""
    include: list[str] = []
    """Patterns of the rows' paths that are read; all when empty."""
    exclude: list[str] = []
    """Patterns of the rows' paths that are not read."""
    keep_shards: bool = True
    """Whether shards fetched from the hub stay in the cache after they were read."""

    def __post_init__(self) -> None:
        if bool(self.inputs) == bool(self.repo):
            raise ValueError("give either `inputs` or `repo`")

    def units(self, context: Context) -> list[Unit]:
        """One unit a shard; those of the hub are only listed."""
        if self.repo:
            return shards.hub_units(Hub(self.repo, self.revision), self.files, context)
        return shards.local_units(expand(self.inputs), self.inputs)

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted row, in the shard's own order."""
        hub = Hub(self.repo, self.revision) if self.repo else None
        path = shards.fetched(unit, hub)
        wanted, languages = Wanted(self.include, self.exclude), {named(name) for name in self.languages}
        columns = _columns(self.columns)
        for number, row in enumerate(shards.rows(path, [name for names in columns.values() for name in names]), 1):
            if isinstance(row, Damage):
                yield unreadable(f"{unit.name}#{row.line}" if row.line else unit.name, source, row.reason)
                continue
            facts = _facts(row, columns)
            language = named(str(facts.get("language") or self.language))
            if wanted(str(facts.get("path", ""))) and (not languages or language in languages):
                yield _document(facts, language, f"{unit.name}#{number}", source)
        if hub is not None and not self.keep_shards:
            Path(path).unlink(missing_ok=True)


def _columns(given: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {**COLUMNS, **{name: (column,) for name, column in given.items()}}


def _facts(row: Row, columns: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What the row says, under our names; a column that is absent or null says nothing."""
    found = {name: next((row[key] for key in keys if row.get(key) is not None), None) for name, keys in columns.items()}
    return {name: value for name, value in found.items() if value is not None}


def _document(facts: dict[str, Any], language: str, place: str, source: str) -> Document | Dropped:
    row_id = facts.pop("id", None)
    id = place if row_id is None else f"{source}/{row_id}"
    text, path = facts.pop("text", None), str(facts.pop("path", ""))
    facts.pop("language", None)
    if not isinstance(text, str):
        return unreadable(id, source, "no text in this row")
    return text_document(id, source, path, text, facts, language)
