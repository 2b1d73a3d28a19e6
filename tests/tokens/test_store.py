"""Stores give back what was written, and say when they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llemma.core.errors import DataError, MissingError
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import Tokenizer, load, train_bpe

TEXTS = ["def f(x): return x + 1\n", "the sum of 12 and 345 is 357", "naïve café ∑ ∫ \U0001f600\n\n\ttabs  spaces"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer") / "t"
    train_bpe(TEXTS * 20, 400, folder)
    return load(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60).filter(lambda text: "<s>" not in text and "</s>" not in text))
def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("2024")
    assert [tokenizer.decode([i]) for i in ids] == ["2", "0", "2", "4"]


def test_transformers_reads_the_same_tokenizer(tokenizer: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    other = transformers.AutoTokenizer.from_pretrained(tokenizer.path.parent)
    for text in TEXTS:
        assert other(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text)
    assert (other.bos_token_id, other.eos_token_id) == (tokenizer.bos, tokenizer.eos)


def test_documents_come_back(tokenizer: Tokenizer, tmp_path: Path) -> None:
    texts = [*TEXTS, "", *[f"document {i} " * (i % 7) for i in range(600)]]
    info = write_store(iter(texts), tokenizer, tmp_path / "s")
    store = Store(tmp_path / "s")
    assert info.documents == len(texts) and info.text_bytes == sum(len(text.encode()) for text in texts)
    for index, text in enumerate(texts):
        ids = store.document(index)
        assert (ids[0], ids[-1]) == (tokenizer.bos, tokenizer.eos)
        assert tokenizer.decode([int(i) for i in ids[1:-1]]) == text
    assert store.ids.dtype == np.dtype("<u2")


def test_an_empty_store_is_a_store(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert write_store([], tokenizer, tmp_path / "s").tokens == 0
    assert len(Store(tmp_path / "s").ids) == 0


def test_a_cut_store_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write_store(TEXTS, tokenizer, tmp_path / "s")
    path = tmp_path / "s" / "tokens.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match="cut"):
        Store(tmp_path / "s")


def test_no_tokenizer_and_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="damaged tokenizer"):
        load(tmp_path)
