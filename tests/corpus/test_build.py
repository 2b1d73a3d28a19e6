"""A build gives the same bytes however it was run, and says where every document went."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llemma.core import registry
from llemma.core.console import Console
from llemma.core.errors import DataError, UsageError
from llemma.core.types import SPLITS, Document
from llemma.corpus import layout
from llemma.corpus.build import build
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.source import Context, Unit


def ledger(out: Path, source: str) -> dict[str, str]:
    return {line.id: line.step for line in layout.read_ledger(out, source)}


def test_every_document_is_kept_or_has_a_reason(small: Any, tmp_path: Path) -> None:
    stats, _ = small.run(small.config(), tmp_path / "out")
    out = tmp_path / "out"
    assert ledger(out, "code") == {
        "b/exact.py": "exact-duplicate",
        "c/near.py": "near-duplicate",
        "d/leak.py": "decontaminate",
        "d/empty.py": "not-empty",
        "d/binary.py": "read",
    }
    reasons = {line.step: line.reason for line in layout.read_ledger(out, "code")}
    assert reasons["exact-duplicate"] == "same words as another document: a/f00.py"
    assert reasons["near-duplicate"].endswith(" a/f00.py")
    assert reasons["decontaminate"] == "shares 30 words with a problem: p1"
    assert 5 < len(ledger(out, "more")) < 35 and set(ledger(out, "more").values()) == {"sample"}
    assert layout.subsets(out) == ["code", "text"]
    kept = {
        subset: [doc for split in SPLITS for doc in layout.read_split(out, subset, split)]
        for subset in ("code", "text")
    }
    assert len(kept["code"]) == 160 and len({document.id for document in kept["code"]}) == 160
    assert {document.source for document in kept["text"]} == {"prose", "more"}
    assert stats.kept.docs == 160 + len(kept["text"])
    assert stats.kept.bytes == sum(len(document.text.encode()) for some in kept.values() for document in some)
    assert stats.dropped == 5 + len(ledger(out, "more"))
    assert stats.sources["code"].dropped["decontaminate"] == {"shares 30 words with a problem": 1}
    assert stats == layout.read_stats(out)
    assert 15 < stats.sources["code"].splits["test"].docs < 55  # its own share
    assert len([name for name in stats.shards if name.startswith("code/train/")]) > 1


@pytest.mark.slow
def test_the_same_bytes_with_one_or_two_workers(small: Any, tmp_path: Path) -> None:
    small.run(small.config(), tmp_path / "one")
    small.run(small.config(), tmp_path / "two", workers=2)
    assert small.tree(tmp_path / "one") == small.tree(tmp_path / "two")


def test_a_second_run_does_nothing_and_a_changed_input_only_itself(small: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small.run(small.config(), out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.zst")}
    _, said = small.run(small.config(), out)
    assert "read" not in said
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*.zst")}
    units = {path.name for path in (out / ".staging/units").iterdir()}
    (small.inputs / "b/f01.py").write_text("something new in this file\n")
    _, said = small.run(small.config(), out)
    assert "read: 1 unit" in said
    changed = {path.name for path in (out / ".staging/units").iterdir()}
    assert len(changed) == len(units) and len(changed - units) == 1
    small.run(small.config(), tmp_path / "fresh")
    assert small.tree(out) == small.tree(tmp_path / "fresh")


@pytest.mark.parametrize(
    "change",
    [
        {"dedup_threshold": 0.99},
        {"validation": 0.3},
        {"shard_bytes": 10_000},
        {"decontaminate_ngram": 45},
    ],
)
@pytest.mark.slow
def test_a_changed_recipe_gives_what_a_fresh_build_gives(change: dict[str, Any], small: Any, tmp_path: Path) -> None:
    small.run(small.config(), tmp_path / "out")
    before = small.tree(tmp_path / "out")
    small.run(small.config(**change), tmp_path / "out")
    small.run(small.config(**change), tmp_path / "fresh")
    assert small.tree(tmp_path / "out") == small.tree(tmp_path / "fresh") != before


def test_a_subset_that_is_gone_leaves_nothing_behind(small: Any, tmp_path: Path) -> None:
    small.run(small.config(), tmp_path / "out")
    sources = {"code": small.config().sources["code"]}
    small.run(small.config(sources=sources), tmp_path / "out")
    assert not (tmp_path / "out/text").exists()
    assert sorted(path.name for path in (tmp_path / "out/dropped").iterdir()) == ["code.jsonl.zst"]


@pytest.mark.parametrize("damage", ["cut", "remove"])
def test_damage_to_the_corpus_is_mended_by_the_same_command(damage: str, small: Any, tmp_path: Path) -> None:
    small.run(small.config(), tmp_path / "out")
    before = small.tree(tmp_path / "out")
    shard = tmp_path / "out/code/train/00000.jsonl.zst"
    shard.write_bytes(shard.read_bytes()[:-100]) if damage == "cut" else shard.unlink()
    if damage == "cut":
        with pytest.raises(DataError) as caught:
            list(layout.read_split(tmp_path / "out", "code", "train"))
        assert str(shard) in caught.value.where and "line" in caught.value.where
    small.run(small.config(), tmp_path / "out")
    assert small.tree(tmp_path / "out") == before


def units_read(said: str) -> int:
    """How many units a build says that it read."""
    found = re.search(r"read: (\d+) unit", said)
    return int(found[1]) if found else 0


def test_a_changed_rule_reads_only_the_sources_it_touches(small: Any, tmp_path: Path) -> None:
    out, plain = tmp_path / "out", small.config()
    assert units_read(small.run(plain, out)[1]) == 6
    prose = msgspec.structs.replace(plain.sources["prose"], steps=["not-empty", "size"])
    steps = {**plain.sources, "prose": prose}
    assert units_read(small.run(small.config(sources=steps), out)[1]) == 1
    options = {**steps, "prose": msgspec.structs.replace(prose, options={**prose.options, "exclude": ["f00.*"]})}
    assert units_read(small.run(small.config(sources=options), out)[1]) == 1
    subset = {**options, "prose": msgspec.structs.replace(options["prose"], subset="elsewhere", validation=0.5)}
    assert units_read(small.run(small.config(sources=subset), out)[1]) == 0
    small.run(small.config(sources=subset), tmp_path / "fresh")
    assert small.tree(out) == small.tree(tmp_path / "fresh")


PLUGINS = {
    "shout": "def step(document):\n    return replace(document, text=document.text + {end!r})\n"
    "register('step', 'shout', step)\n",
    "whisper": "import functools\ndef said(end, document):\n    return replace(document, text=end + document.text)\n"
    "register('step', 'whisper', functools.partial(said, {end!r}))\n",
}


@pytest.mark.slow
def test_a_changed_plugin_reads_only_the_sources_that_use_it(small: Any, tmp_path: Path) -> None:
    """A partial does not say which file it comes from: then all of them count, and nothing old is taken for new."""
    sources = small.config().sources
    for name, step in (("prose", "shout"), ("more", "whisper")):
        sources[name] = msgspec.structs.replace(sources[name], steps=[step])

    def read(**ends: str) -> int:
        for name, end in ends.items():
            head = "from msgspec.structs import replace\nfrom llemma.core.registry import register\n"
            (tmp_path / f"{name}.py").write_text(head + PLUGINS[name].format(end=end))
            registry.load_plugin(tmp_path / f"{name}.py")
        found = units_read(small.run(small.config(sources=sources), tmp_path / "out")[1])
        small.run(small.config(sources=sources), tmp_path / "fresh", workers=2)
        assert small.tree(tmp_path / "out") == small.tree(tmp_path / "fresh")
        return found

    assert read(shout="!", whisper="psst ") == 6
    assert read(whisper="hush ") == 1
    assert read(shout="?") == 2


def test_datasets_reads_the_rows(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    registry.register("source", "test-odd", Odd)
    sources = {**small.config().sources, "odd": SourceConfig("test-odd", "text")}
    stats, _ = small.run(small.config(sources=sources), tmp_path / "out")
    files = {"train": f"{tmp_path}/out/text/train/*.jsonl.zst"}
    # Types are inferred a chunk at a time; small chunks are the hard case that a large corpus is.
    found = datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path / "hf"), chunksize=3_000)["train"]
    expected = list(layout.read_split(tmp_path / "out", "text", "train"))
    assert len(found) == stats.subsets["text"]["train"].docs == len(expected)
    assert [row["text"] for row in found] == [document.text for document in expected]
    for row, document in zip(found, expected, strict=True):
        assert row["meta"] == {"id": document.id, "source": document.source, **document.meta}


def test_meta_has_one_type_a_key(small: Any, tmp_path: Path) -> None:
    registry.register("source", "test-odd", Odd)
    small.run(CorpusConfig({"odd": SourceConfig("test-odd", "text")}, workers=1), tmp_path / "out")
    metas = [document.meta for document in layout.read_split(tmp_path / "out", "text", "train")]
    assert len(metas) >= 20
    kinds = {"score": float, "year": int, "mixed": str, "nested": str, "tags": str}
    assert all({key: type(value) for key, value in meta.items()} == kinds for meta in metas)
    assert {meta["mixed"] for meta in metas} == {"", "1", "x"}
    assert {meta["tags"] for meta in metas} == {"", '["a"]'}


class Odd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Documents whose meta has other keys and types from row to row."""

    def units(self, context: Context) -> list[Unit]:
        return [Unit("odd", "", "1")]

    def read(self, unit: Unit, source: str) -> Any:
        facts: list[dict[str, Any]] = [
            {"score": 1},
            {"score": 0.5, "mixed": 1},
            {"score": 2, "mixed": "x"},
            {"score": 3, "nested": {"a": [1]}, "mixed": None},
            {"score": 4, "tags": ["a"]},
        ]
        for number in range(30):
            yield Document(f"odd/{number}", f"text number {number} is odd", source, {"year": 1999, **facts[number % 5]})


