"""Token stores: ids of all documents in one flat file, read by memory map.

tokens.bin   ids, uint16 or uint32 little endian, documents one after the other
docs.idx     start of each document and the end of the last, uint64 little endian
store.json   StoreInfo
answers.bin  only where not all tokens are learned: one byte an id, 1 where its prediction counts in the loss
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from llemma.core.errors import DataError
from llemma.core.files import read_json, replacing, write_json
from llemma.tokens.tokenizer import Tokenizer

BATCH = 256


class StoreInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """`store.json`. `text_bytes` is the UTF-8 size of the text behind the tokens; `answers` counts the tokens that are
    learned, None where all are."""

    documents: int
    tokens: int
    text_bytes: int
    dtype: Literal["uint16", "uint32"]
    vocab_size: int
    tokenizer_digest: str
    answers: int | None = None


class Encoded(NamedTuple):
    """A document as it is stored: ids, the UTF-8 size of its text, and which ids are learned (None: all)."""

    ids: np.ndarray
    bytes: int
    answers: np.ndarray | None = None


class Store:
    """An open store: `ids` (tokens,), `starts` (documents + 1,) and, where not all tokens are learned, `answers`
    (tokens,) of 0 and 1; all mapped, not loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = read_json(path / "store.json", StoreInfo)
        self.ids = _mapped(path / "tokens.bin", self.info.dtype, self.info.tokens)
        self.starts = _mapped(path / "docs.idx", "uint64", self.info.documents + 1)
        labelled = self.info.answers is not None
        self.answers = _mapped(path / "answers.bin", "uint8", self.info.tokens) if labelled else None

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
    return write_encoded(_encoded(texts, tokenizer), tokenizer, to, answers=False)


def _encoded(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[Encoded]:
    for batch in _batches(texts):
        for text, ids in zip(batch, tokenizer.encode_documents(batch), strict=True):
            yield Encoded(ids, len(text.encode()))


def write_encoded(documents: Iterable[Encoded], tokenizer: Tokenizer, to: Path, *, answers: bool) -> StoreInfo:
    """Write documents that are tokenised into a store at `to`, whole or not at all; `answers`: only what each of them
    marks as an answer is learned."""
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    size, learned, starts = 0, 0, [0]
    with replacing(to) as folder, ExitStack() as files:
        folder.mkdir(parents=True)
        out = files.enter_context(open(folder / "tokens.bin", "wb"))
        marks = files.enter_context(open(folder / "answers.bin", "wb")) if answers else None
        for document in documents:
            out.write(document.ids.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
            starts.append(starts[-1] + len(document.ids))
            size += document.bytes
            if marks is not None:
                assert document.answers is not None and len(document.answers) == len(document.ids)
                marks.write(document.answers.astype(np.uint8).tobytes())
                learned += int(document.answers.sum())
        files.close()
        np.array(starts, dtype="<u8").tofile(folder / "docs.idx")
        info = StoreInfo(
            documents=len(starts) - 1,
            tokens=starts[-1],
            text_bytes=size,
            dtype=dtype,
            vocab_size=tokenizer.vocab_size,
            tokenizer_digest=tokenizer.digest,
            answers=learned if answers else None,
        )
        write_json(folder / "store.json", info)
    return info


def subsample(store: Store, to: Path, tokens: int, seed: int) -> StoreInfo:
    """Write the store of some documents of `store`, drawn at random, that hold `tokens` tokens (the last one is cut to
    fit) to the folder `to`; all of them where there are no more."""
    chosen = np.random.default_rng(seed).permutation(store.info.documents)
    lengths = np.diff(store.starts.astype(np.int64))[chosen]
    ends = np.minimum(np.cumsum(lengths), tokens)
    kept = np.diff(ends, prepend=0)
    rate, labelled = store.info.text_bytes / max(1, store.info.tokens), store.answers
    size = round(int(ends[-1]) * rate) if len(ends) else 0
    learned = 0
    with replacing(to) as folder:
        folder.mkdir(parents=True)
        with open(folder / "tokens.bin", "wb") as out, open(folder / "answers.bin", "wb") as marks:
            for index, length in zip(chosen[kept > 0], kept[kept > 0], strict=True):
                start = int(store.starts[index])
                out.write(store.ids[start : start + length].tobytes())
                if labelled is not None:
                    marks.write(labelled[start : start + length].tobytes())
                    learned += int(labelled[start : start + length].sum())
        if labelled is None:
            (folder / "answers.bin").unlink()
        starts = np.concatenate([[0], np.cumsum(kept[kept > 0])]).astype("<u8")
        starts.tofile(folder / "docs.idx")
        info = msgspec.structs.replace(
            store.info,
            documents=len(starts) - 1,
            tokens=int(starts[-1]),
            text_bytes=size,
            answers=None if labelled is None else learned,
        )
        write_json(folder / "store.json", info)
    return info


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, BATCH)):
        yield batch
