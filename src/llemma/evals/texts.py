"""Texts whose likelihood is measured: the splits of any corpus, named like tasks by their folders.

`-t CORPUS` takes the validation split of every subset, `-t CORPUS/SUBSET` that of one, `-t CORPUS/SUBSET/SPLIT` any
split. Each subset is a group of its own in the results. The files are JSON lines with `text`, as in Proof-Pile-2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl, registry
from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document

SPLITS = ("validation", "valid", "test")
"""The split of a subset that is taken when none is named: the first of these that is there."""

_PATTERNS = ("*.jsonl", "*.jsonl.zst", "*.jsonl.gz")


class _Row(msgspec.Struct, frozen=True):
    text: str
    id: str | None = None
    meta: dict[str, Any] | str | None = None


def is_folder(spec: str) -> bool:
    """Whether a task's name is that of a folder of texts; a task of that name goes before it (not `./math`)."""
    known = registry.names("task")
    return spec not in known and spec.replace("-", "_") not in known and Path(spec).is_dir()


def read_texts(folder: Path) -> dict[str, list[Document]]:
    """The documents below `folder` by subset; a folder without any split is a `MissingError`."""
    groups = {subset: list(_documents(split, subset)) for subset, split in _splits(folder)}
    if not groups:
        raise MissingError(
            f"no texts in '{folder}'",
            where="eval.tasks",
            mend=f"name a corpus, a subset or a split of .jsonl files; of a subset, {', '.join(SPLITS)} is read",
        )
    for subset, documents in groups.items():
        if not documents:
            raise DataError(f"the texts of '{subset}' are empty", where=str(folder), mend="leave them out")
    return groups


def open_split(folder: Path, split: str) -> Iterator[tuple[str, Iterator[Document]]]:
    """Each subset below `folder` that has the split, and its documents, read as they are asked for."""
    found = list(_splits(folder, (split,)))
    if not found:
        raise MissingError(
            f"no split '{split}' in '{folder}'",
            where="texts",
            mend="name a corpus, a subset or a split of .jsonl files, and with --split the one that is there",
        )
    for subset, path in found:
        yield subset, _documents(path, subset)


def _splits(folder: Path, names: tuple[str, ...] = SPLITS) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        raise MissingError(f"no folder '{folder}'", where="texts", mend="check the path")
    if _files(folder):
        yield folder.resolve().parent.name, folder
        return
    for subset in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        split = next((subset / name for name in names if _files(subset / name)), None)
        if split is not None:
            yield subset.resolve().name, split


def _files(folder: Path) -> list[Path]:
    return sorted(path for pattern in _PATTERNS for path in folder.glob(pattern))


def _documents(split: Path, subset: str) -> Iterator[Document]:
    for path in _files(split):
        for number, row in enumerate(jsonl.read(path, _Row), start=1):
            meta = row.meta if isinstance(row.meta, dict) else _table(row.meta)
            name = row.id or meta.get("id") or f"{path.name}:{number}"
            yield Document(str(name), row.text, subset, meta)


def _table(meta: str | None) -> dict[str, Any]:
    """Facts that a corpus keeps as JSON in a string; nothing where it is none."""
    try:
        return msgspec.json.decode(meta or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
