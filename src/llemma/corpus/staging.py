"""Units that have been read and filtered, waiting for the global pass: one folder each, whole or not there.

`documents.bin` has the rows of the corpus, each compressed alone, so that one can be read without the others;
`index.bin` has a fixed-size record for each; `dropped.jsonl` is the ledger; `unit.json` the counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import numpy as np
import xxhash
import zstandard
from numpy.typing import NDArray

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.core.files import read_json, replacing, write_json
from llemma.core.types import Document, Dropped
from llemma.corpus.dedup import BANDS, SIZE, sign
from llemma.corpus.layout import Row
from llemma.corpus.words import Hashes

RECORD = np.dtype(
    [
        ("offset", "<u8"),  # of the compressed row in documents.bin
        ("length", "<u4"),  # of the compressed row
        ("bytes", "<u4"),  # of the text in UTF-8
        ("id", "<u8"),  # hash of the document id
        ("text", "<u8", (2,)),
        ("bands", "<u8", (BANDS,)),
        ("rows", "<u4", (SIZE,)),
    ]
)
RESERVED = ("id", "source")


class Key(msgspec.Struct, frozen=True):
    """A key of the documents' meta: the type of its values, and how many documents have it."""

    kind: str
    documents: int


class UnitRecord(msgspec.Struct, frozen=True):
    """What a staged unit holds: documents, keys of their meta, drops by step and reason."""

    source: str
    documents: int
    meta: dict[str, Key]
    dropped: dict[str, dict[str, int]]


class UnitWriter:
    """Writes one unit into an open folder."""

    def __init__(self, folder: Path, source: str, stack: ExitStack) -> None:
        self.source, self.documents, self.meta, self.dropped = source, 0, dict[str, Key](), dict[str, dict[str, int]]()
        self._rows = stack.enter_context(open(folder / "documents.bin", "wb"))
        self._index = stack.enter_context(open(folder / "index.bin", "wb"))
        self._ledger = stack.enter_context(open(folder / "dropped.jsonl", "wb"))
        self._zip, self._encoder, self._offset = zstandard.ZstdCompressor(level=1), msgspec.json.Encoder(), 0

    def add(self, document: Document, hashes: Hashes) -> None:
        """Stage a document whose words have these hashes; text that has no UTF-8 form is a line of the ledger."""
        try:
            self._add(document, hashes)
        except UnicodeEncodeError:
            self.drop(Dropped(document.id, document.source, "read", "not text: half of a surrogate pair"))

    def _add(self, document: Document, hashes: Hashes) -> None:
        document.text.encode()  # refuses half surrogate pairs before anything is counted
        row = Row(document.text, {"id": document.id, "source": document.source, **self._facts(document.meta)})
        data = self._zip.compress(self._encoder.encode(row))
        signature = sign(hashes)
        record = np.zeros((), RECORD)
        record["offset"], record["length"] = self._offset, len(data)
        record["bytes"] = len(document.text.encode())
        record["id"] = id_hash(document.id)
        record["text"], record["bands"], record["rows"] = signature.text, signature.bands, signature.rows
        self._rows.write(data)
        self._index.write(record.tobytes())
        self._offset += len(data)
        self.documents += 1

    def _facts(self, meta: dict[str, Any]) -> dict[str, str | bool | int | float]:
        """The meta as it is written, its types and presence noted: what is not plain becomes JSON text."""
        facts = {key: _plain(value) for key, value in meta.items() if key not in RESERVED and value is not None}
        for key, value in facts.items():
            known = self.meta.get(key)
            kind = type(value).__name__
            self.meta[key] = Key(joined(known.kind, kind), known.documents + 1) if known else Key(kind, 1)
        return facts

    def drop(self, dropped: Dropped) -> None:
        """Stage a line of the ledger."""
        # Names on disk or in an archive may be any bytes.
        dropped = Dropped(printable(dropped.id), dropped.source, dropped.step, printable(dropped.reason))
        self._ledger.write(self._encoder.encode(dropped) + b"\n")
        reasons = self.dropped.setdefault(dropped.step, {})
        reason = category(dropped.reason)
        reasons[reason] = reasons.get(reason, 0) + 1


def printable(text: str) -> str:
    """The text with what has no UTF-8 form replaced."""
    return text.encode("utf-8", "replace").decode()


def category(reason: str) -> str:
    """The part of a reason that is counted: what stands before the first `: `."""
    return reason.partition(": ")[0]


def id_hash(id: str) -> int:
    """64 bits that name a document id; they also decide its split."""
    return xxhash.xxh3_64_intdigest(id.encode("utf-8", "surrogatepass"))


def _plain(value: Any) -> str | bool | int | float:
    if isinstance(value, bool | str | float) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def joined(left: str, right: str) -> str:
    """The one type for values of two types: readers of a subset need every row's meta to have the same."""
    return left if left == right else "float" if {left, right} == {"int", "float"} else "str"


def as_type(value: Any, kind: str) -> str | bool | int | float:
    """A meta value in the type of its key; only text can be absent."""
    if kind == "str":
        return "" if value is None else value if isinstance(value, str) else _json(value)
    return float(value) if kind == "float" else value


@contextmanager
def writing(folder: Path, source: str) -> Iterator[UnitWriter]:
    """A writer for a unit's folder, which appears whole when the block ends well."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        with ExitStack() as stack:
            writer = UnitWriter(temporary, source, stack)
            yield writer
        write_json(temporary / "unit.json", UnitRecord(source, writer.documents, writer.meta, writer.dropped))


class Staged:
    """A staged unit. No file stays open: a corpus may have more units than a process may have files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_json(folder / "unit.json", UnitRecord)
        if (folder / "index.bin").stat().st_size != len(self) * RECORD.itemsize:
            raise self._damaged("index.bin has not the size that unit.json tells")

    def __len__(self) -> int:
        return self.record.documents

    def index(self) -> NDArray[np.void]:
        """One `RECORD` a document."""
        return np.fromfile(self.folder / "index.bin", RECORD)

    def entry(self, number: int) -> np.void:
        """The `RECORD` of one document."""
        found = np.fromfile(self.folder / "index.bin", RECORD, count=1, offset=number * RECORD.itemsize)
        return cast(np.void, found[0])

    def row(self, number: int) -> Row:
        """The row of one document."""
        with open(self.folder / "documents.bin", "rb") as file:
            return self._row(file, self.entry(number))

    def rows(self) -> Iterator[tuple[np.void, Row]]:
        """Record and row of every document, in order."""
        with open(self.folder / "documents.bin", "rb") as file:
            for entry in self.index():
                yield entry, self._row(file, entry)

    def _row(self, file: IO[bytes], entry: np.void) -> Row:
        file.seek(int(entry["offset"]))
        try:
            return _decoder.decode(_unzip.decompress(file.read(int(entry["length"]))))
        except (zstandard.ZstdError, msgspec.DecodeError) as error:
            raise self._damaged(f"a document cannot be read: {error}") from error

    def ledger(self) -> Iterator[Dropped]:
        """What was dropped, in order."""
        return jsonl.read(self.folder / "dropped.jsonl", Dropped)

    def _damaged(self, what: str) -> DataError:
        mend = "remove this folder and run the build again"
        return DataError(f"damaged staged unit: {what}", where=str(self.folder), mend=mend)


_decoder, _unzip = msgspec.json.Decoder(Row), zstandard.ZstdDecompressor()
