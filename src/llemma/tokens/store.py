"""Token stores: ids of all documents in one flat file, read by memory map.

tokens.bin   ids, uint16 or uint32 little endian, documents one after the other
docs.idx     start of each document and the end of the last, uint64 little endian
store.json   StoreInfo
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from llemma.core.errors import DataError
from llemma.core.files import read_json, replacing, write_json
from llemma.tokens.tokenizer import Tokenizer

BATCH = 256


class StoreInfo(msgspec.Struct, frozen=True):
    """`store.json`. `text_bytes` is the UTF-8 size of the text behind the tokens."""

    documents: int
    tokens: int
    text_bytes: int
    dtype: Literal["uint16", "uint32"]
    vocab_size: int
    tokenizer_digest: str


class Store:
    """An open store: `ids` (tokens,) and `starts` (documents + 1,), both mapped, not loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = read_json(path / "store.json", StoreInfo)
        self.ids = _mapped(path / "tokens.bin", self.info.dtype, self.info.tokens)
        self.starts = _mapped(path / "docs.idx", "uint64", self.info.documents + 1)

    def document(self, index: int) -> np.ndarray:
        """Ids of one document, `bos ... eos`."""
        return self.ids[int(self.starts[index]) : int(self.starts[index + 1])]


def _mapped(path: Path, dtype: str, length: int) -> np.ndarray:
    if not length:
        return np.zeros(0, dtype=dtype)
    try:
        found = np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot map the token store: {error}", where=str(path), mend="run `llemma tokenize` again"
        ) from error
    if len(found) != length:
        raise DataError(
            f"the token store is cut: {len(found)} of {length} entries",
            where=str(path),
            mend="remove the folder and run `llemma tokenize` again",
        )
    return found


def write_store(texts: Iterable[str], tokenizer: Tokenizer, to: Path) -> StoreInfo:
    """Tokenise documents into a store at `to` (whole or not at all); yields nothing to memory but a batch."""
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    size, starts = 0, [0]
    with replacing(to) as folder:
        folder.mkdir(parents=True)
        with open(folder / "tokens.bin", "wb") as out:
            for batch in _batches(texts):
                size += sum(len(text.encode()) for text in batch)
                for ids in tokenizer.encode_documents(batch):
                    out.write(ids.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
                    starts.append(starts[-1] + len(ids))
        np.array(starts, dtype="<u8").tofile(folder / "docs.idx")
        info = StoreInfo(len(starts) - 1, starts[-1], size, dtype, tokenizer.vocab_size, tokenizer.digest)
        write_json(folder / "store.json", info)
    return info


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, BATCH)):
        yield batch
