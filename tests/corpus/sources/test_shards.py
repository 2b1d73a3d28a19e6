"""Shards of rows, on disk and on a hub: each is a document or a line of the ledger; the published corpus reads back."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.core.types import Document, Dropped
from llemma.corpus.check import open_sources
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.source import Context
from llemma.corpus.sources.proofpile import ProofPile, shard_language
from llemma.corpus.sources.stack import Stack

_spec = importlib.util.spec_from_file_location("loopback_hub", Path(__file__).parents[2] / "evals" / "hub.py")
assert _spec is not None and _spec.loader is not None
hub = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hub)

ROWS: list[dict[str, Any]] = [
    {
        "content": "import numpy\r\n",
        "lang": "Python",
        "hexsha": "aa",
        "max_stars_repo_path": "a/b.py",
        "max_stars_repo_name": None,
    },
    {"content": "x <- 1\n", "lang": "R", "hexsha": "bb", "max_stars_repo_path": "c.r", "max_stars_repo_name": "o/n"},
    {"content": None, "lang": "R", "hexsha": "cc", "max_stars_repo_path": "d.r"},
    {"content": "a\0b", "lang": "C++", "hexsha": "dd", "max_stars_repo_path": "d.cpp"},
]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(rows: list[dict[str, Any]], size: int = 2) -> bytes:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=size)
    return out.getvalue()


def read(source: Stack | ProofPile, context: Context) -> list[Document | Dropped]:
    return [item for unit in source.units(context) for item in source.read(unit, "s")]


PACKS = {
    "a.jsonl": lines,
    "a.jsonl.gz": lambda rows: gzip.compress(lines(rows)),
    "a.jsonl.zst": lambda rows: zstandard.ZstdCompressor().compress(lines(rows)),
    "a.parquet": parquet,
}


@pytest.mark.parametrize("name", PACKS)
def test_every_row_is_a_document_or_a_reason(name: str, tmp_path: Path, context: Context) -> None:
    (tmp_path / name).write_bytes(PACKS[name](ROWS))
    assert read(Stack([str(tmp_path / "a*")]), context) == [
        Document("s/aa", "import numpy\n", "s", {"path": "a/b.py", "language": "python"}),
        Document("s/bb", "x <- 1\n", "s", {"repo": "o/n", "path": "c.r", "language": "r"}),
        Dropped("s/cc", "s", "read", "no text in this row"),
        Dropped("s/dd", "s", "read", "not text: has zero bytes"),
    ]


def test_columns_languages_and_paths_are_chosen(tmp_path: Path, context: Context) -> None:
    rows = [{"code": "a", "file": "x/a.v", "stars": 3}, {"code": "b", "file": "y/b.v", "stars": 4}]
    (tmp_path / "a.jsonl").write_bytes(lines(rows))
    columns = {"text": "code", "path": "file", "stars": "stars"}
    source = Stack([str(tmp_path / "a.jsonl")], columns=columns, language="coq", exclude=["x/**"])
    assert read(source, context) == [
        Document("a.jsonl#2", "b", "s", {"stars": 4, "path": "y/b.v", "language": "coq"}),
    ]
    (tmp_path / "b.jsonl").write_bytes(lines(ROWS))
    chosen = Stack([str(tmp_path / "b.jsonl")], languages=["Python"])
    assert [item.id for item in read(chosen, context)] == ["s/aa"]


def test_without_a_language_the_file_is_asked(tmp_path: Path, context: Context) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines([{"content": "module m(input a);\nendmodule\n", "path": "m.v"}]))
    (document,) = read(Stack([str(tmp_path / "a.jsonl")]), context)
    assert isinstance(document, Document) and document.meta["language"] == "verilog"


def test_a_damaged_row_is_told_and_a_damaged_shard_ends_with_its_damage(tmp_path: Path, context: Context) -> None:
    good = lines(ROWS[:1])
    (tmp_path / "rows.jsonl").write_bytes(good + b"{broken\n[1]\n" + good.replace(b"aa", b"ee"))
    found = read(Stack([str(tmp_path / "rows.jsonl")]), context)
    assert [item.id for item in found] == ["s/aa", "rows.jsonl#2", "rows.jsonl#3", "s/ee"]
    assert [item.reason.partition(":")[0] for item in found if isinstance(item, Dropped)] == ["damaged row"] * 2
    packed = zstandard.ZstdCompressor().compress(lines([{**ROWS[0], "hexsha": str(n)} for n in range(9_000)]))
    (tmp_path / "cut.jsonl.zst").write_bytes(packed[: len(packed) // 2])
    *_, last = read(Stack([str(tmp_path / "cut.jsonl.zst")]), context)
    assert isinstance(last, Dropped) and last.reason.startswith("damaged archive: ")
    frames = b"".join(zstandard.ZstdCompressor().compress(lines([{**ROWS[0], "hexsha": str(n)}])) for n in range(50))
    (tmp_path / "frames.jsonl.zst").write_bytes(frames)
    assert [item.id for item in read(Stack([str(tmp_path / "frames*")]), context)] == [f"s/{n}" for n in range(50)]


@pytest.mark.parametrize("cut", [20, -20])
def test_damaged_parquet_is_told(cut: int, tmp_path: Path, context: Context) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(ROWS)[:cut])
    (item,) = read(Stack([str(tmp_path / "a.parquet")]), context)
    assert isinstance(item, Dropped) and item.reason.startswith("damaged archive: ")


def test_what_is_missing_or_wrong_is_said(tmp_path: Path, context: Context) -> None:
    with pytest.raises(MissingError, match="no such shard"):
        read(Stack([str(tmp_path / "none-*.parquet")]), context)
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(DataError, match=r"not a shard: a\.csv"):
        read(Stack([str(tmp_path / "a.csv")]), context)
    for options in ({}, {"inputs": ["a"], "repo": "b"}):
        config = CorpusConfig({"code": SourceConfig("stack", "code", options=options)})
        with pytest.raises(RecipeError, match="either `inputs` or `repo`"):
            open_sources(config)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub but the one a test serves."""
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def test_shards_of_the_hub_are_fetched_one_by_one_when_read(
    offline: None, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    files = {
        "data/lean/train-0.jsonl": lines([{"content": "theorem a", "hexsha": "1", "lang": "Lean"}]),
        "data/lean/train-1.jsonl": lines([{"content": "theorem b", "hexsha": "2", "lang": "Lean"}]),
        "data/r/train-0.jsonl": lines(ROWS),
        "README.md": b"x",
    }
    with hub.serving({"o/stack": {hub.MAIN: files}}) as (endpoint, asked):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        source = Stack(repo="o/stack", files=["data/lean/*"], keep_shards=False)
        units = source.units(context)
        assert [unit.name for unit in units] == ["data/lean/train-0.jsonl", "data/lean/train-1.jsonl"]
        assert not any("resolve" in line for line in asked)
        (document,) = source.read(units[1], "s")
        assert isinstance(document, Document) and (document.text, document.meta["dialect"]) == ("theorem b", "lean4")
        assert not Path(units[1].path).exists()
        kept = Stack(repo="o/stack", files=["data/lean/*"])
        assert len(list(kept.read(units[0], "s"))) == 1
        count = len(asked)
        assert Path(units[0].path).is_file() and len(list(kept.read(units[0], "s"))) == 1 and len(asked) == count
        with pytest.raises(MissingError, match="has no file like"):
            Stack(repo="o/stack", files=["data/agda/*"]).units(context)
        with pytest.raises(MissingError, match="cannot read 'o/none'"):
            Stack(repo="o/none").units(context)


def test_without_a_network_the_error_says_what_to_do(offline: None, context: Context) -> None:
    with pytest.raises(MissingError, match="cannot read 'bigcode/the-stack-dedup'") as caught:
        Stack(repo="bigcode/the-stack-dedup").units(context)
    assert "HF_TOKEN" in caught.value.mend and caught.value.where == "http://127.0.0.1:9"


PILE = {
    "algebraic-stack/train/github-coq-train-0000.jsonl.zst": [
        {"text": "Qed.\n", "meta": {"path": "a.v", "repo": "o/n", "sha": "1"}},
        {"text": "x", "meta": json.dumps({"lang": "Agda", "size": 1})},
    ],
    "algebraic-stack/validation/agda-validation.jsonl.zst": [{"text": "y", "meta": {}}],
    "arxiv/train/0000.jsonl.zst": [{"text": "z", "meta": {"id": "2001.00001"}}, {"meta": {}}],
}


def packed(rows: list[dict[str, Any]]) -> bytes:
    return zstandard.ZstdCompressor().compress(lines(rows))


def test_the_published_corpus_is_a_source(tmp_path: Path, context: Context) -> None:
    for name, rows in PILE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(packed(rows))
    stack = ProofPile("algebraic-stack", str(tmp_path), splits=["train", "validation"])
    first, second, third = read(stack, context)
    assert isinstance(first, Document) and isinstance(second, Document) and isinstance(third, Document)
    assert first.id == "proof-pile-2/algebraic-stack/train/github-coq-train-0000#1"
    assert first.meta == {"repo": "o/n", "sha": "1", "published_split": "train", "path": "a.v", "language": "coq"}
    assert (second.meta["language"], second.meta["size"]) == ("agda", 1)
    assert (third.meta["language"], third.meta["published_split"]) == ("agda", "validation")
    paper, dropped = read(ProofPile("arxiv", str(tmp_path)), context)
    assert paper.id == "2001.00001" and isinstance(dropped, Dropped)
    with pytest.raises(MissingError, match="no shard of open-web-math/train"):
        read(ProofPile("open-web-math", str(tmp_path)), context)


def test_the_published_corpus_on_a_hub(offline: None, monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    files = {name: packed(rows) for name, rows in PILE.items()}
    with hub.serving({"EleutherAI/proof-pile-2": {hub.MAIN: files}}) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        found = read(ProofPile("algebraic-stack", files=["*coq*"]), context)
    assert [item.id.rpartition("/")[2] for item in found] == ["github-coq-train-0000#1", "github-coq-train-0000#2"]


@pytest.mark.parametrize(
    ("shard", "language"),
    [
        ("github-lean-train-0001", "lean"),
        ("github-MATLAB-train-0000", "matlab"),
        ("jupyter-notebook0003", "jupyter"),
        ("agda0000", "agda"),
        ("r-validation", "r"),
        ("lean_proofsteps", "lean"),
        ("00012", ""),
        ("arXiv_000", ""),
    ],
)
def test_languages_in_the_names_of_shards(shard: str, language: str) -> None:
    assert shard_language(shard) == language
