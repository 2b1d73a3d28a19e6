"""Where the rows of a benchmark are: in a local folder, or on the Hugging Face Hub and then in the cache.

A local folder (`--data`, `LLEMMA_DATA`) holds `<name>/test.jsonl`, plain or as `.zst` or `.gz`. Without one, the data
set's files are downloaded once and pinned: a note in the cache names their revision and checksums, and from then on
they are used without asking the hub again, until the note is deleted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.files import digest, read_json, write_json
from llemma.core.home import cache_folder
from llemma.evals.task import Source, file_source

VARIABLE = "LLEMMA_DATA"
CONVERTED = "refs/convert/parquet"
"""The branch in which the hub keeps every public data set as `<config>/<split>/*.parquet`."""

_ENDINGS = ("", ".zst", ".gz")
_TIMEOUT = 20.0  # seconds the hub may take to answer

Row = dict[str, Any]


class Hub(NamedTuple):
    """A data set on the Hugging Face Hub: which of its configurations and splits are read, in this order."""

    repo: str
    configs: tuple[str, ...] = ("default",)
    splits: tuple[str, ...] = ("test",)


class Located(NamedTuple):
    """Files of rows in their order, and what results say of them."""

    files: tuple[Path, ...]
    source: Source


class _Note(msgspec.Struct, frozen=True):
    """What was downloaded: paths below the cache's folder, with their SHA-256."""

    repo: str
    revision: str
    files: list[tuple[str, str]]


def locate(name: str, hub: Hub, data: Path | None = None) -> Located:
    """The rows of benchmark `name`: in `data`, else in `LLEMMA_DATA`, else from the hub through the cache.

    Raises `MissingError` that names both ways to give the data; a folder that is given is the only place looked into.
    """
    given = data or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    return _local(name, hub, given) if given else _cached(name, hub)


def _local(name: str, hub: Hub, folder: Path) -> Located:
    for ending in _ENDINGS:
        path = folder / name / f"test.jsonl{ending}"
        if path.is_file():
            return Located((path,), file_source(path, f"{name}/{path.name}"))
    raise _missing(name, hub, f"no {name}/test.jsonl (or .zst, .gz) in '{folder}'", "local folder")


def _missing(name: str, hub: Hub, what: str, where: str) -> MissingError:
    return MissingError(
        f"the problems of '{name}' are not here: {what}",
        where=where,
        mend=f"with a network, leave --data and {VARIABLE} out: '{hub.repo}' is fetched from the Hugging Face Hub and"
        f" kept; without one, save its rows as DIR/{name}/test.jsonl and give --data DIR or set {VARIABLE}=DIR",
    )


def _cached(name: str, hub: Hub) -> Located:
    folder = cache_folder() / "benchmarks"
    path = folder / f"{name}-{digest(hub)}.json"
    note = read_json(path, _Note) if path.is_file() else None
    if note is None or not _whole(folder, note):
        note = _fetch(name, hub, folder)
        write_json(path, note)
    return Located(tuple(folder / file for file, _ in note.files), _hub_source(note))


def _whole(folder: Path, note: _Note) -> bool:
    """Whether the cached files are what was fetched."""
    return all((folder / file).is_file() and _sha256(folder / file) == known for file, known in note.files)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hub_source(note: _Note) -> Source:
    sums = [known for _, known in note.files]
    whole = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    return Source(f"hub:{note.repo}", whole, note.revision)


def _fetch(name: str, hub: Hub, folder: Path) -> _Note:
    """Download the files of a data set; everything that can go wrong on the way is a `MissingError`."""
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        raise _missing(name, hub, "huggingface_hub is not installed (pip install huggingface_hub)", hub.repo) from error
    # given here, so that the variable counts whenever it was set; the library reads it at import only
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    try:
        revision, files = _listed(api, hub)
        paths = [_download(api, hub, file, revision, folder) for file in files]
    except LlemmaError:
        raise
    except Exception as error:  # the library's errors and those of the network below it have no common ancestor
        reason = " ".join(str(error).split())[:200]
        raise _missing(name, hub, f"{type(error).__name__}: {reason}", f"{api.endpoint}/datasets/{hub.repo}") from error
    return _Note(hub.repo, revision, [(str(path.relative_to(folder)), _sha256(path)) for path in paths])


def _listed(api: Any, hub: Hub) -> tuple[str, list[str]]:
    """The commit, and the wanted files in it: as published, else as the hub converted them."""
    for branch, patterns in ((None, _published), (CONVERTED, _converted)):
        info = api.dataset_info(hub.repo, revision=branch, timeout=_TIMEOUT)
        names = sorted(sibling.rfilename for sibling in info.siblings or [])
        found = [_matching(names, patterns(config, split)) for split in hub.splits for config in hub.configs]
        if all(found):
            return str(info.sha), [name for group in found for name in group]
    raise DataError(
        f"'{hub.repo}' has no files of {', '.join(hub.splits)}",
        where=f"{api.endpoint}/datasets/{hub.repo}",
        mend=f"save its rows as DIR/NAME/test.jsonl and give --data DIR or set {VARIABLE}=DIR",
    )


def _published(config: str, split: str) -> list[str]:
    inside = [f"{config}/{split}-*.parquet", f"{config}/{split}.jsonl"]
    plain = [f"data/{split}-*.parquet", f"{split}-*.parquet", f"data/{split}.jsonl", f"{split}.jsonl"]
    return inside + (plain if config == "default" else [])


def _converted(config: str, split: str) -> list[str]:
    return [f"{config}/{split}/*.parquet"]


def _matching(names: list[str], patterns: list[str]) -> list[str]:
    """The names of the first pattern that has any."""
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if found:
            return found
    return []


def _download(api: Any, hub: Hub, file: str, revision: str, folder: Path) -> Path:
    return Path(api.hf_hub_download(hub.repo, file, repo_type="dataset", revision=revision, cache_dir=folder))


def rows(path: Path) -> Iterator[Row]:
    """The rows of one file, JSON lines or Parquet. Numbers are texts, as they were written."""
    if path.suffix != ".parquet":
        for row in jsonl.read(path, dict[str, msgspec.Raw]):
            yield {key: _written(value) for key, value in row.items()}
        return
    for row in _parquet(path):
        yield {key: _plain(value) for key, value in row.items()}


def _written(raw: msgspec.Raw) -> Any:
    return _plain(msgspec.json.decode(raw), lambda: bytes(raw).decode())


def _plain(value: Any, digits: Callable[[], str] | None = None) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return digits() if digits else str(value)
    return value


def _parquet(path: Path) -> list[Row]:
    try:
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingError(
            "pyarrow is needed to read Parquet files", where=str(path), mend="pip install pyarrow"
        ) from error
    try:
        found: list[Row] = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are children of these
        raise DataError(f"damaged Parquet file: {error}", where=str(path), mend="delete it and run again") from error
    return found
