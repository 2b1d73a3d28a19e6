"""Every kind of corpus gives the same documents; what is damaged is named and left out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.files import file_digest, write_json
from llemma.overlap.shards import Damage, Doc, Shard, discover, documents, shard_digest

TEXTS = {"a": "first text", "b": "second é\u2028text\n"}


def read(*paths: Path, tokenizer: Path | None = None) -> list[Doc | Damage]:
    return [doc for shard in discover(paths, tokenizer) for doc in documents(shard)]


@pytest.mark.parametrize("name", ["f.jsonl", "f.jsonl.zst", "f.jsonl.gz", "f.parquet"])
def test_all_formats_give_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    rows = [{"id": id, "text": text} for id, text in TEXTS.items()]
    if name == "f.parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        jsonl.write(path, rows)
    assert read(path) == [Doc(id, text, True) for id, text in TEXTS.items()]
    (shard,) = discover([path])
    assert shard.subset == "f"


def test_a_layout_folder_has_subsets_and_no_ledger(corpus: Path) -> None:
    shards = discover([corpus])
    assert [(shard.name, shard.subset) for shard in shards] == [
        ("code/validation/00000.jsonl.zst", "code"),
        ("web/train/00000.jsonl.zst", "web"),
        ("web/train/00001.jsonl.zst", "web"),
    ]
    assert [shard.subset for shard in discover([corpus / "web"])] == ["web", "web"]
    assert [shard.subset for shard in discover([corpus / "code" / "validation" / "00000.jsonl.zst"])] == ["code"]
    assert [doc.id for doc in read(corpus)] == ["c0", "w0", "w1", "w2"]  # type: ignore[union-attr]
    assert discover([corpus, corpus]) == shards


@pytest.mark.parametrize(
    ("row", "id", "named"),
    [
        ({"id": 12, "text": "x"}, "12", True),
        ({"id": "", "text": "x"}, "f.jsonl:1", False),
        ({"text": "x"}, "f.jsonl:1", False),
        ({"text": "x", "meta": {"id": "m"}}, "m", True),
        ({"text": "x", "meta": '{"id": "m"}'}, "m", True),
        ({"text": "x", "meta": {"url": "u"}}, "f.jsonl:1", False),
        ({"text": "x", "meta": "id but no JSON"}, "f.jsonl:1", False),
        ({"id": "i", "text": "x", "meta": {"id": "m"}}, "i", True),
    ],
)
def test_ids(row: dict[str, object], id: str, named: bool, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(row))
    assert read(path) == [Doc(id, "x", named)]


def test_damaged_rows_are_named_and_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    lines = [
        b'{"id":"a","text":"x"}',
        b"{broken",
        b"",
        b'{"id":"b"}',
        b'{"id":"c","text":5}',
        b"[1]",
        b'{"text":"\xff"}',
    ]
    path.write_bytes(b"\n".join([*lines, b'{"id":"z","text":"y"}']))
    found = read(path)
    assert [doc.id for doc in found if isinstance(doc, Doc)] == ["a", "z"]
    damages = [doc for doc in found if isinstance(doc, Damage)]
    assert [damage.where for damage in damages] == [f"{path} line {n}" for n in (2, 4, 5, 6, 7)]
    assert not any(damage.rest for damage in damages)


def test_half_a_surrogate_pair_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"id":"a","text":"x \\ud800 y \\ud83d\\ude00"}\n')
    assert read(path) == [Doc("a", "x \ufffd y 😀", True)]


def test_a_cut_stream_keeps_what_was_whole(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl.gz"
    rows = b"".join(json.dumps({"id": str(i), "text": f"text {i * 7919}"}).encode() + b"\n" for i in range(3000))
    path.write_bytes(gzip.compress(rows)[:-2000])
    *docs, damage = read(path)
    assert isinstance(damage, Damage) and damage.rest and str(path) in damage.where
    assert len(docs) > 1000 and [doc.id for doc in docs] == [str(i) for i in range(len(docs))]  # type: ignore[union-attr]


def test_a_token_store_is_decoded_by_its_own_tokenizer(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    rust = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "one": 1, "two": 2, "three": 3}, "<s>"))
    rust.add_special_tokens(["<s>"])
    (tmp_path / "tokenizer").mkdir()
    file = tmp_path / "tokenizer" / "tokenizer.json"
    rust.save(str(file))
    store = tmp_path / "tokens" / "web" / "train"
    store.mkdir(parents=True)
    np.array([0, 1, 2, 0, 3], "<u2").tofile(store / "tokens.bin")
    np.array([0, 3, 5], "<u8").tofile(store / "docs.idx")
    facts = {"documents": 2, "tokens": 5, "text_bytes": 9, "dtype": "uint16", "vocab_size": 4}
    write_json(store / "store.json", facts | {"tokenizer_digest": file_digest(file)})
    assert read(tmp_path / "tokens") == [Doc("web/train:0", "one two", True), Doc("web/train:1", "three", True)]
    assert [shard.subset for shard in discover([store])] == ["web"]
    with pytest.raises(MissingError, match="not the tokenizer of this store"):
        discover([store], tokenizer=tmp_path)
    np.array([0, 1], "<u2").tofile(store / "tokens.bin")
    assert read(store) == [Damage(str(store), "the token store is cut", rest=True)]


def test_a_shard_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"id":"a","text":"x"}\n')
    shard = Shard(str(path), "f.jsonl", "f", "jsonl")
    before = shard_digest(shard)
    path.write_text('{"id":"a","text":"y"}\n')
    assert shard_digest(shard) != before


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no corpus"):
        discover([tmp_path / "absent"])
    with pytest.raises(MissingError, match="no corpus in"):
        discover([tmp_path])
    (tmp_path / "f.csv").write_text("a,b")
    with pytest.raises(DataError, match="unknown kind"):
        discover([tmp_path / "f.csv"])
    (tmp_path / "f.parquet").write_bytes(b"no parquet")
    pytest.importorskip("pyarrow")
    (damage,) = read(tmp_path / "f.parquet")
    assert isinstance(damage, Damage) and damage.rest
