"""A text as the set of its words and pairs of neighbouring words, each by number: what the score is linear in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llemma.corpus.web.quality.prose import GAP, words_and_gaps
from llemma.corpus.words import grams, mixed, word_hashes

Buckets = NDArray[np.int64]

_GAP_HASH = word_hashes([GAP])[0]


def buckets(text: str, size: int) -> Buckets:
    """Distinct numbers below `size` (a power of two), sorted; shape `(n,)`, empty for a text without words.

    Formulas, code and addresses give no number and part the words around them: the score judges what is said, not
    that dollars or backslashes are there. Two words or pairs may share a number; with 2^18 of them few that matter do.
    """
    hashes = word_hashes(words_and_gaps(text))
    gap = hashes == _GAP_HASH
    pairs = grams(hashes, 2)[~(gap[:-1] | gap[1:])]
    numbers = mixed(np.concatenate([hashes[~gap], pairs])) & np.uint64(size - 1)
    present = np.zeros(size, bool)  # cheaper than sorting, from a few hundred words on
    present[numbers.astype(np.int64)] = True
    return np.flatnonzero(present)
