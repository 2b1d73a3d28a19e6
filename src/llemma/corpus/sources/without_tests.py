"""Any source, without the test problems that files name: theorems are cut out, texts that hold a problem dropped."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from llemma.core.files import digest, file_digest
from llemma.core.types import Document, Dropped
from llemma.corpus.check import open_source
from llemma.corpus.config import SourceConfig
from llemma.corpus.decontaminate import published_cut, without_tests
from llemma.corpus.languages import held_out
from llemma.corpus.source import Context, Source, Unit
from llemma.corpus.sources.files import expand


class WithoutTests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another source, decontaminated at the level of statements. Its ledger says what was cut, and why."""

    kind: str
    """Name of the source that is read."""
    tests: list[str]
    """Files, folders, archives of test problems, patterns among them: rows, LeanDojo's splits, PISA's pairs, files of
    statements."""
    options: dict[str, Any] = {}
    """That source's own options."""
    ngram: int = 30
    """A document that shares this many consecutive words with a problem or solution in words is dropped."""
    rules: Literal["default", "llemma"] = "default"
    """`llemma`: cut as the paper's scripts do, faults included."""

    def units(self, context: Context) -> list[Unit]:
        """Those of the source; the test problems are part of their digests."""
        held = digest([(path.name, file_digest(path)) for path in self._files()])
        units = self._source().units(context)
        return [msgspec.structs.replace(unit, digest=digest(unit.digest, held)) for unit in units]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The source's documents in its order, cuts and drops before what they leave."""
        held = _read(tuple(expand(self.tests)))
        items = self._source().read(unit, source)
        if self.rules == "default":
            yield from without_tests(items, held, self.ngram)
        else:
            yield from (item if isinstance(item, Dropped) else published_cut(item, held.placed) for item in items)

    def _source(self) -> Source:
        return open_source(SourceConfig(self.kind, "", options=self.options), f"options of the source '{self.kind}'")

    def _files(self) -> list[Path]:
        return [file for path in expand(self.tests) for file in _leaves(path)]


def _leaves(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    held_out.existing(path)
    return [path]


@lru_cache(maxsize=4)
def _read(paths: tuple[Path, ...]) -> held_out.HeldOut:
    return held_out.read(paths)
