"""A tiny Llama with random weights, saved as our own training saves one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens import tokenizer as tokenizers

TEXT = "what is two plus two? four. Problem: solution"
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}

Save = Callable[..., Path]


def save(to: Path, text: str = TEXT, **sizes: Any) -> Path:
    """Train a tokenizer on `text`, draw the weights of a model of these sizes and write both to the folder `to`."""
    vocabulary = to.parent / "tokenizer"
    tokenizers.train_bpe([text] * 10, 300, vocabulary)
    found = tokenizers.load(vocabulary)
    config = LlamaConfig(vocab_size=found.vocab_size, **{**SIZES, "num_key_value_heads": 1, **sizes})
    weights.save(Llama(config).init_weights(1), to, tokenizer=vocabulary, bos=found.bos, eos=found.eos)
    return to


@pytest.fixture(scope="session")
def saved() -> Save:
    return save
