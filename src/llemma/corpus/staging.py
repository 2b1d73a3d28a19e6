"""Units that have been read and filtered, waiting for the global pass: one folder each, whole or not there.

`documents.bin` has the rows of the corpus, each compressed alone, so that one can be read without the others;
`index.bin` has a fixed-size record for each, `keys.bin` and `marks.bin` what near-duplicates are found by, `chunks.bin`
the chunks where a source's are compared; `dropped.jsonl` is the ledger; `unit.json` the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import numpy as np
import xxhash
import zstandard
from numpy.typing import NDArray

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.files import read_json, replacing, write_json
from llemma.core.types import SPLITS, Document, Dropped
from llemma.corpus.copies import METHODS
from llemma.corpus.dedup import MINHASH, Marks, Method, text_number
from llemma.corpus.languages.chunks import RULES, ChunkRule
from llemma.corpus.layout import Row
from llemma.corpus.words import Hashes

RECORD = np.dtype(
    [
        ("offset", "<u8"),  # of the compressed row in documents.bin
        ("length", "<u4"),  # of the compressed row
        ("bytes", "<u4"),  # of the text in UTF-8
        ("tokens", "<u4"),  # 0 where no tokenizer counts them
        ("chunks", "<u4"),  # different ones in chunks.bin
        ("split", "u1"),  # 0: drawn by hash; else 1 + the number of the split that it must go to
        ("repeats", "?"),  # whether a chunk repeats within the text
        ("id", "<u8"),  # hash of the document id
        ("text", "<u8", (2,)),
    ]
)
CHUNKS = np.dtype([("chunk", "<u8"), ("document", "<u4")])
RESERVED = ("id", "source")


class Key(msgspec.Struct, frozen=True):
    """A key of the documents' meta: the type of its values, and how many documents have it."""

    kind: str
    documents: int


class UnitRecord(msgspec.Struct, frozen=True):
    """What a staged unit holds: documents, keys of their meta, drops by step and reason, and how it was signed."""

    source: str
    documents: int
    meta: dict[str, Key]
    dropped: dict[str, dict[str, int]]
    method: str = MINHASH.name
    chunk_rule: str = "none"
    chunks: int = 0


class Signing(msgspec.Struct, frozen=True):
    """How documents are signed: by which `method`, with chunks by which rule if any, and who counts their tokens.

    `pinned` says that documents whose meta names a split go to that split.
    """

    method: Method = MINHASH
    rule: ChunkRule | None = None
    tokens: Callable[[str], int] | None = None
    pinned: bool = False


PLAIN = Signing()
"""MinHash alone."""


class UnitWriter:
    """Writes one unit into an open folder."""

    def __init__(self, folder: Path, source: str, stack: ExitStack, signing: Signing) -> None:
        self.source, self.documents, self.meta, self.dropped = source, 0, dict[str, Key](), dict[str, dict[str, int]]()
        self.signing, self.chunks = signing, 0
        names = ("documents.bin", "index.bin", "keys.bin", "marks.bin", "chunks.bin", "dropped.jsonl")
        files = [stack.enter_context(open(folder / name, "wb")) for name in names]
        self._rows, self._index, self._keys, self._marks, self._chunks, self._ledger = files
        self._zip, self._encoder, self._offset = zstandard.ZstdCompressor(level=1), msgspec.json.Encoder(), 0

    def add(self, document: Document, hashes: Hashes) -> None:
        """Stage a document whose words have these hashes; text that has no UTF-8 form is a line of the ledger."""
        try:
            self._add(document, hashes)
        except UnicodeEncodeError:
            self.drop(Dropped(document.id, document.source, "read", "not text: half of a surrogate pair"))

    def _add(self, document: Document, hashes: Hashes) -> None:
        size = len(document.text.encode())  # refuses half surrogate pairs before anything is counted
        row = Row(document.text, {"id": document.id, "source": document.source, **self._facts(document.meta)})
        data = self._zip.compress(self._encoder.encode(row))
        record = np.zeros((), RECORD)
        record["offset"], record["length"], record["bytes"] = self._offset, len(data), size
        record["id"], record["text"] = id_hash(document.id), text_number(hashes)
        record["tokens"] = self.signing.tokens(document.text) if self.signing.tokens else 0
        record["split"] = pinned_split(document.meta) if self.signing.pinned else 0
        keys, marks = self.signing.method.sign(hashes)
        self._keys.write(keys.tobytes())
        self._marks.write(marks.tobytes())
        if self.signing.rule is not None:
            record["chunks"], record["repeats"] = self._chunked(document.text, self.signing.rule)
        self._rows.write(data)
        self._index.write(record.tobytes())
        self._offset += len(data)
        self.documents += 1

    def _chunked(self, text: str, rule: ChunkRule) -> tuple[int, bool]:
        names, repeats = rule.chunks(text)
        rows = np.zeros(len(names), CHUNKS)
        rows["chunk"], rows["document"] = names, self.documents
        self._chunks.write(rows.tobytes())
        self.chunks += len(rows)
        return len(rows), repeats

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

    def record(self) -> UnitRecord:
        """What the unit holds."""
        rule = self.signing.rule.name if self.signing.rule else "none"
        method = self.signing.method.name
        return UnitRecord(self.source, self.documents, self.meta, self.dropped, method, rule, self.chunks)


