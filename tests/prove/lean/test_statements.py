"""Statements cut off where their proofs begin, and taken apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.core.errors import DataError
from llemma.prove.lean import statement
from llemma.prove.lean.statements import declaration

MINIF2F = Path(__file__).parents[4] / "shared/minif2f"
BARE = "theorem t (x : ℕ) (h : x = by exact 1) : x = 1"


@pytest.mark.parametrize(
    "ending", ["", " := by sorry", " := sorry", " :=", " := by", " :=\n  by\n  sorry -- to do", " /- := by -/", "\n"]
)
def test_endings_are_cut(ending: str) -> None:
    assert statement(BARE + ending) == BARE
    assert statement(statement(BARE + ending)) == BARE


@pytest.mark.parametrize(
    "text", ["theorem t : f by_sorry", "theorem t : x ∣ sorry", "theorem sorry' : p", "theorem t : a = by sorry"]
)
def test_what_only_looks_like_an_ending_stays(text: str) -> None:
    assert statement(text) == text


@pytest.mark.parametrize(
    ("text", "name", "named"),
    [
        ("theorem foo : p", "foo", "theorem new : p"),
        ("lemma Nat.foo_bar' (h : p) : q", "Nat.foo_bar'", "theorem new (h : p) : q"),
        ("theorem «a b».x₁ : p", "«a b».x₁", "theorem new : p"),
        ("theorem αβ.{u} (α : Type u) : p", "αβ", "theorem new.{u} (α : Type u) : p"),
        ("example (h : p) : q", "", "theorem new (h : p) : q"),
        ("/-- theorem doc : no -/\n@[simp] theorem foo : p", "foo", "/-- theorem doc : no -/\n@[simp] theorem new : p"),
        ("open Real in theorem foo : p", "foo", "open Real in theorem new : p"),
    ],
)
def test_a_statement_is_stated_again_under_another_name(text: str, name: str, named: str) -> None:
    found = declaration(text)
    assert found.name == name and found.again("new") == found.named("new") == named


def test_other_declarations_are_not_stated_again() -> None:
    found = declaration("def f (x : ℕ) := x\n\ntheorem foo : f 1 = 1")
    assert found.again("new") == "theorem new : f 1 = 1"
    assert found.named("new") == "def f (x : ℕ) := x\n\ntheorem new : f 1 = 1"


@pytest.mark.parametrize("text", ["", "def x := 1", "theorem", "theorem : p", 'theorem "x" : p', "theorem x /- : p"])
def test_what_is_no_statement_is_an_error(text: str) -> None:
    with pytest.raises(DataError):
        declaration(text)


def test_all_of_minif2f_is_read() -> None:
    if not MINIF2F.exists():
        pytest.skip("miniF2F is not beside the repository (../shared/minif2f)")
    rows = [json.loads(line) for split in ("test", "valid") for line in (MINIF2F / f"{split}.jsonl").open()]
    assert len(rows) == 488
    for row in rows:
        stated = statement(row["lean4"])
        assert stated + " := by sorry" == row["lean4"].rstrip()
        assert declaration(stated).name.lower() == row["name"].lower()
        older = row["lean4_llemma"]
        assert older is None or statement(older) == older.rstrip()
