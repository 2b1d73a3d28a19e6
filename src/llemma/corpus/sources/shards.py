"""Data sets cut into shards of rows (Parquet, JSON lines): on disk, or on the Hugging Face Hub and fetched one by one.

A shard of the hub is fetched when it is read, not before: a data set may be larger than the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.files import digest
from llemma.corpus.naming import file_digests
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.archive import DAMAGE

PARQUET = (".parquet",)
LINES = (".jsonl", ".jsonl.zst", ".jsonl.gz", ".json.gz")
_BATCH = 256  # rows decoded at a time; a source file has at most a megabyte
_TIMEOUT = 30.0  # seconds the hub may take to list a data set

Row = dict[str, Any]


class Damage(NamedTuple):
    """Rows that could not be read: `line` is 1-based, 0 where the whole rest of the shard is lost."""

    line: int
    reason: str


class Hub(NamedTuple):
    """A data set on the hub; an empty `revision` is its main branch."""

    repo: str
    revision: str = ""


def local_units(paths: Sequence[Path], inputs: Sequence[str]) -> list[Unit]:
    """One unit a file, named by the file; all must be there."""
    missing = [str(path) for path in paths if not path.is_file()]
    if missing or not paths:
        what = ", ".join(missing[:5] or inputs)
        raise MissingError(f"no such shard: {what}", mend="check `inputs` of this source in the recipe")
    return [Unit(path.name, str(path), digest) for path, digest in zip(paths, file_digests(paths), strict=True)]


def hub_units(hub: Hub, patterns: Sequence[str], context: Context) -> list[Unit]:
    """One unit a file of the data set whose path fits one of `patterns`; nothing is fetched yet.

    A unit's path is where its file will lie; the folder of the data set in it is named by the commit.
    """
    commit, files = _listed(hub)
    found = [(name, blob) for name, blob in files if name.endswith((*PARQUET, *LINES))]
    wanted = [(name, blob) for name, blob in found if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not wanted:
        raise MissingError(
            f"'{hub.repo}' has no file like {', '.join(patterns)}",
            where=f"{commit}: {', '.join(name for name, _ in files[:5])}",
            mend="check `files` of this source in the recipe",
        )
    root = context.cache / "hub" / hub.repo.replace("/", "--") / commit
    return [Unit(name, str(root / name), blob or digest(commit, name)) for name, blob in wanted]


def _listed(hub: Hub) -> tuple[str, list[tuple[str, str]]]:
    """The commit, and all files with what names their content, where the hub says it."""
    api = _api(hub)
    try:
        info = api.dataset_info(hub.repo, revision=hub.revision or None, timeout=_TIMEOUT, files_metadata=True)
    except Exception as error:
        _explain(error, hub)
    siblings = sorted(info.siblings or [], key=lambda sibling: str(sibling.rfilename))
    return str(info.sha), [(str(item.rfilename), str(item.blob_id or "")[:16]) for item in siblings]


def _api(hub: Hub) -> Any:
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        raise MissingError(
            "huggingface_hub is not installed", where=hub.repo, mend="pip install huggingface_hub"
        ) from error
    # given here, so that the variable counts whenever it was set; the library reads it at import only
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)


def _explain(error: Exception, hub: Hub) -> NoReturn:
    """What the hub, or the network before it, says; its errors have no common ancestor."""
    if isinstance(error, LlemmaError):
        raise error
    reason = " ".join(str(error).split())[:200]
    raise MissingError(
        f"cannot read '{hub.repo}' from the hub: {type(error).__name__}: {reason}",
        where=os.environ.get("HF_ENDPOINT") or "https://huggingface.co",
        mend="check the name and the network; accept the terms of a gated data set on its page and set HF_TOKEN; or "
        "give shards on disk as `inputs`",
    ) from error


def fetched(unit: Unit, hub: Hub | None) -> Path:
    """The unit's file, fetched where it is not there yet."""
    path = Path(unit.path)
    if hub is None or path.is_file():
        return path
    root = Path(unit.path.removesuffix(f"/{unit.name}"))
    api = _api(hub)
    try:
        found = api.hf_hub_download(hub.repo, unit.name, repo_type="dataset", revision=root.name, local_dir=root)
    except Exception as error:
        _explain(error, hub)
    return Path(found)


def rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[Row | Damage]:
    """The rows of a shard in order; of Parquet only `columns`, where they are given. What is damaged is told."""
    if path.name.endswith(PARQUET):
        yield from _parquet(path, columns)
    elif path.name.endswith(LINES):
        yield from _lines(path)
    else:
        mend = f"shards end in {', '.join((*PARQUET, *LINES))}"
        raise DataError(f"not a shard: {path.name}", where=str(path), mend=mend)


def _lines(path: Path) -> Iterator[Row | Damage]:
    decoder = msgspec.json.Decoder(Row)
    number = 0
    try:
        with jsonl.open_lines(path) as file:
            for number, line in enumerate(file, start=1):
                try:
                    if line.strip():
                        yield decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    yield Damage(number, f"damaged row: {error}")
    except jsonl.damage() as error:
        yield Damage(0, f"{DAMAGE[0]}: {str(error) or type(error).__name__}, after {number} rows")


def _parquet(path: Path, columns: Sequence[str] | None) -> Iterator[Row | Damage]:
    try:
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingError("pyarrow is needed to read Parquet", where=str(path), mend="pip install pyarrow") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
            for batch in file.iter_batches(_BATCH, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield row
    except (OSError, ValueError) as error:  # pyarrow's own errors are children of these
        yield Damage(0, f"{DAMAGE[0]}: {' '.join(str(error).split())[:200]}, after {number} rows")