_SPLIT_KEYS = ("published_split", "split")
_SPLIT_NAMES: dict[str, str] = {
    **{name: name for name in SPLITS},
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}


def pinned_split(meta: dict[str, Any]) -> int:
    """The split that a document's meta names: 1 to 3 in the order of `SPLITS`, 0 where it names none."""
    named = next((_SPLIT_NAMES.get(str(meta[key])) for key in _SPLIT_KEYS if meta.get(key)), None)
    return 1 + [str(split) for split in SPLITS].index(named) if named else 0


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
def writing(folder: Path, source: str, signing: Signing = PLAIN) -> Iterator[UnitWriter]:
    """A writer for a unit's folder, which appears whole when the block ends well."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        with ExitStack() as stack:
            writer = UnitWriter(temporary, source, stack, signing)
            yield writer
        write_json(temporary / "unit.json", writer.record())


class Staged:
    """A staged unit. No file stays open: a corpus may have more units than a process may have files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_json(folder / "unit.json", UnitRecord)
        self.method = METHODS[self.record.method]
        self._sizes = {
            "index.bin": len(self) * RECORD.itemsize,
            "keys.bin": len(self) * self.method.keys * 8,
            "marks.bin": len(self) * self._mark_bytes,
            "chunks.bin": self.record.chunks * CHUNKS.itemsize,
        }
        for name, size in self._sizes.items():
            if (folder / name).stat().st_size != size:
                raise self._damaged(f"{name} has not the size that unit.json tells")

    def __len__(self) -> int:
        return self.record.documents

    @property
    def _mark_bytes(self) -> int:
        return self.method.marks * np.dtype(self.method.mark).itemsize

    @property
    def chunk_rule(self) -> ChunkRule | None:
        """How its chunks were taken, if they were."""
        return RULES.get(self.record.chunk_rule)

    def index(self, start: int = 0, count: int = -1) -> NDArray[np.void]:
        """One `RECORD` a document; of `count` documents from `start` on, where they are given."""
        return np.fromfile(self.folder / "index.bin", RECORD, count, offset=start * RECORD.itemsize)

    def keys(self, start: int = 0, count: int = -1) -> Hashes:
        """`(documents, keys)`: the numbers by which near-duplicates meet, of some documents likewise."""
        width = self.method.keys
        some = np.fromfile(self.folder / "keys.bin", np.uint64, count * width, offset=start * width * 8)
        return some.reshape(-1, width)

    def marks(self, number: int) -> Marks:
        """`(marks,)`: the signature of one document."""
        return np.fromfile(
            self.folder / "marks.bin", self.method.mark, self.method.marks, offset=number * self._mark_bytes
        )

    def chunks(self, start: int, count: int) -> NDArray[np.void]:
        """`count` `CHUNKS` rows from number `start` on; they stand in the order of their documents."""
        return np.fromfile(self.folder / "chunks.bin", CHUNKS, count, offset=start * CHUNKS.itemsize)

    def row(self, number: int) -> Row:
        """The row of one document."""
        entry = np.fromfile(self.folder / "index.bin", RECORD, count=1, offset=number * RECORD.itemsize)[0]
        return next(self.rows([cast(np.void, entry)]))

    def rows(self, entries: Sequence[np.void] | NDArray[np.void]) -> Iterator[Row]:
        """The rows of these entries of the index."""
        with open(self.folder / "documents.bin", "rb") as file:
            for entry in entries:
                yield self._row(file, entry)

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


def tokenizer_file(path: str) -> Path:
    """The `tokenizer.json` at a path, or in the folder there."""
    file = Path(path).expanduser()
    file = file / "tokenizer.json" if file.is_dir() else file
    if not file.is_file():
        mend = "give a tokenizer.json or the folder of one"
        raise MissingError(f"no tokenizer at {path}", where="corpus.tokenizer", mend=mend)
    return file


@lru_cache(maxsize=2)
def token_counter(path: str) -> Callable[[str], int]:
    """Counts the tokens of a text by the tokenizer at a path."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file(path)))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
