"""The prover with the real Rocq: states and steps, limits that hold, and a session that may die at any time."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from llemma.prove.config import ProverConfig
from llemma.prove.prover import Proved, Refused, State
from llemma.prove.rocq import Rocq, prover
from llemma.prove.theorem import Theorem

pytestmark = pytest.mark.slow  # real processes

ARITH = "Require Import Arith.\nFixpoint double (n : nat) : nat := match n with O => O | S m => S (S (double m)) end."
DOUBLE = Theorem("double", ARITH, "Theorem double_sum : forall n : nat, double n = n + n.")
PAIR = Theorem("pair", ARITH, "Lemma pair (a b : nat) (h : a < b) : a <> b /\\ a <= b.")
REAL = Theorem("real", "Require Import Reals.\nOpen Scope R_scope.", "Theorem real (x : R) : 0 < x -> 0 < 2 * x.")


def opened(rocq: Rocq, theorem: Theorem) -> State:
    state = rocq.open(theorem, 60)
    assert isinstance(state, State), state
    return state


def stepped(rocq: Rocq, state: State, *tactics: str) -> State:
    for tactic in tactics:
        after = rocq.step(state, tactic, 5)
        assert isinstance(after, State), after
        state = after
    return state


def pid(rocq: Rocq) -> int:
    session = rocq._document._session
    assert session is not None
    found = session._process._program()
    assert found is not None
    return found


def test_states_are_shown_as_a_model_reads_them(rocq: Rocq) -> None:
    first = opened(rocq, PAIR)
    assert first == State("pair", (), "a, b : nat\nh : a < b\n====\na <> b /\\ a <= b")
    split = stepped(rocq, first, "split")
    assert split.steps == ("split.",)
    assert split.text == "2 goals\na, b : nat\nh : a < b\n====\na <> b\n\na, b : nat\nh : a < b\n====\na <= b"
    focused = stepped(rocq, split, "-")
    assert focused.text.startswith("2 goals, 1 in focus\na, b : nat") and focused.text.count("====") == 2
    behind = stepped(rocq, focused, "lia")
    assert behind.text == "1 goal, 0 in focus\na, b : nat\nh : a < b\n====\na <= b"
    unknown = stepped(rocq, first, "assert (exists k, k = a)", "eexists")
    assert unknown.text.startswith("2 goals, 1 shelved\n") and "?k = a" in unknown.text


def test_a_proof_is_found_step_by_step_and_checked(rocq: Rocq) -> None:
    state = stepped(rocq, opened(rocq, PAIR), "split", "-", "lia", "-")
    result = rocq.step(state, "Time lia", 5)
    assert result == Proved("pair", ("split.", "-", "lia.", "-", "lia."))
    assert isinstance(result, Proved)
    text = rocq.proof(result.steps)
    assert text == "split.\n-\nlia.\n-\nlia."
    verdict = rocq.check(PAIR, text, 60)
    assert verdict.accepted and verdict.axioms == () and verdict.kind is None and verdict.seconds > 0


@pytest.mark.parametrize(
    ("tactics", "closed"),
    [
        (["split", "{", "lia", "}", "{", "lia"], ("}",)),
        (["{", "split", "-", "{", "lia", "}", "-", "{", "{", "lia"], ("}", "}", "}")),
        (["split", "2: {", "lia", "}", "lia"], ()),
        (["refine (conj ?[x] ?[y])", "[y]: {", "lia", "}", "{", "lia"], ("}",)),
    ],
)
def test_braces_left_open_are_closed(rocq: Rocq, tactics: list[str], closed: tuple[str, ...]) -> None:
    state = stepped(rocq, opened(rocq, PAIR), *tactics[:-1])
    result = rocq.step(state, tactics[-1], 5)
    assert isinstance(result, Proved) and result.steps[len(tactics) :] == closed
    verdict = rocq.check(PAIR, rocq.proof(result.steps), 60)
    assert verdict.accepted, verdict.why


def test_what_rocq_refuses_comes_with_its_reason(rocq: Rocq) -> None:
    state = opened(rocq, DOUBLE)
    assert rocq.step(state, "reflexivity", 5) == rocq.step(state, "reflexivity.", 5)
    for tactic, why in (("exact J", "J was not found"), ("intros n)", "Syntax error"), ("split; }", "Syntax error")):
        result = rocq.step(state, tactic, 5)
        assert isinstance(result, Refused) and result.kind == "error" and why in result.why
    refused = rocq.step(state, "admit", 5)
    assert isinstance(refused, Refused) and refused.kind == "forbidden"
    assert stepped(rocq, state, "intros n").text == "n : nat\n====\ndouble n = n + n"


def test_left_states_and_other_theorems_are_come_back_to(rocq: Rocq) -> None:
    first = opened(rocq, DOUBLE)
    base, step = "simpl", "simpl; rewrite IH"
    deep = stepped(rocq, first, "intros n", "induction n as [|n IH]", base)
    other = stepped(rocq, first, "induction n")
    real = stepped(rocq, opened(rocq, REAL), "intros h")
    done = stepped(rocq, deep, "reflexivity")
    assert done.text == f"n : nat\nIH : double n = n + n\n====\n{'double (S n)'} = S n + S n"
    assert stepped(rocq, other, "reflexivity").text.startswith("n : nat\nIHn")
    assert isinstance(rocq.step(real, "lra", 5), Proved)
    again = stepped(rocq, done, step)
    assert again.steps == (*done.steps, "simpl; rewrite IH.")
    assert isinstance(rocq.step(again, "rewrite Nat.add_succ_r; reflexivity", 5), Proved)


def test_a_state_of_a_theorem_that_was_never_opened_is_refused(rocq: Rocq) -> None:
    result = rocq.step(State("nobody", (), "?"), "auto", 5)
    assert isinstance(result, Refused) and "not opened" in result.why


@pytest.mark.parametrize("endless", ["repeat pose 1", "do 10000000 (try fail)", "(repeat pose 1) || lia"])
def test_endless_tactics_end_in_time(rocq: Rocq, endless: str) -> None:
    state = opened(rocq, PAIR)
    before = pid(rocq)
    begun = time.monotonic()
    result = rocq.step(state, endless, 0.4)
    assert isinstance(result, Refused) and result.kind == "timeout"
    assert time.monotonic() - begun < 10
    assert isinstance(rocq.step(state, "lia", 5), Proved) and pid(rocq) == before


def test_hungry_tactics_are_refused_and_their_memory_given_back(rocq: Rocq) -> None:
    lean = Rocq(ProverConfig(memory_mb=1000))
    state = opened(lean, PAIR)
    result = lean.step(state, "let x := eval vm_compute in (Nat.pow 2 30) in pose x", 60)
    assert isinstance(result, Refused) and result.kind == "memory"
    assert isinstance(lean.step(state, "lia", 5), Proved)
    assert lean._document.resident_mb() < 800
    lean.close()


def test_goals_that_nobody_can_read_are_refused(rocq: Rocq, monkeypatch: pytest.MonkeyPatch) -> None:
    state = opened(rocq, PAIR)
    monkeypatch.setattr(prover, "LONGEST", 200)
    result = rocq.step(state, "do 100 (let z := fresh in pose (z := a * (b + 17)))", 20)
    assert isinstance(result, Refused) and "more than" in result.why
    assert isinstance(rocq.step(state, "lia", 5), Proved)


def test_a_killed_process_is_a_crash_and_the_search_goes_on(rocq: Rocq) -> None:
    state = stepped(rocq, opened(rocq, PAIR), "split")
    for _ in range(3):
        first = pid(rocq)
        timer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
        timer.start()
        result = rocq.step(state, "repeat pose 1", 20)
        timer.join()
        assert isinstance(result, Refused) and result.kind == "crash"
        assert isinstance(rocq.step(state, "lia", 5), State) and pid(rocq) != first
        assert not Path(f"/proc/{first}").exists()


@pytest.mark.usefixtures("rocq")
def test_a_large_worker_is_started_anew_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "_LOOK", 2)
    small = Rocq(ProverConfig(recycle_mb=1))
    state = stepped(small, opened(small, PAIR), "split", "-", "idtac")
    first = pid(small)
    assert stepped(small, state, "lia").text.startswith("1 goal, 0 in focus")
    assert pid(small) != first
    small.close()
    small.close()
    assert isinstance(small.step(state, "lia", 5), State)  # a closed prover opens again
    small.close()


def test_a_shared_header_is_loaded_once(rocq: Rocq) -> None:
    opened(rocq, DOUBLE)
    document, before = rocq._document, pid(rocq)
    base = document._states[: document._sentences.index("Theorem double_sum : forall n : nat, double n = n + n.")]
    opened(rocq, PAIR)
    assert document._states[: len(base)] == base and pid(rocq) == before
    opened(rocq, REAL)  # has only our own import in common
    assert pid(rocq) == before and document._states[:2] == base[:2]


@pytest.mark.parametrize(
    ("header", "statement", "why"),
    [
        ("Require Import NoSuch.Library.", "Theorem t : True.", "library 'NoSuch.Library' is not installed"),
        ("From Missing Require Import Thing.", "Theorem t : True.", "is not installed (apt-get install"),
        ("Require Import Arith", "Theorem t : True.", "ends within a sentence"),
        ("", "Theorem t : True. Theorem u : True.", "one sentence"),
        ("", "Theorem t : True. Theorem u : True.", "full stop"),
        ("", "Theorem t : True (* ", "full stop"),
        ("", "Definition t := True.", "must begin with Theorem"),
        ("", "Theorem t : Tru.", "Tru was not found"),
        ("Definition x := y.", "Theorem t : True.", "y was not found"),
    ],
)
def test_theorems_that_do_not_open_say_why(rocq: Rocq, header: str, statement: str, why: str) -> None:
    result = rocq.open(Theorem("bad", header, statement), 30)
    assert isinstance(result, Refused) and result.kind == "error" and why in result.why
    assert isinstance(rocq.open(PAIR, 30), State)


def test_powers_of_complex_numbers_are_there(rocq: Rocq) -> None:
    header = "Require Import Coquelicot.Coquelicot.\nOpen Scope C_scope."
    state = rocq.open(Theorem("complex", header, "Theorem square (z : C) : z ^ 2 = z * z."), 60)
    if isinstance(state, Refused) and "not installed" in state.why:
        pytest.skip(state.why)
    assert isinstance(state, State)
    assert isinstance(rocq.step(state, "simpl; now rewrite Cmult_1_r", 10), Proved)


def test_the_standard_library_may_have_its_new_name(rocq: Rocq) -> None:
    header = "From Stdlib Require Import Arith.\nRequire Import Stdlib.Lists.List."
    assert isinstance(rocq.open(Theorem("named", header, "Theorem t : length (1 :: nil) = 1."), 60), State)


def test_the_identity_names_versions(rocq: Rocq) -> None:
    assert "8." in rocq.identity or "9." in rocq.identity
    assert f"rules {prover.RULES}.{prover._GRAMMAR}" in rocq.identity


def test_a_statement_without_its_full_stop_is_given_one(rocq: Rocq) -> None:
    theorem = Theorem("t", "", "Theorem t : 1 + 1 = 2")
    state = rocq.open(theorem, 60.0)
    assert isinstance(state, State) and isinstance(rocq.step(state, "reflexivity", 5.0), Proved)
    assert rocq.check(theorem, "reflexivity.", 60.0).accepted
