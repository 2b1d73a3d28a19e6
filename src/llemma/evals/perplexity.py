"""Bits per byte of a model on texts: what cross-entropy is when tokenisers differ.

bits per byte = sum of nats / ln 2 / UTF-8 bytes, over all documents together (Gao et al. 2020, The Pile, section 3.1).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import msgspec

from llemma.backends.base import Likelihood
from llemma.core.intervals import bootstrap_ratio
from llemma.core.types import Document, Score

MATHEMATICS = "mathematics"
"""The name under which all mathematical subsets together are reported."""

METRIC = "bits_per_byte"


class Passage(msgspec.Struct, frozen=True):
    """The beginning of a document that is scored; `left_out` counts the UTF-8 bytes behind it."""

    subset: str
    document: str
    text: str
    left_out: int = 0


class Scored(msgspec.Struct, frozen=True):
    """A row of `likelihoods.jsonl.zst`: what the model made of a passage; `nats` is None where it is not finite."""

    subset: str
    document: str
    nats: float | None
    tokens: int
    bytes: int
    left_out: int = 0
    error: str = ""


def select(subset: str, documents: Sequence[Document], budget: int, cap: int) -> list[Passage]:
    """Passages of at most `cap` UTF-8 bytes each, `budget` together; the order of `documents` does not matter.

    Documents are taken in the order of a hash of their ids, which has nothing to do with their source or length. The
    last one is cut to what the budget leaves.
    """
    chosen: list[Passage] = []
    for document in sorted(documents, key=lambda document: (_hash(document.id), document.id)):
        if budget <= 0:
            break
        text = truncate(document.text, min(cap, budget))
        if text:
            size = len(text.encode())
            chosen.append(Passage(subset, document.id, text, len(document.text.encode()) - size))
            budget -= size
    return chosen


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def truncate(text: str, size: int) -> str:
    """The longest beginning of `text` of at most `size` UTF-8 bytes that ends between two characters."""
    encoded = text.encode()
    return text if len(encoded) <= size else encoded[:size].decode(errors="ignore")


def scored(passage: Passage, likelihood: Likelihood) -> Scored:
    """Join a passage with its likelihood; one not finite, or of no bytes, is an error and stays out of every sum."""
    sound = math.isfinite(likelihood.nats) and likelihood.bytes > 0
    return Scored(
        subset=passage.subset,
        document=passage.document,
        nats=likelihood.nats if sound else None,
        tokens=likelihood.tokens,
        bytes=likelihood.bytes,
        left_out=passage.left_out,
        error="" if sound else f"{likelihood.nats} nats over {likelihood.bytes} bytes",
    )


def bits_per_byte(subset: str, rows: Sequence[Scored], seed: int = 0) -> Score | None:
    """Sum of bits over sum of bytes, with a bootstrap interval over documents; None when nothing was scored."""
    pairs = [(row.nats / math.log(2), row.bytes) for row in rows if row.nats is not None]
    if not pairs:
        return None
    bits, sizes = [bits for bits, _ in pairs], [float(size) for _, size in pairs]
    low, high = bootstrap_ratio(bits, sizes, seed)
    outcomes = {"scored": len(pairs), "cut": sum(row.left_out > 0 for row in rows), "error": len(rows) - len(pairs)}
    value = math.fsum(bits) / math.fsum(sizes)
    return Score(task=subset, metric=METRIC, value=value, low=low, high=high, n=len(pairs), outcomes=outcomes)


def scores(rows: Sequence[Scored], general: Sequence[str], seed: int = 0) -> list[Score]:
    """One score for each group in order of appearance, and one for all that are not `general` together."""
    subsets = list(dict.fromkeys(row.subset for row in rows))
    found = [bits_per_byte(subset, [row for row in rows if row.subset == subset], seed) for subset in subsets]
    if any(subset not in general for subset in subsets) and MATHEMATICS not in subsets:
        found.append(bits_per_byte(MATHEMATICS, [row for row in rows if row.subset not in general], seed))
    return [score for score in found if score is not None]
