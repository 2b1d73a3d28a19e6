"""A small tokenizer with a chat template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.tokens.tokenizer import Tokenizer, load, train_bpe

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """320 tokens, and ChatML beside them."""
    folder = tmp_path_factory.mktemp("tokenizer") / "it"
    train_bpe([f"{i} plus {i} is {2 * i}. Problem:\n" for i in range(200)], 320, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": CHATML}))
    return load(folder)


@pytest.fixture(scope="session")
def chatml() -> str:
    """The template of the tokenizer."""
    return CHATML


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path
