"""Duplicates by chunks of 2,048 characters, as the paper removed them, and with the faults mended.

A rule names a text's chunks by numbers; `copies.chunk_copies` goes through the corpus in order and says which documents
are made of chunks that earlier ones have.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import xxhash

from llemma.corpus.words import Hashes, grams, mixed

CHUNK = 2_048
"""Characters (published) or UTF-8 bytes (default) of a chunk."""
WINDOW = 512
"""One chunk of this many consecutive ones is remembered; any common run of CHUNK + WINDOW - 1 bytes shares one."""
SHARE = 0.5
"""Share of a document's remembered chunks that must have been seen for it to be a copy."""


class ChunkRule(msgspec.Struct, frozen=True):
    """`chunks(text)` are the numbers of a text's chunks, and whether one of them repeats within the text.

    A document is a copy when so large a `share` of its chunks was seen before; 0 stands for any chunk. A rule that
    `remembers_dropped` counts the chunks of documents that are no longer in the corpus, and drops what repeats itself.
    """

    name: str
    chunks: Callable[[str], tuple[Hashes, bool]]
    share: float
    remembers_dropped: bool


def published_chunks(text: str) -> tuple[Hashes, bool]:
    """The paper's chunks: consecutive full ones counted from the beginning, or a shorter text as a whole.

    Faults: a document that repeats a chunk of its own is dropped, and one more character before a copy hides it.
    """
    starts = range(0, max(1, len(text) - CHUNK + 1), CHUNK)
    chunks = (text[start : start + CHUNK].encode("utf-8", "surrogatepass") for start in starts)
    numbers = np.fromiter(map(xxhash.xxh3_64_intdigest, chunks), np.uint64, len(starts))
    names = np.unique(numbers)
    return names, len(names) < len(numbers)


def fingerprints(text: str) -> Hashes:
    """The chunks of a text that are remembered, each as one number, sorted; at least one.

    Chunks begin anywhere and are chosen by winnowing (Schleimer, Wilkerson, Aiken 2003): one for 256 bytes, about.
    """
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    letters = mixed(data.astype(np.uint64) + np.uint64(1))
    numbers = mixed(grams(letters, min(CHUNK, len(data)))) if len(data) else np.zeros(1, np.uint64)
    return np.unique(_least(numbers))


def _least(numbers: Hashes) -> Hashes:
    """The least of each window of `WINDOW` numbers, from running minima of blocks forwards and backwards."""
    count = len(numbers) - WINDOW + 1
    if count <= 1:
        least: Hashes = numbers.min(keepdims=True)
        return least
    padded = np.full(-(-len(numbers) // WINDOW) * WINDOW, np.iinfo(np.uint64).max, np.uint64)
    padded[: len(numbers)] = numbers
    blocks = padded.reshape(-1, WINDOW)
    forwards = np.minimum.accumulate(blocks, axis=1).ravel()
    backwards = np.minimum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.minimum(backwards[:count], forwards[WINDOW - 1 : WINDOW - 1 + count])


RULES = {
    "llemma": ChunkRule("llemma", published_chunks, 0.0, True),
    "default": ChunkRule("default", lambda text: (fingerprints(text), False), SHARE, False),
}
"""The rules by the names that recipes give them; `none` stands for no rule."""
