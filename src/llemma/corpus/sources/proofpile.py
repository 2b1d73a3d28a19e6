"""The published Proof-Pile-2, or any corpus of that layout (our own too): `<subset>/<split>/*.jsonl[.zst|.gz]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.errors import MissingError
from llemma.core.types import SPLITS, Document, Dropped
from llemma.corpus.languages import TABLE, named
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources import shards
from llemma.corpus.sources.files import LANGUAGES, text_document, unreadable
from llemma.corpus.sources.shards import Damage, Hub, Row

_PATHS = ("path", "max_stars_repo_path")
_LANGUAGES = ("language", "lang")
# github-coq-train-0000, agda0000, lean_proofsteps, jupyter-notebook0001
_SHARD = re.compile(r"(?:github-)?([A-Za-z+-]+?)(?:[-_]?(?:train|validation|test|proofsteps))?[-_]?\d*")


class ProofPile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One subset of Proof-Pile-2. Ids are subset, split, shard and the row's number, or those of the rows' meta.

    The published split is kept in the meta as `published_split`; which split of the corpus a document goes to is the
    recipe's.
    """

    subset: str
    """`algebraic-stack`, `arxiv` or `open-web-math`."""
    folder: str = ""
    """Where the data set lies on this machine."""
    repo: str = "EleutherAI/proof-pile-2"
    """The data set on the Hugging Face Hub, read where no folder is given."""
    revision: str = ""
    """Branch, tag or commit of the data set; its main branch when empty."""
    splits: list[str] = msgspec.field(default_factory=lambda: ["train"])
    """Published splits that are read."""
    files: list[str] = []
    """Patterns of the shards' names that are read, such as `*coq*`; all when empty."""
    keep_shards: bool = True
    """Whether shards fetched from the hub stay in the cache after they were read."""

    def __post_init__(self) -> None:
        wrong = [split for split in self.splits if split not in SPLITS]
        if wrong or not self.splits:
            raise ValueError(f"splits are {', '.join(SPLITS)}, not {', '.join(wrong) or 'none'}")

    def units(self, context: Context) -> list[Unit]:
        """One unit a shard; those of the hub are only listed."""
        if not self.folder:
            endings = [f"{self.subset}/{split}/{name}" for split in self.splits for name in self._names()]
            return shards.hub_units(Hub(self.repo, self.revision), endings, context)
        root = Path(self.folder).expanduser()
        paths = [
            path
            for split in self.splits
            for path in sorted((root / self.subset / split).glob("*"))
            if path.name.endswith(shards.LINES) and any(path.match(name) for name in self._names())
        ]
        if not paths:
            where = ", ".join(f"{self.subset}/{split}" for split in self.splits)
            raise MissingError(
                f"no shard of {where} in '{root}'",
                mend="give the folder that holds algebraic-stack/, arxiv/ and open-web-math/",
            )
        return [
            msgspec.structs.replace(unit, name=Path(unit.path).relative_to(root).as_posix())
            for unit in shards.local_units(paths, [self.folder])
        ]

    def _names(self) -> list[str]:
        return self.files or ["*"]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every row, in the shard's own order."""
        hub = None if self.folder else Hub(self.repo, self.revision)
        path = shards.fetched(unit, hub)
        split, shard = Path(unit.name).parent.name, path.name.partition(".")[0]
        for number, row in enumerate(shards.rows(path), start=1):
            id = f"proof-pile-2/{self.subset}/{split}/{shard}#{number}"
            if isinstance(row, Damage):
                yield unreadable(id if row.line else unit.name, source, row.reason)
            else:
                yield _document(row, id, source, shard, {"published_split": split})
        if hub is not None and not self.keep_shards:
            path.unlink(missing_ok=True)


def _document(row: Row, id: str, source: str, shard: str, facts: dict[str, Any]) -> Document | Dropped:
    text, meta = row.get("text"), _meta(row.get("meta"))
    if not isinstance(text, str):
        return unreadable(id, source, "no text in this row")
    path = next((str(meta[key]) for key in _PATHS if meta.get(key)), "")
    named_id = meta.pop("id", None)
    spoken = next((named(str(meta[key])) for key in _LANGUAGES if meta.get(key)), "")
    rest = {key: value for key, value in meta.items() if key not in (*_PATHS, *_LANGUAGES, "source")}
    id = str(named_id) if named_id else id
    return text_document(id, source, path, text, {**rest, **facts}, spoken or shard_language(shard))


def _meta(value: Any) -> dict[str, Any]:
    """The meta of a row: an object, or one written as JSON text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError):
            return {}
    return dict(value) if isinstance(value, dict) else {}


def shard_language(shard: str) -> str:
    """The language in the name of one of AlgebraicStack's shards; empty where there is none."""
    found = _SHARD.fullmatch(shard)
    name = named(found[1]) if found else ""
    return name if name in TABLE or name in LANGUAGES.values() else ""
