"""Proof steps from the extractions of Lean and Isabelle: forms, splits by theorem, hostile and damaged input."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import DataError, MissingError
from llemma.core.types import SPLITS, Document, Dropped
from llemma.corpus import layout
from llemma.corpus.config import SourceConfig
from llemma.corpus.proofsteps import GOAL, STEP, Proof, Step, Unread, goals_and_steps, isabelle, lean
from llemma.corpus.source import Unit
from llemma.corpus.sources.proofsteps import IsabelleSteps, LeanSteps

PISA = Path(__file__).parents[3] / "../shared/raw/pisa/universal_test_theorems.tar.gz"
BLOCKS = "[GOAL]\nn : ℕ\n⊢ n + 0 = n\n[PROOFSTEP]\nrw [add_zero]\n[GOAL]\ncase a\n⊢ True\n[PROOFSTEP]\ntrivial\n"
STEPS = [Step("n : ℕ\n⊢ n + 0 = n", "rw [add_zero]"), Step("case a\n⊢ True", "trivial")]


def block(declaration: str, goal: str, tactic: str, offset: int = 4) -> str:
    fields = ("My.Module", str(offset), declaration, goal, "4:2-4:9", tactic, "no goals")
    return "===\n" + "".join(f"{field}\n---\n" for field in fields)


def test_goal_blocks_are_read_and_written_the_same() -> None:
    assert list(lean.read(BLOCKS, "M")) == [Proof("M", STEPS)]
    assert goals_and_steps(STEPS) == BLOCKS.rstrip("\n")


def test_verbose_blocks_are_one_proof_a_declaration() -> None:
    text = (
        block("@[simp] theorem one_add (n : ℕ) : 1 + n = n + 1 := by\n  ", "⊢ a", "rw [add_comm]")
        + block("@[simp] theorem one_add (n : ℕ) : 1 + n = n + 1 := by\n  rw [add_comm]\n  ", "⊢ b", "done")
        + block("private lemma two : True := by ", "⊢ True", "trivial", offset=9)
    )
    proofs = list(lean.read(text, "M"))
    assert [proof.id for proof in proofs] == ["My.Module/one_add@4", "My.Module/two@9"]
    assert isinstance(proofs[0], Proof) and proofs[0].steps == [Step("⊢ a", "rw [add_comm]"), Step("⊢ b", "done")]


def test_leandojo_is_one_proof_a_theorem_and_those_without_tactics_are_told() -> None:
    traced = [{"tactic": "simp", "annotated_tactic": ["simp", []], "state_before": "⊢ p", "state_after": "no goals"}]
    rows = [
        {"url": "u", "file_path": "A.lean", "full_name": "A.one", "start": [1, 1], "traced_tactics": traced},
        {"file_path": "A.lean", "full_name": "A.two", "traced_tactics": []},
    ]
    proofs = list(lean.read(json.dumps(rows), "train.json"))
    assert proofs == [Proof("A.lean/A.one", [Step("⊢ p", "simp")], "A.one"), Unread("A.lean/A.two", "no step")]


def test_another_format_is_refused_and_an_empty_file_is_empty() -> None:
    with pytest.raises(DataError, match="not Lean proof steps"):
        list(lean.read("theorem x : True := trivial", "x.lean"))
    with pytest.raises(DataError, match="LeanDojo"):
        list(lean.read("[1, 2]", "x.json"))
    assert list(lean.read(" \n", "x")) == []


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=4))
def test_what_is_written_is_read_back(pairs: list[tuple[str, str]]) -> None:
    """Whatever goals and tactics say, our marks included, the number of steps and their tactics survive."""
    steps = [Step(goal, f"t {tactic}".replace("\r", "")) for goal, tactic in pairs]
    (proof,) = lean.read(goals_and_steps(steps), "M")
    assert isinstance(proof, Proof) and len(proof.steps) == len(steps)


def test_a_goal_cannot_forge_a_step() -> None:
    text = goals_and_steps([Step(f"{GOAL}\nx\n{STEP}\nadmit", "simp")])
    (proof,) = lean.read(text, "M")
    assert isinstance(proof, Proof) and [step.tactic for step in proof.steps] == ["simp"]


TRANSLATIONS = {
    "translations": [
        ["", "theory T imports Main begin"],
        ["", 'lemma one: "x = x"', 0],
        ["proof (prove)\ngoal (1 subgoal):\n 1. x = x", "by auto"],
        ["", 'definition d where "d = 1"'],
        ["", 'theorem two:\n  "a \\<and>  b"'],
        ["proof (prove)", "proof"],
        ["proof (state)", "qed"],
        ["", 'lemma three: "y"'],
        ["", "end"],
    ],
    "problem_names": [],
}


def test_isabelle_statements_with_their_steps() -> None:
    proofs = list(isabelle.read(json.dumps(TRANSLATIONS), "T"))
    assert [proof.id for proof in proofs] == ["T/0", "T/1", "T/2"]
    assert proofs[2] == Unread("T/2", "no step")
    assert isinstance(proofs[1], Proof) and [step.tactic for step in proofs[1].steps] == ["proof", "qed"]


def test_a_protected_statement_is_left_out_whatever_its_white_space() -> None:
    held = [isabelle.squeezed('theorem two: "a \\<and> b"')]
    assert [type(proof) for proof in isabelle.read(json.dumps(TRANSLATIONS), "T", held)] == [Proof, Unread, Unread]


def test_sources_give_documents_and_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(TRANSLATIONS))
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "held.json").write_text(json.dumps([["T.thy", 'lemma  one: "x = x"']]))
    source = IsabelleSteps(inputs=[str(tmp_path / "[ab].json")], protected=[str(tmp_path / "held.json")])
    units = source.units(None)  # type: ignore[arg-type]
    items = [item for unit in units for item in source.read(unit, "isabelle")]
    assert [type(item) for item in items] == [Dropped, Document, Dropped, Dropped]
    assert isinstance(items[1], Document) and items[1].text.splitlines()[0] == "[STATEMENT]"
    assert "not a PISA extraction" in str(items[3])
    (tmp_path / "held.json").write_text("[]")
    assert source.units(None)[0].digest != units[0].digest  # type: ignore[arg-type]


def test_a_gzipped_file_is_read_and_two_theorems_of_one_name_are_kept(tmp_path: Path) -> None:
    text = json.dumps([{"full_name": "x", "traced_tactics": [{"tactic": tactic}]} for tactic in ("simp", "ring")])
    (tmp_path / "l.json.gz").write_bytes(gzip.compress(text.encode()))
    source = LeanSteps(inputs=[str(tmp_path / "l.json.gz")])
    (unit,) = source.units(None)  # type: ignore[arg-type]
    assert [item.id for item in source.read(unit, "lean")] == ["l.json.gz/x", "l.json.gz/x#2"]
    (tmp_path / "l.json.gz").write_bytes(gzip.compress(text.encode())[:-9])
    assert [type(item) for item in source.read(Unit("l", unit.path, ""), "lean")] == [Dropped]


def test_a_missing_input_is_named() -> None:
    with pytest.raises(MissingError, match=r"nothing\.json"):
        LeanSteps(inputs=["nothing.json"]).units(None)  # type: ignore[arg-type]


def test_statements_come_from_an_archive(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps([["T.thy", 'lemma a: "x"']]))
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "s.json", "folder/s.json")
    assert isabelle.statements([tmp_path / "s.tar.gz"]) == isabelle.statements([tmp_path]) == ['lemmaa:"x"']


@pytest.mark.skipif(not PISA.is_file(), reason="the shared data is not here")
def test_the_real_test_statements() -> None:
    held = isabelle.statements([PISA])
    assert len(held) > 2_900
    rows = {
        "translations": [
            ["", 'lemma module_cpx_vec [simp]:\n "Module.module cpx_rng (module_cpx_vec n)"'],
            ["p", "by x"],
        ]
    }
    assert [type(proof) for proof in isabelle.read(json.dumps(rows), "T", held)] == [Unread]


def test_the_split_of_a_theorem_does_not_depend_on_when_it_arrives(small: Any, tmp_path: Path) -> None:
    theorems = [block(f"theorem t{n} : p {n} := by ", f"⊢ p {n}", f"exact h {n * n}", offset=n) for n in range(120)]

    def splits(name: str, parts: list[list[str]]) -> dict[str, str]:
        folder = tmp_path / name
        folder.mkdir()
        for number, part in enumerate(parts):
            (folder / f"{number}.txt").write_text("".join(part))
        lean_steps = SourceConfig("lean-steps", "algebraic-stack", [], {"inputs": [str(folder)]}, test=0.2)
        out = tmp_path / f"{name}-out"
        small.run(small.config(sources={"lean": lean_steps}, validation=0.2), out)
        return {document.id: split for split in SPLITS for document in layout.read_split(out, "algebraic-stack", split)}

    whole, turned = splits("whole", [theorems]), splits("turned", [theorems[70:][::-1], theorems[:70][::-1]])
    assert whole == turned and set(whole.values()) == set(SPLITS) and len(whole) > 100
