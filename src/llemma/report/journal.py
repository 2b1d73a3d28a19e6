"""The completions of an evaluation that may still be running: those in its file, and those in its journal.

A running evaluation keeps each finished batch in `parts/<digest>.jsonl`: a line with the seconds it has cost, then the
completions. The files `problems`, `completions` and `verdicts` are written at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from llemma.core.errors import DataError
from llemma.core.files import read_json
from llemma.core.types import Completion, RunRecord
from llemma.report import read

PARTS = "parts"
_DECODER = msgspec.json.Decoder(Completion)


def is_running(folder: Path) -> bool:
    """Whether the run in `folder` says that it is still going on."""
    try:
        return (folder / "run.json").is_file() and read_json(folder / "run.json", RunRecord).state == "running"
    except DataError:
        return False


def completions(evaluation: read.Evaluation) -> Iterator[Completion]:
    """Every completion, of each request and sample the one written last.

    Once a run has ended its file is all there is. While it is going on, or where the file is missing, the finished
    batches count too.
    """
    stored = evaluation.folder / "completions.jsonl.zst"
    if stored.is_file() and not is_running(evaluation.folder):
        yield from read.completions(evaluation)
        return
    found = {(row.request, row.sample): row for row in read.completions(evaluation)}
    for path in sorted(evaluation.folder.glob(f"{PARTS}/*.jsonl"), key=lambda path: (path.stat().st_mtime_ns, path)):
        facts = path.stat()
        found |= {(row.request, row.sample): row for row in _batch(path, facts.st_mtime_ns, facts.st_size)}
    yield from found.values()


@lru_cache(maxsize=10_000)
def _batch(path: Path, changed: int, size: int) -> list[Completion]:
    """The completions of a batch up to the first line that is none; batches of likelihoods have none at all. While a
    run is followed each batch is read once: `changed` and `size` tell a new one from an old."""
    rows = []
    for line in path.read_bytes().splitlines()[1:]:
        try:
            rows.append(_DECODER.decode(line))
        except msgspec.DecodeError:
            break
    return rows