def test_only_and_limit(small: Any, tmp_path: Path) -> None:
    stats, _ = small.run(small.config(), tmp_path / "out", only=["code", "prose"], limit=7)
    assert {name: source.kept.docs for name, source in stats.sources.items()} == {"code": 7, "prose": 7}
    with pytest.raises(UsageError, match="no source 'cod'"):
        small.run(small.config(), tmp_path / "out", only=["cod"])


def test_a_repeated_id_is_dropped(small: Any, tmp_path: Path) -> None:
    sources = {
        "one": SourceConfig("folder", "text", [], {"inputs": [f"{small.inputs}/prose", f"{small.inputs}/prose"]})
    }
    stats, _ = small.run(small.config(sources=sources), tmp_path / "out")
    assert stats.kept.docs == 40
    assert stats.sources["one"].dropped == {"unique-id": {"a document with this id came before": 40}}


def test_what_a_recipe_protects_comes_in_through_no_source(tmp_path: Path, console: Console) -> None:
    problem = "a farmer has three fields with twelve rows of nine cabbages each and sells a third of all she grew"
    (tmp_path / "tests.jsonl").write_text(
        json.dumps({"id": "p", "problem": problem, "answer": "108"})
        + "\n"
        + json.dumps({"id": "t", "statement": "Theorem held : forall n : nat, n + 0 = 0 + n.", "header": ""})
    )
    for name, text in {"a.txt": f"Listen: {problem} and so on.", "b.txt": "Of other things we speak today."}.items():
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "one" / name).write_text(text)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "c.v").write_text(
        "Lemma mine : 1 = 1. Proof. reflexivity. Qed.\n\n"
        "Theorem other (m : nat) : m + 0 = 0 + m. Proof. lia. Qed.\n\n"
        "Theorem held : forall  k : nat, k + 0 = 0 + k.\nProof. intros. lia.\n\nQed.\n"
    )
    sources = {
        name: SourceConfig("folder", name, options={"inputs": [str(tmp_path / name)]}) for name in ("one", "two")
    }
    config = CorpusConfig(sources, validation=0.0, test=0.0, protect=[str(tmp_path / "tests.jsonl")], workers=1)
    out = tmp_path / "out"
    build(config, out, cache=tmp_path / "cache", console=console)
    kept = {document.id: document.text for name in sources for document in layout.read_split(out, name, "train")}
    assert list(kept) == ["one/b.txt", "two/c.v"]
    assert "mine" in kept["two/c.v"] and "held" not in kept["two/c.v"] and "intros. lia" not in kept["two/c.v"]
    assert "one/a.txt" in ledger(out, "one") and any("held" in name for name in ledger(out, "two"))
