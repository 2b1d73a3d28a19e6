"""Duplicates by chunks of 2,048 characters, as the paper removed them, and with the faults mended.

Both take documents one by one, in the corpus' order, and say of each whether it repeats earlier ones.
"""

from __future__ import annotations

import hashlib

import numpy as np

from llemma.corpus.words import Hashes, grams, mixed

CHUNK = 2_048
"""Characters (published) or UTF-8 bytes (default) of a chunk."""
WINDOW = 512
"""One chunk of this many consecutive ones is remembered; any common run of CHUNK + WINDOW - 1 bytes shares one."""
SHARE = 0.5
"""Share of a document's remembered chunks that must have been seen for it to be a copy."""


class PublishedChunks:
    """The paper's way: consecutive chunks counted from the beginning; one that was seen makes the document a copy.

    Faults: a document that repeats a chunk of its own is dropped, and one more character before a copy hides it.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def repeats(self, text: str) -> bool:
        """Whether a full chunk of the text, or a shorter text as a whole, was seen; remembers them."""
        found = False
        for start in range(0, len(text), CHUNK):
            chunk = text[start : start + CHUNK]
            if len(chunk) < CHUNK and start:
                continue
            name = hashlib.sha256(chunk.encode("utf-8", "surrogatepass")).digest()
            found = found or name in self._seen
            self._seen.add(name)
        return found


class Chunks:
    """Chunks wherever they begin, chosen by winnowing (Schleimer, Wilkerson, Aiken 2003), from other documents only.

    Eight bytes a document and for each 256 bytes of text, about, and what a set adds to that.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def repeats(self, text: str) -> bool:
        """Whether at least half of the text's remembered chunks are in earlier texts; remembers them."""
        names = set(fingerprints(text).tolist())
        found = len(names & self._seen) >= SHARE * len(names)
        self._seen |= names
        return found


def fingerprints(text: str) -> Hashes:
    """The chunks of a text that are remembered, each as one number, sorted; at least one."""
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
