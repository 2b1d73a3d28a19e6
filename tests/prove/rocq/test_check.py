"""The verdict of a fresh file: honest proofs pass, and no cheat does, even with the grammar out of the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.prove.config import ProverConfig
from llemma.prove.prover import Refused, State
from llemma.prove.rocq import Rocq
from llemma.prove.rocq import check as checking
from llemma.prove.rocq.headers import Stated, stated
from llemma.prove.theorem import Theorem
from llemma.tools.coq import find_coq

pytestmark = pytest.mark.slow  # real processes

FALSE = Theorem("false", "Require Import Arith.", "Theorem t : 1 = 2.")
REALS = "Require Import Reals Classical.\nOpen Scope R_scope."


@pytest.mark.parametrize(
    ("theorem", "proof", "axioms"),
    [
        (Theorem("a", "", "Theorem t (n : nat) : n + 0 = n."), "induction n; auto.", 0),
        (Theorem("b", REALS, "Theorem t (x : R) : 0 < x -> x <> 0."), "intros. lra", 2),
        (Theorem("c", "Require Import Classical.", "Theorem t (P : Prop) : ~ ~ P -> P."), "apply NNPP.", 1),
        (
            Theorem("d", "Parameter f : nat -> nat.\nAxiom up : forall n, n < f n.", "Theorem t : 1 < f 1."),
            "apply up",
            1,
        ),
        (Theorem("f", "", "Theorem t (A : Type) (l : list A) : app l nil = l."), "induction l; simpl; congruence.", 0),
        (Theorem("e", "Require Import ClassicalEpsilon.", "Theorem t (P : Prop) : {P} + {~ P}."), "", -1),
    ],
)
def test_honest_proofs_are_accepted_with_their_axioms(rocq: Rocq, theorem: Theorem, proof: str, axioms: int) -> None:
    proof = proof or "destruct (excluded_middle_informative P); auto."
    verdict = rocq.check(theorem, proof, 60)
    assert verdict.accepted, verdict.why
    assert len(verdict.axioms) == axioms or axioms < 0


def test_a_machine_without_walls_may_still_check(rocq: Rocq) -> None:
    told = stated(Theorem("a", "", "Theorem t (n : nat) : n + 0 = n."), find_coq())
    assert isinstance(told, Stated)
    verdict = checking.check(find_coq(), ProverConfig(isolation="rlimits"), told, ["induction n; auto."], 60)
    assert verdict.accepted, verdict.why


@pytest.mark.parametrize(
    ("proof", "kind", "why"),
    [
        ("auto.", "error", "incomplete proof"),
        ("exact J.", "error", "J was not found"),
        ("admit.", "forbidden", "'admit'"),
        ("lia. Qed. Theorem u : True. Proof. exact I.", "forbidden", "'Qed'"),
        ("apply t.", "error", "t was not found"),
        ("fix f 1.", "error", ""),
        ("exact (let fix f (n : nat) : 1 = 2 := f n in f 0).", "error", "Recursive"),
        ("cofix f. exact f.", "error", ""),
    ],
)
def test_bad_proofs_are_refused(rocq: Rocq, proof: str, kind: str, why: str) -> None:
    verdict = rocq.check(FALSE, proof, 60)
    assert not verdict.accepted and verdict.kind == kind and why in verdict.why


# what a text could try if the grammar let it through, each with a part of the reason why it fails
UNGRAMMATICAL = {
    "admitted": ("Admitted. Theorem u : True. exact I.", "rests on"),
    "axiom": ("Axiom cheat : False. destruct cheat.", "rests on"),
    "axiom of a good name": (
        "Module Classical_Prop. Axiom classic : 1 = 2. End Classical_Prop. exact Classical_Prop.classic.",
        "",
    ),
    "another theorem": ("Abort. Theorem t : True. exact I.", "t"),
    "another theorem by notation": ('Abort. Notation "1 = 2" := True. Theorem t : 1 = 2. exact I.', ""),
    "another number": ("Abort. Notation two := 1. Theorem t : 1 = two. exact eq_refl.", ""),
    "guard switched off": (
        "Unset Guard Checking. exact ((fix f (n : nat) : 1 = 2 := f n) 0).",
        "",
    ),
    "universes switched off": ("Unset Universe Checking. Axiom c : 1 = 2. exact c.", "rests on"),
    "early end": ("Abort. End Proved. Module Proved. Theorem t : 1 = 1. exact eq_refl.", ""),
    "forged list": ('idtac "Closed under the global context". Axiom cheat : 1 = 2. exact cheat.', "rests on"),
    "forged marker": ('idtac "marker". idtac "Closed under the global context". admit.', ""),
    "given up": ("give_up.", "given up"),
    "shelved": ("shelve.", ""),
    "silence": ("Axiom cheat : 1 = 2. exact cheat. Qed. Set Silent. Lemma u : True. exact I.", "rests on"),
    "redirected": ('Redirect "/proof/Theorem" Print nat. Axiom c : 1 = 2. exact c.', ""),
    "other files": ('Load "/etc/passwd". admit.', ""),
    "section": ("Abort. Section S. Variable c : 1 = 2. Theorem t : 1 = 2. exact c. Qed. End S. Lemma u : True.", ""),
    "fresh definition": ("Abort. Definition eq (a b : nat) := True. Theorem t : eq 1 2. exact I.", ""),
    "coercion": ("Abort. Module Nat. End Nat. Parameter t : 1 = 2. Lemma u : True. exact I.", "rests on"),
    "primitive": ("Abort. Parameter Inline t : 1 = 2. Lemma u : True. exact I.", "rests on"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(UNGRAMMATICAL))
def test_no_text_proves_what_is_false_even_without_the_grammar(rocq: Rocq, name: str) -> None:
    text, why = UNGRAMMATICAL[name]
    told = stated(FALSE, find_coq())
    assert isinstance(told, Stated)
    verdict = checking.check(find_coq(), ProverConfig(), told, [text], 60)
    assert not verdict.accepted and why in verdict.why, verdict


def test_a_theorem_that_the_header_leaves_open_is_no_axiom(rocq: Rocq) -> None:
    header = "Theorem open_one : 1 = 2. Proof. Admitted."
    verdict = rocq.check(Theorem("t", header, "Theorem t : 1 = 2."), "exact open_one.", 60)
    assert not verdict.accepted and verdict.why == "rests on open_one" and verdict.axioms == ("open_one",)


def test_other_axioms_of_the_library_are_not_allowed_unless_asked_for(rocq: Rocq) -> None:
    statement = "Theorem t (P : Prop) (a b : P) : a = b."
    verdict = rocq.check(Theorem("t", "Require Import ProofIrrelevance.", statement), "apply proof_irrelevance.", 60)
    assert not verdict.accepted and "proof_irrelevance" in verdict.why and verdict.kind == "forbidden"


def test_a_check_has_a_limit(rocq: Rocq) -> None:
    verdict = rocq.check(FALSE, "repeat pose 1.", 2)
    assert not verdict.accepted and verdict.kind == "timeout" and verdict.seconds < 15


def test_a_check_has_limits_of_memory_and_output(rocq: Rocq) -> None:
    told = stated(FALSE, find_coq())
    assert isinstance(told, Stated)
    config = ProverConfig(memory_mb=600)
    hungry = checking.check(find_coq(), config, told, ["let x := eval vm_compute in (Nat.pow 2 30) in pose x."], 60)
    assert hungry.kind == "memory"
    loud = checking.check(find_coq(), config, told, ["do 1000000 idtac 1 1 1 1 1 1 1 1 1."], 60)
    assert loud.kind in ("memory", "timeout")


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("m\nClosed under the global context\n", []),
        ("Axioms:\ncheat : False\nm\nClosed under the global context\n", []),
        ("m\nAxioms:\nA.b\n  : forall x : nat,\n    x = x\nc : False\n", ["A.b", "c"]),
        ("Closed under the global context\n", "not printed"),
        ("m\n", "not printed"),
        ("m\nClosed under the global context\nm2\n", "more than a list"),
        ("m\nSection Variables:\nc : False\n", "more than axioms"),
        ("m\nAxioms:\nf is assumed to be guarded.\n", "more than axioms"),
        ("m\nAxioms:\nTheory: Set is impredicative\n", None),
    ],
)
def test_the_list_of_axioms_is_read_strictly(printed: str, read: list[str] | str | None) -> None:
    result = checking.read_axioms(printed, "m")
    if isinstance(read, str):
        assert isinstance(result, str) and read in result
    elif read is None:
        assert result != []
    else:
        assert result == read


SHARED = Path(__file__).parents[4] / "shared" / "minif2f" / "test.jsonl"


@pytest.mark.skipif(not SHARED.is_file(), reason="no ../shared/minif2f beside the repository")
def test_statements_of_minif2f_load(rocq: Rocq) -> None:
    rows = [json.loads(line) for line in SHARED.open()][::6]
    failed = {}
    for row in rows:
        result = rocq.open(Theorem(row["name"], row["rocq_header"], row["rocq"]), 60)
        if not isinstance(result, State):
            failed[row["name"]] = result
    assert len(rows) > 35
    assert not [
        result for result in failed.values() if isinstance(result, Refused) and "not installed" not in result.why
    ]
