"""`run.json` of an evaluation: what ran, on what, with what, and how it ended."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from llemma.backends.base import Backend
from llemma.core.errors import Interrupted, LlemmaError
from llemma.core.files import digest, write_json
from llemma.core.runs import PACKAGES
from llemma.core.types import RunRecord
from llemma.evals.task import Task

RECORD = "run.json"
_PACKAGES = (*PACKAGES, "transformers", "sympy", "mpmath", "antlr4-python3-runtime")
"""What generates and what judges."""


@contextmanager
def recorded(out: Path, backend: Backend, tasks: Sequence[Task], settings: Any) -> Iterator[None]:
    """Write `run.json` into `out` before the block, and again with how the block ended.

    `settings` is what of the user's choices is no input: its digest is the record's. The inputs are the model's
    identity and the checksums of the tasks' data.
    """
    record = RunRecord(
        id=out.name,
        kind="eval",
        recipe_digest=digest(settings),
        inputs={"model": f"{backend.name} {backend.identity}", **dict(map(_data, tasks))},
        packages=_versions(),
        device=backend.device,
        started=_now(),
    )
    write_json(out / RECORD, record)
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        # the error on its way must not be hidden by a second one (the disk may be full)
        with contextlib.suppress(LlemmaError):
            write_json(out / RECORD, _ended(record, "interrupted" if stopped else "failed"))
        raise
    write_json(out / RECORD, _ended(record, "done"))


def _ended(record: RunRecord, state: str) -> RunRecord:
    return msgspec.structs.replace(record, ended=_now(), state=state)


def _data(task: Task) -> tuple[str, str]:
    if task.source is None:
        return task.name, ""
    source = task.source()
    return task.name, " ".join(filter(None, (source.origin, f"sha256:{source.sha256}", source.revision)))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
