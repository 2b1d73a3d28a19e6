"""Finished theorems on disk: what a killed run does not have to do again, and the tree of each for the report.

A theorem lies in `trees/<digest>.jsonl.zst`, named by the digest of the theorem, of all settings, and of the prover
and the model that worked on it. The file is written whole by rename; its first line is the attempt, the others are the
nodes of its search (`search.Node`).
"""

from __future__ import annotations

import contextlib
from itertools import islice
from pathlib import Path

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.core.files import digest, sweep
from llemma.prove.attempt import Attempt
from llemma.prove.search import Node
from llemma.prove.theorem import Theorem

NODES_KEPT = 5_000
"""Nodes of a tree that are stored: more than 100 expansions of 32 candidates make."""


class Journal:
    """The folder of finished theorems of one run; `work` names all that decides how they end, but the theorem."""

    def __init__(self, folder: Path, *work: object) -> None:
        self.folder, self.work = folder, digest(*work)
        sweep(folder)

    def path(self, theorem: Theorem) -> Path:
        """Where the theorem lies, finished or not."""
        return self.folder / f"{digest(self.work, theorem)}.jsonl.zst"

    def read(self, theorem: Theorem) -> Attempt | None:
        """The finished attempt without its tree; None if there is none, or if it ended in an error."""
        path = self.path(theorem)
        if not path.is_file():
            return None
        with contextlib.suppress(DataError, StopIteration, msgspec.DecodeError):
            head = msgspec.json.decode(next(jsonl.lines(path)), type=Attempt)
            return head if head.outcome != "error" else None
        return None

    def write(self, theorem: Theorem, attempt: Attempt) -> None:
        """Keep a finished theorem, whole or not at all."""
        head = msgspec.structs.replace(attempt, tree=[])
        jsonl.write(self.path(theorem), [head, *attempt.tree[:NODES_KEPT]])


def read_tree(path: Path) -> list[Node]:
    """The nodes of a stored theorem."""
    return [msgspec.json.decode(line, type=Node) for line in islice(jsonl.lines(path), 1, None)]
