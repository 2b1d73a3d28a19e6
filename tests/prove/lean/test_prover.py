"""The prover on top of a stand-in that knows a toy logic: opening, stepping, going back, restarts, checks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llemma.core.errors import LlemmaError, MissingError
from llemma.prove.config import ProverConfig
from llemma.prove.lean import Lean
from llemma.prove.prover import Checked, Proved, Prover, Refused, State, open_prover
from llemma.prove.theorem import Theorem

pytestmark = pytest.mark.slow  # real processes

HEADER = "import Slow\nimport Rest"
AND = Theorem("and", HEADER, "theorem t : p → q → p ∧ q")
PROOF = ("intro h", "intro k", "constructor", "exact h", "exact k")


@pytest.fixture
def opened(stand_in: Callable[..., ProverConfig]) -> Iterator[Callable[..., Lean]]:
    provers: list[Lean] = []

    def start(**options: object) -> Lean:
        provers.append(Lean(stand_in("toy_repl.py", **options)))
        return provers[-1]

    yield start
    for prover in provers:
        prover.close()


def begun(prover: Lean, theorem: Theorem = AND) -> State:
    state = prover.open(theorem, 20)
    assert isinstance(state, State)
    return state


def after(prover: Lean, *steps: str, theorem: Theorem = AND) -> State:
    state = begun(prover, theorem)
    for step in steps:
        following = prover.step(state, step, 20)
        assert isinstance(following, State)
        state = following
    return state


def test_it_is_a_prover_and_found_by_name(stand_in: Callable[..., ProverConfig]) -> None:
    prover: Prover = open_prover("lean", stand_in("toy_repl.py"))
    assert prover.name == "lean" and "client 1" in prover.identity
    prover.close()
    prover.close()


def test_a_proof_is_found_step_by_step(opened: Callable[..., Lean]) -> None:
    prover = opened()
    state = begun(prover)
    assert state.text == "⊢ (p → (q → (p ∧ q)))" and state.steps == ()
    state = after(prover, *PROOF[:3])
    assert state.text == "h : p\nk : q\n⊢ p\n\nh : p\nk : q\n⊢ q"
    state = after(prover, *PROOF[:4])
    done = prover.step(state, "exact k -- the end", 20)
    assert done == Proved("and", PROOF)
    checked = prover.check(AND, prover.proof(done.steps), 20)
    assert checked.accepted and checked.axioms == ("propext",) and checked.seconds > 0


def test_going_back_costs_nothing_and_changes_nothing(opened: Callable[..., Lean]) -> None:
    prover = opened()
    early = after(prover, "intro h")
    late = after(prover, *PROOF[:4])
    assert isinstance(prover.step(early, "exact h", 20), Refused)
    again = prover.step(early, "intro other", 20)
    assert isinstance(again, State) and "other : q" in again.text
    assert isinstance(prover.step(late, "exact k", 20), Proved)


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("crash", "crash", "ended with code"),
        ("hang", "timeout", "no answer in time"),
        ("heartbeats", "timeout", "heartbeats"),
        ("unknown", "error", "Unknown identifier"),
        ("holes", "error", "metavariable"),
        ("gap", "error", "sorry"),
        ("kernel", "error", "kernel type check failed"),
        ("several", "error", "more than one initial goal"),
        ("nothing", "error", "Goal not assigned"),
        ("t", "error", "kernel type check failed"),
        ("forge", "crash", "out of step"),
    ],
)
def test_a_step_that_leads_nowhere_says_why_and_the_search_goes_on(
    name: str, kind: str, why: str, opened: Callable[..., Lean]
) -> None:
    prover = opened()
    simple = Theorem("simple", "", "theorem t : q → q")
    state = after(prover, "intro h", theorem=simple)
    refused = prover.step(state, f"exact {name}", 0.7)
    if name == "forge":  # one of two forged replies may be taken for an answer, but never for an end
        assert isinstance(refused, Refused)
    else:
        assert isinstance(refused, Refused) and refused.kind == kind and why in refused.why
    assert isinstance(prover.step(state, "exact h", 20), Proved)


def test_what_is_forbidden_never_reaches_lean(opened: Callable[..., Lean]) -> None:
    prover = opened()
    state = begun(prover)
    for text in ("sorry", "exact crash\nexact crash", "theorem x : y := by simp", "exact?", ""):
        refused = prover.step(state, text, 20)
        assert isinstance(refused, Refused) and refused.kind == "forbidden"


def test_states_of_another_worker_and_of_an_ended_process_are_replayed(opened: Callable[..., Lean]) -> None:
    first, second = opened(), opened()
    state = after(first, *PROOF[:4])
    begun(second)
    assert isinstance(second.step(state, "exact k", 20), Proved)
    first.close()
    assert isinstance(first.step(state, "exact k", 20), Proved)
    unknown = opened().step(state, "exact k", 20)
    assert isinstance(unknown, Refused) and "not been opened" in unknown.why


def test_many_crashes_within_one_search_do_no_harm(opened: Callable[..., Lean]) -> None:
    prover = opened()
    for number in range(8):
        state = after(prover, *PROOF[:4])
        assert isinstance(prover.step(state, "exact crash", 20), Refused)
        assert isinstance(prover.step(state, "exact k", 20), Proved), number


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from([*PROOF, "simp", "exact crash", "CLOSE"])), max_size=15))
def test_the_same_step_from_the_same_state_leads_to_the_same(
    stand_in: Callable[..., ProverConfig], moves: list[tuple[int, str]]
) -> None:
    """Whatever happened in between: other branches, crashes, restarts."""
    prover = Lean(stand_in("toy_repl.py"))
    try:
        states, seen = [begun(prover)], {}
        for which, tactic in moves:
            state = states[which % len(states)]
            if tactic == "CLOSE":
                prover.close()
                continue
            result = prover.step(state, tactic, 20)
            told = (result.text, result.steps) if isinstance(result, State) else type(result)
            assert seen.setdefault((state.steps, tactic), told) == told
            if isinstance(result, State):
                states.append(result)
                assert result.steps == (*state.steps, tactic)
    finally:
        prover.close()


def test_a_header_is_loaded_once(opened: Callable[..., Lean]) -> None:
    prover = opened()
    begun(prover)
    begin = time.monotonic()
    for number in range(5):
        begun(prover, Theorem(f"n{number}", HEADER, f"theorem t{number} : p → p"))
    assert time.monotonic() - begin < 1.4  # five headers would take 1.5


def test_a_changed_theorem_of_the_same_name_is_another(opened: Callable[..., Lean]) -> None:
    prover = opened()
    old = begun(prover)
    new = begun(prover, Theorem("and", HEADER, "theorem t : q → q"))
    assert old.text != new.text
    assert isinstance(
        prover.step(after(prover, "intro h", theorem=Theorem("and", "", "theorem t : q → q")), "exact h", 5), Proved
    )


def test_a_worker_that_grew_too_large_is_started_anew_between_two_steps(opened: Callable[..., Lean]) -> None:
    prover = opened(recycle_mb=40)
    state = after(prover, *PROOF[:4])
    assert isinstance(prover.step(state, "exact grow", 20), Refused)
    before = prover._repl
    assert isinstance(prover.step(state, "exact k", 20), Proved)
    assert prover._repl is not before


@pytest.mark.parametrize(
    ("theorem", "why"),
    [
        (Theorem("a", "import Broken", "theorem t : p → p"), "unknown module"),
        (Theorem("b", "", "theorem t : p → "), "expected term"),
        (Theorem("c", "", "theorem t : p : q"), "unexpected command"),
        (Theorem("d", "", 'theorem t : "'), "not Lean"),
    ],
)
def test_a_theorem_that_does_not_open_says_why(theorem: Theorem, why: str, opened: Callable[..., Lean]) -> None:
    prover = opened()
    refused = prover.open(theorem, 20)
    assert isinstance(refused, Refused) and why in refused.why
    assert isinstance(prover.open(AND, 20), State)
    assert not prover.check(theorem, "intro h\nexact h", 20).accepted


def test_a_repl_that_never_answers_is_given_up(opened: Callable[..., Lean], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llemma.prove.lean.prover._FIRST_WAIT", 0.001)
    prover = opened()
    never = Theorem("never", "import Never", "theorem t : p → p")
    for _ in range(5):
        refused = prover.open(never, 20)
        assert isinstance(refused, Refused) and refused.kind == "crash"
    with pytest.raises(LlemmaError, match="ended 5 times"):
        prover.open(never, 20)


@pytest.mark.parametrize(
    ("proof", "kind", "why"),
    [
        ("intro h\nintro k\nconstructor\nexact h", "error", "unsolved goals"),
        ("intro h\nintro k\nexact cheat", "error", "rests on cheat, Lean.ofReduceBool"),
        ("intro h\nintro k\nsorry", "forbidden", "gap"),
        ("intro h\nintro k\nexact t", "error", "unsolved"),
        ("intro h\nexact hang", "timeout", "in time"),
        ("intro h\nexact crash", "crash", "code"),
        ("simp\ntheorem t : p → p := by\n  intro h\n  exact h", "forbidden", "command"),
        ("", "forbidden", "no tactic"),
    ],
)
def test_a_proof_that_is_none_is_not_accepted(proof: str, kind: str, why: str, opened: Callable[..., Lean]) -> None:
    checked = opened().check(AND, proof, 2.0)
    assert not checked.accepted and checked.kind == kind and why in checked.why


def test_answers_written_in_advance_are_not_taken_for_lean_s(opened: Callable[..., Lean]) -> None:
    checked = opened().check(AND, "intro h\nexact forge", 5.0)
    # two answers at once are seen to be one too many; one after the other, the second is none to the second request
    assert not checked.accepted and ("out of step" in checked.why or "not the one that was stated" in checked.why)


def test_checks_take_statements_as_data_sets_write_them(opened: Callable[..., Lean]) -> None:
    prover = opened()
    for ending in ("", " := by sorry", " :=", " := by\n  sorry -- fill in"):
        stated = Theorem("x", "", f"theorem t : p → p{ending}")
        assert prover.check(stated, "  intro h\n  exact h", 20).accepted
        assert isinstance(prover.open(stated, 20), State)
    unnamed = prover.check(Theorem("x", "", "example : p → p"), "intro h\nexact h", 20)
    assert unnamed.accepted
    assert isinstance(unnamed, Checked) and unnamed.axioms == ("propext",)


def test_library_axioms_are_listed(opened: Callable[..., Lean]) -> None:
    checked = opened().check(Theorem("x", "", "theorem t : p"), "exact library", 20)
    assert checked.accepted and checked.axioms == ("propext", "Quot.sound")


def test_a_repl_that_does_not_judge_is_refused(stand_in: Callable[..., ProverConfig]) -> None:
    prover = Lean(stand_in("toy_repl.py", "old"))
    with pytest.raises(LlemmaError, match="does not say"):
        prover.step(begun(prover), "intro h", 20)
    prover.close()


def test_a_missing_repl_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LLEMMA_LEAN_PROJECT", raising=False)
    for config in (ProverConfig(), ProverConfig(command=["lake", "env", "repl"]), ProverConfig(project="/nowhere/x")):
        with pytest.raises(MissingError, match="LLEMMA_LEAN_PROJECT"):
            Lean(config)
