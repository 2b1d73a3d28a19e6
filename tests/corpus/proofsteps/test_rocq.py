"""Proof steps of real `.v` files: what is read, what is told, and that one bad proof stops nothing."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from llemma.core.types import Document, Dropped
from llemma.corpus.proofsteps import Proof, Unread
from llemma.corpus.proofsteps.rocq import Limits, read
from llemma.corpus.sources.rocqsteps import RocqSteps, Theorems
from llemma.tools.coqidetop import Coqidetop

pytestmark = pytest.mark.skipif(
    shutil.which("coqc") is None or shutil.which("bwrap") is None,
    reason="Rocq or bubblewrap is not installed (apt-get install coq bubblewrap)",
)

FILE = """(* A comment with "a string. (" in it. *)
Require Import Lia.
Section Both.
Variable P Q : Prop.
Lemma swap : P /\\ Q -> Q /\\ P.
Proof.
  intros [p q]. split.
  - exact q. (* the right one *)
  - { exact p. }
Qed.
End Both.
Definition three : nat. exact 3. Defined.
Definition four := 4.
Fixpoint double (n : nat) : nat := match n with 0 => 0 | S m => S (S (double m)) end.
Theorem doubled n : double n = n + n.
Proof. induction n as [| n IH]; simpl; lia. Qed.
"""


def proofs(text: str, limits: Limits | None = None) -> list[Proof | Unread]:
    with Coqidetop() as session:
        return list(read(text, "f.v", session, limits))


def tactics(found: list[Proof | Unread]) -> dict[str, list[str]]:
    return {item.id: [step.tactic for step in item.steps] for item in found if isinstance(item, Proof)}


def test_every_tactic_with_the_goals_before_it() -> None:
    found = proofs(FILE)
    assert tactics(found) == {
        "f.v/swap": ["intros [p q].", "split.", "exact q.", "exact p."],
        "f.v/three": ["exact 3."],
        "f.v/doubled": ["induction n as [| n IH]; simpl; lia."],
    }
    assert isinstance(found[0], Proof) and found[0].statement.startswith("Lemma swap")
    goals = [step.goal for step in found[0].steps]
    assert goals[0].endswith("P /\\ Q -> Q /\\ P") and "p : P" in goals[1] and "====\nQ" in goals[2]
    assert goals[3].endswith("====\nP")


def test_a_broken_proof_is_told_and_what_rests_on_it_is_read() -> None:
    text = """Lemma broken : 1 = 2. Proof. intuition. reflexivity. simpl. Qed.
Lemma after : 2 = 1. Proof. symmetry. exact broken. Qed.
Check nothing_of_this_name.
Lemma no_such : nothing = nothing. Proof. trivial. Qed.
Lemma open : True. Proof. trivial."""
    found = proofs(text)
    assert tactics(found) == {"f.v/after": ["symmetry.", "exact broken."]}
    told = [item for item in found if isinstance(item, Unread)]
    assert [item.id for item in told] == ["f.v/broken", "f.v: Check nothing_of_this_name.", "f.v/no_such"]
    assert "Unable to unify" in told[0].reason


def test_a_proof_that_does_not_end_costs_its_limit_only() -> None:
    text = """Lemma slow : False. Proof. repeat (pose 0). Qed.
Lemma quick : True. Proof. exact I. Qed."""
    began = time.monotonic()
    found = proofs(text, Limits(sentence=0.5))
    assert time.monotonic() - began < 5
    assert tactics(found) == {"f.v/quick": ["exact I."]}
    assert isinstance(found[0], Unread) and found[0].reason.startswith("timeout")


@pytest.mark.slow
def test_a_file_that_takes_too_long_ends_with_what_it_gave() -> None:
    text = "Lemma a : True. Proof. exact I. Qed.\n" + "".join(
        f"Lemma b{number} : False. Proof. repeat (pose 0). Qed.\n" for number in range(9)
    )
    found = proofs(text, Limits(sentence=0.3, file=1.0))
    assert tactics(found) == {"f.v/a": ["exact I."]}
    assert isinstance(found[-1], Unread) and "no end after 1 s" in found[-1].reason


def test_a_session_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Coqidetop() as session:
        steps = read("Lemma a : True. Proof. exact I. Qed.\nLemma b : True. Proof. exact I. Qed.", "f.v", session)
        assert isinstance(next(steps), Proof)
        session._process.kill()
        (last,) = steps
    assert isinstance(last, Unread) and "session ended" in last.reason


def test_the_sources_give_documents(tmp_path: Path) -> None:
    (tmp_path / "a.v").write_text(FILE)
    (tmp_path / "b.v").write_bytes(b"Lemma \xff")
    source = RocqSteps(inputs=[str(tmp_path)], library=["theories/Bool/BoolEq.v"])
    units = source.units(None)  # type: ignore[arg-type]
    assert [unit.name for unit in units] == [f"{tmp_path.name}/a.v", f"{tmp_path.name}/b.v", "theories/Bool/BoolEq.v"]
    items = [item for unit in units for item in source.read(unit, "steps")]
    documents = [item for item in items if isinstance(item, Document)]
    assert documents[0].id == f"{tmp_path.name}/a.v/swap" and documents[0].text.startswith("[GOAL]\n")
    assert len(documents) > 5 and [item.reason for item in items if isinstance(item, Dropped)] == ["not UTF-8: byte 6"]


@pytest.mark.slow
def test_a_diverging_file_among_others_costs_itself_only(tmp_path: Path) -> None:
    good = "Lemma yes : True. Proof. exact I. Qed.\n"
    for name, text in {"a": good, "b": "Goal False. repeat (pose 0). Qed.\n" * 9, "c": good}.items():
        (tmp_path / f"{name}.v").write_text(text)
    source = RocqSteps(inputs=[str(tmp_path)], sentence_seconds=0.5, file_seconds=1.0)
    units = source.units(None)  # type: ignore[arg-type]
    items = [item for unit in units for item in source.read(unit, "steps")]
    assert [item.id for item in items if isinstance(item, Document)] == [f"{tmp_path.name}/{x}.v/yes" for x in "ac"]
    dropped = [item for item in items if isinstance(item, Dropped)]
    assert all("/b.v" in item.id for item in dropped) and dropped[-1].reason == "no end after 1 s"


def test_generated_theorems_are_documents() -> None:
    source = Theorems(count=260, seed=9)
    units = source.units(None)  # type: ignore[arg-type]
    items = list(source.read(units[1], "theorems"))
    assert len(units) == 2 and len(items) == 10
    assert all(isinstance(item, Document) and "[PROOFSTEP]" in item.text for item in items)
