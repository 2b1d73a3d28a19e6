"""Prompts, and candidates out of completions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import MissingError
from llemma.core.types import Completion, Request
from llemma.corpus import proofsteps
from llemma.corpus.proofsteps import Step, goals_and_steps
from llemma.prove import whole
from llemma.prove.attempt import Asked, Attempt
from llemma.prove.config import ProverConfig, SearchConfig
from llemma.prove.propose import FENCE, Proposer, examples, few_shot, prompted, read
from llemma.prove.prover import Prover, Refused, State, open_prover
from llemma.prove.results import pass_curve
from llemma.prove.theorem import Theorem

THEOREM = Theorem("t1", "Require Import Reals.", "Theorem t1 : 1 = 1.", "Is 1 equal to 1?", "Yes.")
ASKED = Asked(THEOREM, State("t1", (), "x : R\n====\nx = x"), 3)
REALS = "Require Import Reals.\nOpen Scope R_scope."
# the statements whose states the examples show
STATED = (
    "Theorem e : forall x y : R, x + y = 7 -> x - y = 1 -> x = 4.",
    "Theorem e : forall f : R -> R, (forall x : R, f x = 3 * x - 2) -> f (f 1) = 1.",
    "Theorem e : forall x : R, x <> 0 -> x * x = x * 5 -> x = 5.",
)


@pytest.fixture(scope="module")
def rocq() -> Any:
    try:
        prover = open_prover("rocq", ProverConfig())
    except (MissingError, ModuleNotFoundError) as error:
        pytest.skip(f"no Rocq: {error}")
    yield prover
    prover.close()


def test_the_prompt_shows_three_examples_and_ends_where_the_tactic_begins() -> None:
    request = Proposer("rocq", SearchConfig(samples=5)).request(ASKED)
    assert (request.id, request.n, request.stop, request.max_tokens) == ("t1#3", 5, [FENCE], 256)
    assert request.prompt.count("Tactic state:") == request.prompt.count("Next tactic:") == 4
    assert request.prompt.endswith(f"{FENCE}\nx : R\n====\nx = x\n{FENCE}\nNext tactic:\n{FENCE}\n")
    # nothing but a fence stands alone on a line of its own as the stop string
    assert request.prompt.count(f"\n{FENCE}\n") == 3 * 4 + 3


def test_seeds_hang_on_the_request_alone() -> None:
    proposer = Proposer("rocq", SearchConfig())
    seeds = [proposer.request(ASKED._replace(number=number)).seed for number in (1, 2, 1)]
    assert seeds[0] == seeds[2] != seeds[1]
    assert Proposer("rocq", SearchConfig(seed=1)).request(ASKED._replace(number=1)).seed != seeds[0]


@pytest.mark.skipif("beam" not in Request.__struct_fields__, reason="requests know no beam search here")
def test_beams_are_asked_for_as_such() -> None:
    request = Proposer("lean", SearchConfig(proposals="beam", samples=8)).request(ASKED)
    assert (getattr(request, "beam"), request.temperature, request.n) == (True, 0.0, 8)  # noqa: B009
    assert not getattr(Proposer("lean", SearchConfig()).request(ASKED), "beam")  # noqa: B009


def test_reprover_gets_the_state_alone() -> None:
    request = Proposer("lean", SearchConfig(format="reprover")).request(ASKED)
    assert request.prompt == ASKED.state.text and request.stop == []


def test_an_unknown_prover_gets_an_instruction_without_examples() -> None:
    assert few_shot("other", "goal").count("Tactic state:") == 1


def test_candidates_have_probabilities_or_ranks() -> None:
    told = [Completion("r", i, text, tokens=4, logprob=-i, seconds=2.0) for i, text in enumerate(("a", "b"))]
    found = read(told)
    assert [(one.text, one.logprob, one.tokens) for one in found.candidates] == [("a", 0.0, 4), ("b", -1.0, 4)]
    assert (found.tokens, found.seconds) == (8, 2.0)
    untold = [msgspec.structs.replace(told[0], logprob=None), told[1], told[1]]
    ranked = read(untold).candidates
    assert [one.text for one in ranked] == ["a", "b"] and 0 > ranked[0].logprob > ranked[1].logprob


def test_failed_completions_are_left_out_unless_all_fail() -> None:
    bad = Completion("r", 1, "", "error", error="1 of 2 samples are recorded")
    assert [one.text for one in read([Completion("r", 0, "a"), bad]).candidates] == ["a"]
    assert read([bad, bad]) == ((), 0, 0.0, "1 of 2 samples are recorded")


@pytest.mark.parametrize("number", range(3))
def test_the_examples_for_rocq_are_true(rocq: Prover, number: int) -> None:
    example = examples("rocq").examples[number]
    opened = rocq.open(Theorem("e", REALS, STATED[number]), 60.0)
    assert isinstance(opened, State)
    state = rocq.step(opened, "intros.", 5.0)
    assert isinstance(state, State) and state.text == example.state
    assert not isinstance(rocq.step(state, example.tactic, 5.0), Refused)


@pytest.mark.slow
def test_the_worked_proofs_for_rocq_are_accepted(rocq: Prover) -> None:
    for kind, header in (("numbertheory", "Require Import Arith."), ("other", REALS)):
        for one in whole.worked("rocq")[kind]:
            proof = whole.body("rocq", one.proof)
            verdict = rocq.check(Theorem("e", header, one.statement), proof, 60.0)
            assert verdict.accepted, (one.statement, verdict.why)


def test_informal_prompts_have_the_published_shape() -> None:
    proposer = whole.Proposer("isabelle", SearchConfig(samples=1, temperature=0.0), "informal")
    theorem = Theorem("t", "theory t imports Main begin", 'theorem t: "True"', "Is it so?", "It is.")
    request = proposer.request(Asked(theorem, State("t", (), ""), 1))
    assert request.stop == ["\n\n\n"] and (request.n, request.temperature) == (1, 0.0)
    shown = request.prompt.split("\n\n\n")
    assert len(shown) == 4 and all(part.startswith("Informal:\n(*### Problem\n\n") for part in shown)
    assert shown[-1] == (
        'Informal:\n(*### Problem\n\nIs it so?\n\n### Solution\n\nIt is.\n*)\n\nFormal:\ntheorem t: "True"\n'
    )
    assert all(part.endswith("qed") and "sledgehammer" in part for part in shown[:-1])


def test_number_theory_has_its_own_worked_examples() -> None:
    proposer = whole.Proposer("isabelle", SearchConfig(), "informal")

    def prompt(statement: str) -> str:
        return proposer.request(Asked(Theorem("t", "", statement), State("t", (), ""), 1)).prompt

    assert "consecutive" in prompt('theorem mathd_numbertheory_1: "True"')
    assert "consecutive" not in prompt('theorem mathd_algebra_1: "True"')


@pytest.mark.parametrize(
    ("prover", "completion", "proof"),
    [
        ("rocq", "intros x.\n  lra.\nQed.\nTheorem more", "intros x.\n  lra."),
        ("rocq", "Proof.\nlra.\n", "lra."),
        ("lean", "norm_num\n  linarith\n", "norm_num\nlinarith"),
        ("isabelle", "  by auto\n", "by auto"),
    ],
)
def test_a_proof_is_found_in_a_completion(prover: str, completion: str, proof: str) -> None:
    assert whole.body(prover, completion) == proof


def sampled(toy: ModuleType, theorem: Theorem, *proofs: str, **limits: Any) -> Any:
    prover = toy.Toy(ProverConfig())
    work = whole.sampling(theorem, prover, SearchConfig(**limits), ProverConfig())
    next(work)
    completions = [Completion("t#1", i, text, tokens=2) for i, text in enumerate(proofs)]
    try:
        work.send((prover, read(completions, copies=True)))
    except StopIteration as end:
        return end.value
    finally:
        prover.close()
    raise AssertionError("it asks twice")


def test_whole_proofs_are_checked_until_one_is_accepted(toy: ModuleType, theorem: Callable[..., Theorem]) -> None:
    stated = theorem("t", {"s0": {"a": "s1", "b": "QED"}, "s1": {"a": "QED"}}, refused=["b"])
    found = sampled(toy, stated, "c", "b", "b ", "a; a", "never seen")
    assert (found.outcome, found.proof, found.tried, found.rejected, found.tokens) == ("right", "a; a", 3, 2, 10)
    assert [node.status for node in found.tree] == ["expanded", "rejected", "rejected", "proved"]
    lost = sampled(toy, stated, "c", "b")
    assert lost.outcome == "wrong" and "none of 2 different proofs" in lost.why
    assert sampled(toy, stated, " ", "").why == "the model's proofs are empty"


def test_every_sample_can_be_checked_for_the_curve(toy: ModuleType, theorem: Callable[..., Theorem]) -> None:
    stated = theorem("t", {"s0": {"a": "QED", "b": "QED"}}, refused=[])
    found = sampled(toy, stated, "c", "b", "c", "a", " b", every=True)
    assert (found.outcome, found.proof, found.tried, found.samples, found.accepted) == ("right", "b", 3, 5, 3)
    once = sampled(toy, stated, "c", "b", "a")
    assert (once.tried, once.samples) == (2, 0)
    late = sampled(toy, stated, "c", "b", "c", every=True, seconds=1e-9)
    assert (late.outcome, late.samples) == ("timeout", 0)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_the_curve_is_the_share_of_subsets_that_hold_an_accepted_proof(accepted: list[int]) -> None:
    attempts = [Attempt(id=str(i), outcome="wrong", samples=6, accepted=right) for i, right in enumerate(accepted)]
    attempts.append(Attempt(id="stopped early", outcome="right"))
    curve = pass_curve(attempts, "t")
    assert [score.metric for score in curve] == ["pass@1", "pass@2", "pass@4", "pass@6"]
    for score in curve:
        k = int(score.metric.partition("@")[2])
        held = [any(i < right for i in chosen) for right in accepted for chosen in combinations(range(6), k)]
        assert score.value == pytest.approx(sum(held) / len(held)) and score.n == len(accepted)
        assert score.low - 1e-9 <= score.value <= score.high + 1e-9


def test_a_prompt_of_steps_is_written_as_corpora_write_them() -> None:
    prompt, stop = prompted("rocq", SearchConfig(format="steps"), ASKED.state.text)
    assert goals_and_steps([Step(ASKED.state.text, "ring.")]) == f"{prompt}ring." and stop == [proofsteps.GOAL]
