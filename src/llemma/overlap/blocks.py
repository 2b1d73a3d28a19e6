"""The search as a pipeline of datatrove: a task is a shard, and what it says goes through a file.

No object that was made from a document travels between processes: hits lie in the shard's part, its mark in a record.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from llemma.core.files import read_json, write_json
from llemma.overlap.items import Item
from llemma.overlap.shards import Shard
from llemma.overlap.work import Execute, Parts, Scanned, Search, Worker, work_digest

# datatrove writes its log to standard error as well, where our progress stands, and tells nothing that ours does not.
logger.disable("datatrove")


class Scan(PipelineStep):  # type: ignore[misc]
    """Searches shard number `rank` and leaves its mark in `told`."""

    type, name = "Search", "overlap"

    def __init__(self, shards: Sequence[Shard], items: Sequence[Item], search: Search, parts: Parts, told: Path):
        super().__init__()
        self.shards, self.items, self.search = list(shards), list(items), search
        self.parts, self.told = parts, told
        self.work = work_digest(items, search)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Nothing comes in, and nothing goes further."""
        write_json(_ticket(self.told, rank), _worker(self).scan(self.shards[rank]))


_known: Worker | None = None


def _worker(block: Scan) -> Worker:
    """The items' index, made once a process."""
    global _known
    if _known is None or _known.work != block.work or _known.parts != block.parts:
        _known = Worker(block.items, block.search, block.parts)
    return _known


def _ticket(folder: Path, rank: int) -> Path:
    return folder / f"{rank}.json"


def elsewhere(
    execute: Execute,
    shards: Sequence[Shard],
    items: Sequence[Item],
    search: Search,
    parts: Parts,
    *,
    workers: int,
    finished: Callable[[int, Scanned], None],
) -> None:
    """Search shards with other processes; `finished` gets number and mark of each. One that fails does not keep the
    others from being searched; the first error is raised when they are."""
    errors: list[Exception] = []
    at = [_anywhere(shard) for shard in shards]
    with tempfile.TemporaryDirectory(prefix=".tasks-", dir=parts.folder) as told:

        def done(rank: int, error: Exception | None) -> None:
            if error is not None:
                errors.append(error)
            else:
                finished(rank, read_json(_ticket(Path(told), rank), Scanned))

        block = Scan(at, items, search, Parts(parts.folder.resolve()), Path(told).resolve())
        execute([block], len(at), workers, Path(told).resolve() / "logs", done)
    if errors:
        raise errors[0]


def _anywhere(shard: Shard) -> Shard:
    """A worker may have another working folder."""
    paths = {"path": shard.path, "tokenizer": shard.tokenizer}
    return msgspec.structs.replace(shard, **{key: str(Path(path).resolve()) for key, path in paths.items() if path})
