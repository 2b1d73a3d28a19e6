"""Runs over theorems in a report: the row beside what no model does, the list of proofs, and searches as trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llemma.core import jsonl
from llemma.core.files import write_json
from llemma.report import build, proofs, read, tables

HOSTILE = "<script>document.title='ran'</script>"


def score(right: int, n: int = 4) -> dict[str, Any]:
    ended = {"right": right, "wrong": n - right}
    return {"task": "ours", "metric": "proved", "value": right / n, "low": 0.1, "high": 0.9, "n": n, "outcomes": ended}


def nodes() -> list[dict[str, Any]]:
    fields = [
        (-1, "", "proved", "n : nat\n====\nn = n"),
        (0, "intros.", "proved", "n : nat\n====\nn = n"),
        (0, HOSTILE, "error", f"Syntax error {HOSTILE}"),
        (0, "admit.", "forbidden", "not allowed"),
        (0, "simpl.", "dead", "n : nat\n====\n0 = n"),
        (1, "reflexivity.", "proved", ""),
    ]
    return [
        {"number": number, "parent": parent, "tactic": tactic, "status": status, "text": text, "order": 1}
        for number, (parent, tactic, status, text) in enumerate(fields)
    ]


def proving(folder: Path, right: int) -> None:
    """A run that proves the first `right` of four theorems."""
    names = ["one", "two", f"three {HOSTILE}", "four"]
    rows = []
    for number, name in enumerate(names):
        tree = f"trees/{number}.jsonl.zst"
        jsonl.write(folder / tree, [{"id": name, "outcome": "right", "seconds": 1.0}, *nodes()])
        outcome = "right" if number < right else "wrong"
        rows.append({"id": name, "outcome": outcome, "proof": "intros. reflexivity." * (outcome == "right"), "why": "",
                     "seconds": 1.0, "tree": tree, "axioms": ["classic"], "expansions": 2, "tried": 5})  # fmt: skip
    jsonl.write(folder / "proofs.jsonl", rows)
    baseline = {"model": "automation:", "score": score(1)}
    facts = {"task": "ours", "prover": "rocq", "score": score(right), "protocol": "default", "baseline": baseline}
    write_json(folder / "results.json", {**facts, "prover_identity": "Coq 8.16.1", "session": {"theorems": 4}})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name, right in (("base", 0), ("math", 3)):
        proving(tmp_path / "mini" / "prove" / name, right)
    return tmp_path / "mini"


def test_both_models_stand_in_one_row_beside_no_model(run: Path) -> None:
    (row,) = tables.before_after(run).rows
    assert [one.value for one in row.scores if one] == [0.0, 0.75]
    assert row.no_model is not None and row.no_model.value == 0.25
    assert row.change is not None and (row.change.gained, row.change.lost, row.change.paired) == (3, 0, True)
    text = tables.before_after(run).text()
    assert "without a model 25.0 %" in text and "75.0 %" in text
    assert "proved theorems" in tables.summary(tables.before_after(run))[0]


def test_evaluations_and_theorems_of_a_model_share_its_column(run: Path, run_folder: Path) -> None:
    evaluations = read.run(run_folder).evaluations
    table = tables.compare(evaluations, read.run(run).provings)
    assert table.models == ["Base", "Continued"]
    assert [row.task for row in table.rows if row.metric == "proved"] == ["ours"]
    assert len(table.rows) == len(tables.compare(evaluations).rows) + 1


def test_a_folder_of_theorems_alone_is_a_run(run: Path, tmp_path: Path) -> None:
    found = read.run(run / "prove" / "math")
    assert [one.name for one in found.provings] == ["math"] and not found.evaluations
    page = build([run / "prove" / "math"], tmp_path / "report")
    assert "Theorems proved" in page.read_text()


def test_pages_tell_proofs_and_trees_and_escape_them(run: Path, tmp_path: Path) -> None:
    folder = build([run], tmp_path / "report").parent
    listed = (folder / "proofs.html").read_text()
    assert listed.count("intros. reflexivity.") == 3 and "Coq 8.16.1" in listed
    page = (folder / "proof-3.html").read_text()
    assert "Axioms: classic." in page and "1 × error, 1 × forbidden" in page
    assert all(HOSTILE not in path.read_text() for path in folder.glob("*.html"))
    assert len(list(folder.glob("proof-*.html"))) == 4
    assert 'href="proofs.html"' in (folder / "index.html").read_text()


def test_a_tree_is_cut_where_it_is_too_large_or_too_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [{"number": i, "parent": i - 1, "tactic": f"t{i}", "status": "expanded", "text": "x"} for i in range(300)]
    chain.append({"number": 300, "parent": 300, "tactic": "loop", "status": "open", "text": "x"})
    jsonl.write(tmp_path / "t.jsonl", [{"id": "a"}, *chain])
    jsonl.write(tmp_path / "proofs.jsonl", [{"id": "a", "outcome": "wrong", "tree": "t.jsonl"}])
    write_json(tmp_path / "results.json", {"task": "ours", "prover": "rocq", "score": score(0)})
    (one,) = read.run(tmp_path).provings
    (row,) = read.proofs(one)
    tree, hidden = proofs.tree(one, row)
    depth = 0
    while tree is not None and tree.below:
        tree, depth = tree.below[0], depth + 1
    assert (depth, hidden) == (proofs.DEPTH, 0)
    monkeypatch.setattr(proofs, "SHOWN", 10)
    assert proofs.tree(one, row)[1] == 291
    assert build([tmp_path], tmp_path / "report").is_file()


def test_a_tree_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "secret.jsonl", [{}, *nodes()])
    jsonl.write(tmp_path / "run" / "proofs.jsonl", [{"id": "a", "outcome": "wrong", "tree": "../secret.jsonl"}])
    write_json(tmp_path / "run" / "results.json", {"task": "ours", "prover": "rocq", "score": score(0)})
    (one,) = read.run(tmp_path / "run").provings
    assert proofs.tree(one, next(read.proofs(one))) == (None, 0)


def test_no_script_of_a_tactic_runs(run: Path, tmp_path: Path, visit: Callable[..., Any]) -> None:
    folder = build([run], tmp_path / "report").parent
    window = visit()
    page = window.open(folder / "proof-1.html")
    assert page.title().startswith("one") and window.complaints == []
