"""The command from end to end: rows, contexts, tables, resumption."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llemma.cli.main import run as llemma
from llemma.core import jsonl
from llemma.core.files import read_json
from llemma.overlap import find
from llemma.overlap.study import parse_lengths
from llemma.overlap.tables import Summary


def rows(path: Path) -> list[dict[str, Any]]:
    return list(jsonl.read(path, dict))


def summary(out: Path) -> Summary:
    return read_json(out.with_name(out.name.replace(".jsonl", ".summary.json")), Summary)


def overlap(corpus: Path, items: Path, out: Path, *more: str) -> int:
    return llemma(["overlap", str(corpus), "-t", str(items), "--out", str(out), "-q", *more])


def test_the_rows_are_the_contract(corpus: Path, items: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.jsonl"
    assert overlap(corpus, items, out, "--ngram", "10") == 0
    assert rows(out) == [
        {"document": "c0", "item": "7", "ngram": "jumps over the lazy dog and runs home to sleep"},
        {"document": "w0", "item": "a", "ngram": "the quick brown fox jumps over the lazy dog and"},
        {"document": "w2", "item": "a", "ngram": "the quick brown fox jumps over the lazy dog and"},
        {"document": "w2", "item": "7", "ngram": "jumps over the lazy dog and runs home to sleep"},
    ]
    told = summary(out)
    assert [(row.items, row.short) for row in told.coverage] == [(3, 1)]
    assert [(row.subset, row.items, row.documents, row.pairs) for row in told.unique] == [
        ("code", 1, 1, 1),
        ("web", 2, 2, 3),
    ]
    assert told.documents == 4 and told.unnamed == told.damaged == 0 and told.subsets == {"code": 1, "web": 3}


def test_without_anything_said_n_is_thirty(corpus: Path, items: Path, tmp_path: Path) -> None:
    assert overlap(corpus, items, tmp_path / "h.jsonl") == 0
    assert rows(tmp_path / "h.jsonl") == []
    assert [(row.n, row.short) for row in summary(tmp_path / "h.jsonl").coverage] == [(30, 3)]


def test_several_lengths_are_told_by_n_and_are_those_of_find(corpus: Path, items: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.jsonl"
    assert overlap(corpus, items, out, "--ngram", "11,full,4", "--contexts", "3") == 0
    texts = {"c0": "code/validation/00000", "w0": "web/train/00000", "w2": "web/train/00001"}
    documents = [
        (row["meta"]["id"], row["text"])
        for name in dict.fromkeys(texts.values())
        for row in rows(corpus / f"{name}.jsonl.zst")
    ]
    named = [(str(row["id"]), row["text"]) for row in rows(items)]
    hits = list(find(documents, named, [11, "full", 4], context=3))
    assert rows(out) == [{"document": h.document, "item": h.item, "ngram": h.ngram, "n": h.n} for h in hits]
    contexts = rows(tmp_path / "h.contexts.jsonl")
    assert [(row["before"], row["after"], row["shared"]) for row in contexts] == [
        (hit.before, hit.after, hit.shared) for hit in hits
    ]
    assert {(row["kind"], row["problem"]) for row in contexts} == {("row", "a"), ("row", "7"), ("row", "short")}
    assert {row["document"]: row["subset"] for row in contexts} == {"c0": "code", "w0": "web", "w2": "web"}


def test_a_run_is_parted_by_its_hits(
    corpus: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "h.jsonl"
    arguments = ["overlap", str(corpus), "--run", str(run), "--ngram", "9", "--out", str(out), "-q"]
    assert llemma([*arguments, "--of", "problem,solution,completion"]) == 0
    told = summary(out)
    problems = [row for row in told.accuracy if row.kind == "problem"]
    assert [(row.level, row.hits.right, row.hits.n, row.rest.right, row.rest.n) for row in problems] == [
        ("all", 2, 2, 1, 2),
        ("1", 2, 2, 0, 0),
        ("2", 0, 0, 1, 2),
    ]
    (all_solutions,) = [row for row in told.accuracy if row.kind == "solution" and row.level == "all"]
    assert all_solutions.hits.n == 4  # every solution stands in w2
    memory = {row.kind: row for row in told.memory}
    # behind w2's run of p0 stands "and runs home to sleep until the morning comes again the end ...": words 9 to 19
    longest = max(row["repeated"] for row in rows(tmp_path / "h.contexts.jsonl") if row.get("repeated") is not None)
    assert memory["problem"].longest == longest >= 7
    assert memory["problem"].stated > 0 and memory["completion"].asked == 0
    assert "Fisher's p" in capsys.readouterr().out


def test_tasks_become_items(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "data" / "gsm8k"
    data.mkdir(parents=True)
    question = "the quick brown fox jumps over the lazy dog and runs home?"
    (data / "test.jsonl").write_text(json.dumps({"question": question, "answer": "it runs home to\n#### 4"}) + "\n")
    arguments = ["overlap", str(corpus), "-t", "gsm8k", "--data", str(data.parent), "--ngram", "10", "-q"]
    assert llemma([*arguments, "--out", str(tmp_path / "h.jsonl")]) == 0
    assert {row["item"] for row in rows(tmp_path / "h.jsonl")} == {"gsm8k/0"}


def test_fuzzy_is_a_file_of_its_own(tmp_path: Path) -> None:
    text = "Maria sold clips to sixty of her friends in April and then she sold half as many clips in May"
    (tmp_path / "c.jsonl").write_text(
        json.dumps({"id": "d", "text": f"Once upon a time {text} and all was well"}) + "\n"
    )
    changed = text.replace("Maria", "Natalia").replace("sixty", "fifty")
    (tmp_path / "i.jsonl").write_text(json.dumps({"id": "i", "text": changed}) + "\n")
    assert overlap(tmp_path / "c.jsonl", tmp_path / "i.jsonl", tmp_path / "h.jsonl", "--fuzzy", "0.5") == 0
    (row,) = rows(tmp_path / "h.fuzzy.jsonl")
    assert (row["document"], row["item"]) == ("d", "i") and 0.5 <= row["similarity"] < 1
    assert rows(tmp_path / "h.jsonl") == []
    assert [(each.items, each.documents) for each in summary(tmp_path / "h.jsonl").fuzzy] == [(1, 1)]


def test_damages_and_missing_ids_are_told(tmp_path: Path, items: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "c.jsonl"
    corpus.write_text('{"text":"the quick brown fox"}\n{broken\n')
    assert overlap(corpus, items, tmp_path / "h.jsonl", "--ngram", "4") == 0
    assert {row["document"] for row in rows(tmp_path / "h.jsonl")} == {"c.jsonl:1"}
    told = capsys.readouterr()
    assert f"{corpus} line 2" in told.err
    assert "1 documents have no id" in told.out and "1 damaged" in told.out
    assert summary(tmp_path / "h.jsonl").damages[0].startswith(f"{corpus} line 2: ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["absent", "-t", "ITEMS"], 3, "no corpus 'absent'"),
        (["CORPUS", "-t", "gsm9k"], 4, "did you mean 'gsm8k'?"),
        (["CORPUS", "-t", "absent.jsonl"], 3, "no items file"),
        (["CORPUS", "-t", "ITEMS", "--ngram", "0"], 2, "n-grams of '0' words"),
        (["CORPUS", "-t", "ITEMS", "--ngram", "ten"], 2, "'ten' is no length"),
        (["CORPUS", "-t", "ITEMS", "--of", "answers"], 2, "no items of kind"),
        (["CORPUS"], 2, "nothing to look for"),
        (["CORPUS", "-t", "ITEMS", "--run", "CORPUS"], 3, "no finished evaluation"),
    ],
)
def test_errors(
    arguments: list[str],
    code: int,
    said: str,
    corpus: Path,
    items: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"CORPUS": str(corpus), "ITEMS": str(items)}
    given = [places.get(argument, argument) for argument in arguments]
    assert llemma(["overlap", *given, "--out", str(tmp_path / "h.jsonl"), "-q"]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "h.jsonl").exists()


def test_lengths() -> None:
    assert parse_lengths("30, 20,full,30") == (30, 20, "full")


@pytest.mark.slow
def test_workers_and_repetition_change_nothing(corpus: Path, items: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert overlap(corpus, items, one, "--ngram", "4,full", "--workers", "1", "--fuzzy", "0.3") == 0
    assert overlap(corpus, items, two, "--ngram", "4,full", "--workers", "3", "--fuzzy", "0.3") == 0
    for ending in ("jsonl", "contexts.jsonl", "fuzzy.jsonl"):
        assert one.with_suffix(f".{ending}").read_bytes() == two.with_suffix(f".{ending}").read_bytes()
    before, parts = one.read_bytes(), sorted((tmp_path / "one.parts").glob("*.zst"))
    times = [part.stat().st_mtime_ns for part in parts]
    assert overlap(corpus, items, one, "--ngram", "4,full", "--fuzzy", "0.3") == 0
    assert one.read_bytes() == before and [part.stat().st_mtime_ns for part in parts] == times


def test_what_a_search_writes_is_no_corpus(corpus: Path, items: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert overlap(corpus, items, corpus / "h.jsonl", "--ngram", "4", "--workers", "1", "--fuzzy", "0.5") == 0
    assert summary(corpus / "h.jsonl").shards == 3
    assert summary(corpus / "h.jsonl").damaged == 0


@pytest.mark.slow
def test_what_changed_is_searched_again_and_nothing_else(corpus: Path, items: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.jsonl"
    assert overlap(corpus, items, out, "--ngram", "10") == 0
    first = {path.name for path in (tmp_path / "h.parts").glob("*.zst")}
    changed = corpus / "web/train/00001.jsonl.zst"
    jsonl.write(changed, [{"text": "nothing any more", "meta": {"id": "w2"}}])
    assert overlap(corpus, items, out, "--ngram", "10") == 0
    assert len({path.name for path in (tmp_path / "h.parts").glob("*.zst")} - first) == 1
    assert {row["document"] for row in rows(out)} == {"c0", "w0"}
    assert overlap(corpus, items, out, "--ngram", "3") == 0
    assert len({path.name for path in (tmp_path / "h.parts").glob("*.zst")} - first) == 4


def test_one_process_at_a_time(corpus: Path, items: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "h.parts").mkdir()
    with open(tmp_path / "h.parts" / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert overlap(corpus, items, tmp_path / "h.jsonl") == 1
    assert "another process is at work" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_at_any_time_it_ends_in_the_same_bytes(items: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    text = "so the quick brown fox jumps over the lazy dog and runs home again " * 4000
    for number in range(6):
        jsonl.write(corpus / f"s{number}.jsonl", [{"id": f"{number}-{i}", "text": f"{i} {text}"} for i in range(6)])
    calm, killed = tmp_path / "calm.jsonl", tmp_path / "killed.jsonl"
    assert overlap(corpus, items, calm, "--ngram", "10", "--workers", "1") == 0
    command = [sys.executable, "-m", "llemma", "overlap", str(corpus), "-t", str(items), "--ngram", "10", "-q"]
    parts = tmp_path / "killed.parts"
    for marks in (1, 3):
        child = subprocess.Popen(
            [*command, "--out", str(killed), "--workers", "2"], stdout=subprocess.DEVNULL, start_new_session=True
        )
        while child.poll() is None and len(list(parts.glob("*.json"))) < marks:
            time.sleep(0.002)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert not list(tmp_path.glob("killed.jsonl")) or killed.read_bytes() == calm.read_bytes()
    assert overlap(corpus, items, killed, "--ngram", "10", "--workers", "2") == 0
    assert killed.read_bytes() == calm.read_bytes()
    assert (tmp_path / "killed.contexts.jsonl").read_bytes() == (tmp_path / "calm.contexts.jsonl").read_bytes()
    assert not list(parts.glob(".*.tmp"))
