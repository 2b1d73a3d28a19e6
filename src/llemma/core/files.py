"""Files written whole or not at all, and digests of work."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from llemma.core.errors import DataError, LlemmaError, MissingError

T = TypeVar("T")
NO_SPACE = "No space left on device"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path (file or folder) beside `path`; rename it to `path` when the block succeeds.

    A crash leaves `path` as it was. A full disk becomes an error that says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        _flush(temporary)
        if temporary.is_dir() and path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error
    except Exception as error:
        if NO_SPACE in str(error):  # libraries in other languages wrap the system's error in one of their own
            raise disk_error(OSError(errno.ENOSPC, str(error)), path) from error
        raise
    finally:
        _remove(temporary)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written below `folder`; only the holder of the folder's lock may."""
    for path in list(folder.rglob(".*.tmp")):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}\.tmp", path.name):
            _remove(path)


def _flush(path: Path) -> None:
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def disk_error(error: OSError, path: Path) -> LlemmaError:
    """The user-facing form of an operating-system error while `path` was being written."""
    if error.errno == errno.ENOSPC:
        return LlemmaError(
            "the disk is full",
            where=str(path),
            mend="free some space and run the same command again; finished parts are kept",
        )
    return LlemmaError(f"cannot write: {error}", where=str(path), mend="check the path and its rights")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write a record or plain value as indented JSON, whole or not at all."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2) + b"\n")


def read_json(path: Path, kind: type[T]) -> T:
    """Read JSON as `kind`; a missing or damaged file is an error that names it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path.name}", where=str(path.parent), mend="check the path") from error
    except msgspec.DecodeError as error:
        raise DataError(
            f"damaged or foreign file: {error}", where=str(path), mend="remove it and run the command that made it"
        ) from error


def digest(*values: Any) -> str:
    """16 hex characters that name `values` (records, dicts, strings, numbers), whatever the key order."""
    encoded = msgspec.json.encode(values, order="deterministic", enc_hook=_plain)
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    """What msgspec does not know by itself: subclasses of int such as `recipe.Count`."""
    if isinstance(value, int):
        return int(value)
    raise NotImplementedError(type(value))


def file_digest(path: Path) -> str:
    """16 hex characters that name a file's content."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
