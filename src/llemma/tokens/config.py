"""Settings of the tokens room."""

from __future__ import annotations

import msgspec

from llemma.core.recipe import Count


class TokenizerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which tokenizer to use: an existing one, or a byte-level BPE trained on the corpus."""

    path: str = ""
    """A folder or file with `tokenizer.json`; empty trains a new one."""
    vocab_size: int = 32_000
    """Size of a new vocabulary, special tokens included."""
    subsets: list[str] = []
    """Subsets of the corpus that a new tokenizer is trained on; empty means all."""
    train_bytes: Count = Count(50_000_000)
    """At most this much text is read for training."""
