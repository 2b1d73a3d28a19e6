"""Corpora as shards, and shards as documents: JSON lines, Parquet, token stores, folders of them.

A document is streamed; what stands in memory is one line of a file, or a small batch of rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.files import digest, file_digest, read_json
from llemma.core.types import SPLITS

SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")
PARQUET, STORE = ".parquet", "store.json"
_AT_ONCE = 20_000  # documents of a token store in a shard
_BATCH = 64  # rows of Parquet, or documents of a store, decoded at a time

Id = str | int | float | None


class Shard(msgspec.Struct, frozen=True):
    """A piece of a corpus that one process reads. `name` stands in ids and messages; `[first, last)` are the documents
    of a token store."""

    path: str
    name: str
    subset: str
    kind: Literal["jsonl", "parquet", "store"]
    first: int = 0
    last: int = 0
    tokenizer: str = ""


class Doc(NamedTuple):
    """A document of a corpus; `named` is false where the corpus gives it no id."""

    id: str
    text: str
    named: bool


class Damage(NamedTuple):
    """What could not be read, where, and why; `rest` says that reading ended there."""

    where: str
    why: str
    rest: bool = False


class _Row(msgspec.Struct):
    text: str
    id: Id = None
    meta: msgspec.Raw = msgspec.Raw(b"null")


def discover(paths: Iterable[Path], tokenizer: Path | None = None, without: Collection[Path] = ()) -> list[Shard]:
    """The shards of files and folders, in a fixed order. Raises `MissingError` for a path that is not there or holds no
    corpus, `DataError` for a file of another kind. `tokenizer` is that of token stores; files and folders of `without`
    (what a search writes itself) are no corpus."""
    left_out = {path.resolve() for path in without}
    shards = [shard for path in paths for shard in _discover(path, tokenizer, left_out)]
    return list(dict.fromkeys(shards))


def _discover(path: Path, tokenizer: Path | None, left_out: set[Path]) -> list[Shard]:
    if not path.exists():
        raise MissingError(f"no corpus '{path}'", where="CORPUS", mend="check the path")
    if path.is_file():
        if not _is_file_of_rows(path):
            what = ", ".join([*SUFFIXES, PARQUET])
            raise DataError("a file of an unknown kind", where=str(path), mend=f"give {what}, or a folder")
        return [_file(path, path.name, _subset(path, path.parent) if path.parent.name in SPLITS else _stem(path))]
    everything = (p for p in path.rglob("*") if _is_wanted(p.relative_to(path)))
    inside = sorted(p for p in everything if not left_out & {p.resolve(), p.resolve().parent})
    stores = [p.parent for p in inside if p.name == STORE]
    files = [p for p in inside if _is_file_of_rows(p) and p.is_file()]
    found = [_file(p, str(p.relative_to(path)), _subset(p, path)) for p in files]
    found += [shard for store in stores for shard in _store(store, path, tokenizer)]
    if not found:
        raise MissingError(
            f"no corpus in '{path}'",
            where="CORPUS",
            mend="it should hold *.jsonl(.zst, .gz), *.parquet, or a token store",
        )
    return found


def _is_file_of_rows(path: Path) -> bool:
    return path.name.endswith((*SUFFIXES, PARQUET))


def _is_wanted(path: Path) -> bool:
    """Not what a build keeps for itself, nor the ledger of what it dropped."""
    return path.parts[0] != "dropped" and not any(part.startswith(".") for part in path.parts)


def _file(path: Path, name: str, subset: str) -> Shard:
    return Shard(str(path), name, subset, "parquet" if path.suffix == PARQUET else "jsonl")


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zst").removesuffix(".gz").rpartition(".")[0]


def _subset(path: Path, root: Path) -> str:
    """The folder above `train`, `validation` or `test`, else the first folder below the corpus, else the corpus."""
    parts = path.absolute().parts[:-1]
    if len(parts) > 1 and parts[-1] in SPLITS:
        return parts[-2]
    inside = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    return inside[0] if inside else root.absolute().name


class _Store(msgspec.Struct):
    documents: int
    tokens: int
    dtype: Literal["uint16", "uint32"]
    tokenizer_digest: str


def _store(path: Path, root: Path, tokenizer: Path | None) -> list[Shard]:
    info = read_json(path / STORE, _Store)
    name, subset = str(path.relative_to(root)), _subset(path / STORE, root)
    file = str(_tokenizer(path, info, tokenizer))
    ends = [(first, min(first + _AT_ONCE, info.documents)) for first in range(0, info.documents, _AT_ONCE)]
    shown = path.name if name == "." else name
    return [Shard(str(path), f"{shown}[{a}:{b}]", subset, "store", a, b, file) for a, b in ends]


def _tokenizer(store: Path, info: _Store, given: Path | None) -> Path:
    """The tokenizer that made a store: the given one, or `tokenizer/tokenizer.json` beside or above the store."""
    above = [folder / "tokenizer" for folder in (store, *store.absolute().parents)]
    for place in [given] if given else above:
        file = place / "tokenizer.json" if place.is_dir() else place
        if file.is_file() and file_digest(file) == info.tokenizer_digest:
            return file.absolute()
    what = f"'{given}' is not the tokenizer of this store" if given else "the tokenizer of this store is not found"
    raise MissingError(what, where=str(store), mend="give it with --tokenizer FOLDER")


def shard_digest(shard: Shard) -> str:
    """Names a shard's content: of files all of it; of a token store its size and time, which may be hundreds of GB."""
    if shard.kind != "store":
        return digest(shard.name, shard.subset, file_digest(Path(shard.path)))
    facts = [(Path(shard.path) / name).stat() for name in ("tokens.bin", "docs.idx", STORE)]
    return digest(shard.name, shard.subset, [(fact.st_size, fact.st_mtime_ns) for fact in facts])


