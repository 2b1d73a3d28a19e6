"""Options of the global pass: chunks, SimHash, splits that are kept, tokens, and any number of workers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from llemma.core import jsonl
from llemma.corpus import layout, shards
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.languages.chunks import CHUNK


def words(seed: int, count: int) -> str:
    return " ".join(random.Random(seed).choices([f"w{number}" for number in range(900)], k=count))


def folder(root: Path, **texts: str) -> Path:
    """A folder of text files."""
    root.mkdir()
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)
    return root


def drops(out: Path, source: str) -> dict[str, str]:
    """Reason by the name of the file that was dropped."""
    ledger = layout.read_ledger(out, source)
    return {Path(line.id).stem: f"{line.step}: {line.reason}" for line in ledger}


def chunk_inputs(tmp_path: Path) -> Path:
    first, second = words(1, 3_000), words(2, 1_500)
    repeating = (words(3, 600)[:CHUNK]) * 3
    return folder(
        tmp_path / "in", a=first, b="x " + first + " " + second, c=first[: 2 * CHUNK] + words(4, 4_000), d=repeating
    )


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("none", {}),
        ("llemma", {"c": "a chunk of an earlier document: in/a.txt", "d": "repeats a chunk of its own"}),
        ("default", {"b": "made of chunks of earlier documents: 0.6"}),
    ],
)
def test_chunks(rule: str, expected: dict[str, str], small: Any, tmp_path: Path) -> None:
    source = SourceConfig("folder", "text", [], {"inputs": [str(chunk_inputs(tmp_path))]})
    section = CorpusConfig({"s": source}, chunk_dedup=rule, validation=0, test=0)
    small.run(section, tmp_path / "out")
    found = drops(tmp_path / "out", "s")
    assert set(found) == set(expected)
    for name, reason in expected.items():
        assert found[name].startswith(f"chunk-duplicate: {reason}")


def test_a_source_may_have_its_own_way_with_chunks(small: Any, tmp_path: Path) -> None:
    inputs = str(chunk_inputs(tmp_path))
    sources = {
        "s": SourceConfig("folder", "text", [], {"inputs": [inputs]}, chunk_dedup="llemma"),
        "other": SourceConfig("folder", "text", [], {"inputs": [str(folder(tmp_path / "more", e=words(1, 2_900)))]}),
    }
    small.run(CorpusConfig(sources), tmp_path / "out")
    assert set(drops(tmp_path / "out", "s")) == {"c", "d"}
    assert drops(tmp_path / "out", "other") == {"e": drops(tmp_path / "out", "other")["e"]}
    assert "near-duplicate" in drops(tmp_path / "out", "other")["e"]  # compared by words, not by chunks


def test_simhash_finds_what_is_nearly_equal(small: Any, tmp_path: Path) -> None:
    base = words(1, 3_000)
    inputs = folder(tmp_path / "in", a=base, b=base + " more", c=words(2, 3_000), d=base.replace(" ", "  "))
    section = CorpusConfig({"s": SourceConfig("folder", "text", [], {"inputs": [str(inputs)]})}, dedup="simhash")
    small.run(section, tmp_path / "out")
    found = drops(tmp_path / "out", "s")
    assert set(found) == {"b", "d"} and "near-duplicate" in found["b"] and "exact-duplicate" in found["d"]


@pytest.mark.slow
def test_documents_keep_the_splits_that_are_published(small: Any, tmp_path: Path) -> None:
    root = tmp_path / "published"
    names = {split: [f"{split}{number}" for number in range(6)] for split in ("train", "validation", "test")}
    for number, (split, some) in enumerate(names.items()):
        rows = [
            {"text": words(10 * number + place, 80) + " " + name, "meta": {"id": name}}
            for place, name in enumerate(some)
        ]
        (root / "arxiv" / split).mkdir(parents=True)
        jsonl.write(root / "arxiv" / split / "a.jsonl.zst", rows)
    options = {"subset": "arxiv", "folder": str(root), "splits": list(names)}
    pinned = SourceConfig("proof-pile-2", "arxiv", [], options, splits="published")
    small.run(CorpusConfig({"p": pinned}), tmp_path / "out")
    for split, some in names.items():
        assert [document.id for document in layout.read_split(tmp_path / "out", "arxiv", split)] == some
    drawn = SourceConfig("proof-pile-2", "arxiv", [], options)
    stats, _ = small.run(CorpusConfig({"p": drawn}, validation=0, test=0), tmp_path / "out")
    assert list(stats.subsets["arxiv"]) == ["train"]


@pytest.mark.slow
def test_the_same_bytes_from_one_process_and_from_three(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_ALONE", 1)
    small.run(small.config(merge_memory=30_000), tmp_path / "one")
    small.run(small.config(workers=3), tmp_path / "three")
    assert small.tree(tmp_path / "one") == small.tree(tmp_path / "three")


def test_tokens_are_counted_by_a_tokenizer_and_estimated_without(small: Any, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    stats, _ = small.run(small.config(), tmp_path / "out")
    assert not stats.tokenizer and stats.kept.tokens == pytest.approx(stats.kept.bytes / 2.4, rel=0.01)
    stats, _ = small.run(small.config(tokenizer=str(tmp_path)), tmp_path / "out")
    rows = [row for subset in stats.subsets for split in stats.subsets[subset]
            for row in layout.read_split(tmp_path / "out", subset, split)]  # fmt: skip
    assert stats.kept.tokens == sum(len(row.text.split()) for row in rows) > 0
    assert sum(count.tokens for count in stats.sources["code"].languages.values()) == stats.sources["code"].kept.tokens


def test_the_card_is_read_by_datasets_and_says_what_is_there(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    stats, _ = small.run(small.config(), out)
    for subset, splits in stats.subsets.items():
        found = datasets.load_dataset(str(out), subset, cache_dir=str(tmp_path / "hf"))
        assert {split: len(rows) for split, rows in found.items()} == {
            name: count.docs for name, count in splits.items()
        }
    text = (out / layout.CARD).read_text()
    assert "| python | 1" in text and "6,098.8" in text  # a language beside the paper's
    assert "UTF-8 text files" in text and "near-duplicate" in text and "licences" in text
