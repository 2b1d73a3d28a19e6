"""Theorems of files and of miniF2F."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.prove.tasks import bare, open_tasks

SHARED = Path(__file__).parents[2] / "../shared/minif2f"
ROW = {"id": "t1", "header": "Require Import Arith.", "statement": "Theorem t1 : 1 = 1."}


def write(path: Path, *rows: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".zst", ".gz")):
        jsonl.write(path, rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("name", ["f.jsonl", "f.jsonl.zst", "f.jsonl.gz"])
def test_rows_become_theorems(tmp_path: Path, name: str) -> None:
    more = {"id": 2, "header": "", "statement": "Theorem t2 : True.", "informal": None, "level": 3}
    task = open_tasks(write(tmp_path / name, {**ROW, "informal": "One is one."}, more), "rocq")
    assert task.name == "f" and [theorem.id for theorem in task.theorems] == ["t1", "2"]
    assert task.theorems[0].informal == "One is one." and task.theorems[1].meta == {"level": 3}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "x", "header": ""}, "statement"),
        ({"id": "x", "statement": "s"}, "header"),
        ({"header": "", "statement": "s"}, "id"),
        ({**ROW, "id": "x", "statement": 7}, "'statement' is no text"),
        ({**ROW, "id": "x", "statement": "  "}, "empty"),
        (ROW, "two theorems"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: object, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        open_tasks(write(tmp_path / "f.jsonl", ROW, row), "rocq")
    assert caught.value.where.endswith("f.jsonl row 2") and caught.value.mend


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        open_tasks(str(tmp_path / "f.jsonl"), "rocq")
    with pytest.raises(DataError, match="no theorems"):
        open_tasks(write(tmp_path / "f.jsonl"), "rocq")


@pytest.mark.parametrize(
    ("prover", "statement", "left"),
    [
        ("lean", "theorem t : 1 = 1 := by sorry", "theorem t : 1 = 1"),
        ("lean", "theorem t : 1 = 1 :=\n  by\n  sorry\n", "theorem t : 1 = 1"),
        ("lean", "theorem t : 1 = 1 := by", "theorem t : 1 = 1"),
        ("lean", "theorem t (x : Nat := 3) : x = x", "theorem t (x : Nat := 3) : x = x"),
        ("rocq", "Theorem t : 1 = 1.\nProof.\nAdmitted.", "Theorem t : 1 = 1."),
        ("rocq", "Theorem t : 1 = 1.", "Theorem t : 1 = 1."),
        ("isabelle", 'theorem t: "1 = 1" sorry', 'theorem t: "1 = 1"'),
        ("isabelle", 'theorem t: "sorry = sorry"', 'theorem t: "sorry = sorry"'),
        ("other", "t := by sorry", "t := by sorry"),
    ],
)
def test_statements_end_where_their_proofs_begin(prover: str, statement: str, left: str) -> None:
    assert bare(statement, prover) == left


def small(folder: Path) -> Path:
    """A miniF2F of three problems, one of them without a statement in Rocq."""
    base = {
        "informal": "i",
        "informal_proof": "p",
        "rocq_header": "H.",
        "isabelle_header": "theory x",
        "isabelle": '"x"',
    }
    one = {
        "name": "mathd_algebra_1",
        "split": "test",
        "rocq": "Theorem a : 1.",
        "lean4": "theorem a : 1 := by sorry",
        **base,
    }
    two = {"name": "imo_1", "split": "test", "rocq": None, "lean4": "theorem b : 1 := by sorry", **base}
    write(folder / "test.jsonl", one, two)
    write(folder / "valid.jsonl.gz", {**one, "name": "amc12a_sum_pairs", "split": "valid"})
    (folder / "lean4_header.lean.txt").write_text("import Mathlib\n")
    return folder


@pytest.mark.parametrize("place", ["here", "inside", "beside"])
def test_minif2f_is_found_in_the_data_folder_or_beside_it(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small(tmp_path / "minif2f")
    (tmp_path / "benchmarks").mkdir()
    given = {"here": folder, "inside": tmp_path, "beside": tmp_path / "benchmarks"}[place]
    assert len(open_tasks("minif2f-lean", "lean", data=given).theorems) == 3
    monkeypatch.setenv("LLEMMA_DATA", str(given))
    task = open_tasks("minif2f-rocq-test", "rocq")
    assert [theorem.id for theorem in task.theorems] == ["mathd_algebra_1"]
    assert task.left_out == {"no statement for rocq": 1}
    assert task.theorems[0].meta == {"split": "test", "family": "mathd_algebra"}


def test_lean_has_one_header_and_no_sorry(tmp_path: Path) -> None:
    theorem = open_tasks("minif2f-lean", "lean", data=small(tmp_path)).theorems[0]
    assert (theorem.header, theorem.statement) == ("import Mathlib", "theorem a : 1")


def test_llemma_leaves_the_helper_lemma_out(tmp_path: Path) -> None:
    task = open_tasks("minif2f-lean", "lean", data=small(tmp_path), protocol="llemma")
    assert len(task.theorems) == 2 and task.left_out == {"helper lemma": 1}


def test_names_that_are_not_known_or_of_another_prover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError) as caught:
        open_tasks("minif2f-rok", "rocq", data=small(tmp_path))
    assert "did you mean 'minif2f-rocq'" in caught.value.mend
    with pytest.raises(RecipeError) as caught:
        open_tasks("minif2f-lean-test", "rocq", data=tmp_path)
    assert "minif2f-rocq-test" in caught.value.mend
    monkeypatch.delenv("LLEMMA_DATA", raising=False)
    for data in (None, tmp_path / "nowhere"):
        with pytest.raises(MissingError) as missing:
            open_tasks("minif2f-rocq", "rocq", data=data)
        assert "LLEMMA_DATA" in missing.value.mend


@pytest.mark.skipif(not SHARED.is_dir(), reason="miniF2F is not beside the repository")
@pytest.mark.parametrize("prover", ["rocq", "lean", "isabelle"])
def test_all_of_minif2f(prover: str) -> None:
    task = open_tasks(f"minif2f-{prover}", prover, data=SHARED)
    splits = Counter(theorem.meta["split"] for theorem in task.theorems)
    assert splits == {"test": 244, "valid": 244} and not task.left_out
    assert not any("sorry" in theorem.statement for theorem in task.theorems)
    assert not any(theorem.meta["family"] == "other" for theorem in task.theorems)