def documents(shard: Shard) -> Iterator[Doc | Damage]:
    """The documents of a shard in order, and a `Damage` for each that cannot be read."""
    return {"jsonl": _lines, "parquet": _parquet, "store": _decoded}[shard.kind](shard)


def _lines(shard: Shard) -> Iterator[Doc | Damage]:
    decode = msgspec.json.Decoder(_Row).decode
    number = 0
    try:
        with jsonl.open_lines(Path(shard.path)) as file:
            for number, line in enumerate(file, start=1):
                if line.isspace():
                    continue
                try:
                    row = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    yield _second_reading(line, shard, number, error)
                else:
                    yield _doc(row.text, row.id, row.meta, shard, number)
    except jsonl.damage() as error:
        yield Damage(f"{shard.path} line {number + 1}", f"damaged file: {error}", rest=True)


def _second_reading(line: bytes, shard: Shard, number: int, error: Exception) -> Doc | Damage:
    """Half of a surrogate pair is no damage: the row is read with a mark in its place."""
    where = f"{shard.path} line {number}"
    try:
        row = json.loads(line.decode("utf-8", "replace") if b"\\ud" in line.lower() else b"")
    except (ValueError, RecursionError):
        return Damage(where, f"damaged row: {error}")
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return Damage(where, "damaged row: no 'text'")
    id = row.get("id")
    return _doc(_mended(row["text"]), _mended(id) if isinstance(id, str) else None, msgspec.Raw(b"null"), shard, number)


def _mended(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _doc(text: str, id: Id, meta: msgspec.Raw, shard: Shard, number: int) -> Doc:
    """Named by the row's id, else by that in its `meta`, else by file and line."""
    name = id if id is not None else _meta_id(meta)
    return Doc(f"{shard.name}:{number}", text, False) if name in (None, "") else Doc(str(name), text, True)


def _meta_id(meta: msgspec.Raw) -> Id:
    if b"id" not in bytes(meta):
        return None
    try:
        found = msgspec.json.decode(meta)
        found = msgspec.json.decode(found) if isinstance(found, str) else found  # Proof-Pile-2 has it as a text
    except msgspec.DecodeError:
        return None
    id = found.get("id") if isinstance(found, dict) else None
    return id if isinstance(id, str | int | float) else None


def _parquet(shard: Shard) -> Iterator[Doc | Damage]:
    try:
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingError(
            "pyarrow is needed to read Parquet files", where=shard.path, mend="pip install pyarrow"
        ) from (error)
    number = 0
    try:
        with parquet.ParquetFile(shard.path) as file:
            columns = [name for name in ("text", "id", "meta") if name in file.schema_arrow.names]
            if "text" not in columns:
                yield Damage(shard.path, "no column 'text'", rest=True)
                return
            for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield _parquet_doc(row, shard, number)
    except (OSError, ValueError) as error:  # pyarrow's own errors are children of these
        yield Damage(f"{shard.path} row {number + 1}", f"damaged Parquet file: {error}", rest=True)


def _parquet_doc(row: dict[str, Any], shard: Shard, number: int) -> Doc | Damage:
    text, id = row["text"], row.get("id")
    if not isinstance(text, str):
        return Damage(f"{shard.path} row {number}", "damaged row: no 'text'")
    meta = row.get("meta")
    if isinstance(meta, dict):
        found = meta.get("id")
        return _doc(text, id if id is not None else found, msgspec.Raw(b"null"), shard, number)
    raw = msgspec.Raw(meta.encode("utf-8", "replace")) if isinstance(meta, str) else msgspec.Raw(b"null")
    return _doc(text, id, raw, shard, number)


def _decoded(shard: Shard) -> Iterator[Doc | Damage]:
    """Documents of a token store as text again; special tokens are left out. They have numbers for ids."""
    import numpy as np
    from tokenizers import Tokenizer

    store = Path(shard.path)
    info = read_json(store / STORE, _Store)
    try:
        starts = np.memmap(store / "docs.idx", dtype="<u8", mode="r")
        ids = np.memmap(store / "tokens.bin", dtype=np.dtype(info.dtype).newbyteorder("<"), mode="r")
    except (OSError, ValueError) as error:
        yield Damage(shard.path, f"cannot map the token store: {error}", rest=True)
        return
    if len(starts) != info.documents + 1 or len(ids) != info.tokens:
        yield Damage(shard.path, "the token store is cut", rest=True)
        return
    rust = Tokenizer.from_file(shard.tokenizer)
    label = shard.name.rpartition("[")[0]
    for first in range(shard.first, shard.last, _BATCH):
        batch = range(first, min(first + _BATCH, shard.last))
        parts = [ids[int(starts[i]) : int(starts[i + 1])].tolist() for i in batch]
        for number, text in zip(batch, rust.decode_batch(parts, skip_special_tokens=True), strict=True):
            yield Doc(f"{label}:{number}", text, True)
