"""The same paths against a real Lean, where there is one.

    LLEMMA_LEAN_PROJECT=~/lean/mathlib-project python -m pytest tests/prove/lean/test_real.py

With Mathlib among the project's packages its theorems are tried too; without, core Lean's alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from llemma.prove.config import ProverConfig
from llemma.prove.lean import Lean
from llemma.prove.prover import Proved, Refused, State
from llemma.prove.theorem import Theorem

PROJECT = os.environ.get("LLEMMA_LEAN_PROJECT", "")
pytestmark = pytest.mark.skipif(
    not PROJECT and shutil.which("repl") is None,
    reason="no Lean here: set LLEMMA_LEAN_PROJECT, or put `repl` on the PATH",
)
CORE = Theorem("core", "", "theorem own_core (p q : Prop) (hp : p) (hq : q) : p ∧ q")
MATHLIB = "import Mathlib\nset_option maxHeartbeats 400000\nopen BigOperators Real Nat Topology Rat"


@pytest.fixture(scope="module")
def lean() -> Iterator[Lean]:
    prover = Lean(ProverConfig(isolation="full" if shutil.which("bwrap") else "rlimits"))
    yield prover
    prover.close()


def test_a_core_theorem_is_proved_and_checked(lean: Lean) -> None:
    state = lean.open(CORE, 120)
    assert isinstance(state, State)
    assert state.text == "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
    split = lean.step(state, "constructor", 20)
    assert isinstance(split, State) and split.text.count("⊢") == 2
    first = lean.step(split, "exact hp", 20)
    assert isinstance(first, State)
    done = lean.step(first, "exact hq", 20)
    assert isinstance(done, Proved)
    lean.close()
    assert isinstance(lean.step(first, "exact hq", 20), Proved)
    assert lean.check(CORE, lean.proof(done.steps), 120).accepted


@pytest.mark.parametrize("tactic", ["exact own_core p q hp hq", "apply own_core <;> assumption"])
def test_a_theorem_does_not_prove_itself(tactic: str, lean: Lean) -> None:
    state = lean.open(CORE, 120)
    assert isinstance(state, State)
    assert isinstance(lean.step(state, tactic, 20), Refused)
    assert not lean.check(CORE, tactic, 120).accepted


@pytest.mark.parametrize(
    ("statement", "proof"),
    [
        ("theorem t (a b : Nat) : a + b = b + a", "omega"),
        ("theorem t (a b : Nat) (h : a = b) : b = a", "simp_all"),
        ("theorem Foo.t' {α : Type u} (x : α) : x = x", "rfl"),
        ("example (p : Prop) [Decidable p] : p ∨ ¬p", "by_cases h : p\n· exact Or.inl h\n· exact Or.inr h"),
    ],
)
def test_true_statements_are_accepted(statement: str, proof: str, lean: Lean) -> None:
    checked = lean.check(Theorem("x", "", statement), proof, 120)
    assert checked.accepted, checked.why


@pytest.mark.parametrize("proof", ["simp", "decide", "omega", "exact absurd h h", "rfl"])
def test_false_statements_are_not(proof: str, lean: Lean) -> None:
    assert not lean.check(Theorem("x", "", "theorem t (a : Nat) : a + 1 = a"), proof, 120).accepted


def test_a_tactic_without_end_is_ended(lean: Lean) -> None:
    state = lean.open(Theorem("loop", "", "theorem t (a b : Nat) (h : a = b) : a = b + 1"), 120)
    assert isinstance(state, State)
    refused = lean.step(state, "repeat (first | rw [h] | rw [← h])", 3)
    assert isinstance(refused, Refused) and refused.kind in ("timeout", "error")
    assert isinstance(lean.open(CORE, 120), State)


@pytest.mark.skipif(not (Path(PROJECT) / ".lake/packages/mathlib").is_dir(), reason="the project has no Mathlib")
def test_mathlib_theorems(lean: Lean) -> None:
    stated = Theorem("ml", MATHLIB, "theorem t (x y : ℝ) : 2 * x * y ≤ x ^ 2 + y ^ 2 := by sorry")
    state = lean.open(stated, 600)
    assert isinstance(state, State) and "⊢ 2 * x * y ≤ x ^ 2 + y ^ 2" in state.text
    assert isinstance(lean.step(state, "nlinarith [sq_nonneg (x - y)]", 60), Proved)
    checked = lean.check(stated, "nlinarith [sq_nonneg (x - y)]", 600)
    assert checked.accepted and set(checked.axioms) <= {"propext", "Classical.choice", "Quot.sound"}
