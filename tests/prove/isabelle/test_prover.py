"""Verdicts: the same tests on the fake server and, where it is installed, on Isabelle."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from llemma.core import registry
from llemma.core.errors import RecipeError
from llemma.prove.isabelle import PUBLISHED, Isabelle
from llemma.prove.isabelle.config import convert
from llemma.prove.isabelle.theory import stated
from llemma.prove.prover import Refused, State
from llemma.prove.settings import paper
from llemma.prove.theorem import Theorem

pytestmark = pytest.mark.slow  # real processes

Make = Callable[..., Isabelle]


def theorem(goal: str) -> Theorem:
    return Theorem("t", "theory t imports Complex_Main\nbegin", f'theorem t:\n  shows "{goal}"')


EASY = theorem("(1::nat) + 1 = 2")
WRONG = theorem("(2::nat) = 3")
SQUARE = theorem("(0::real) \\\\<le> x * x".replace("\\\\", "\\"))
SECONDS = 60.0


def test_it_is_found_by_its_name() -> None:
    assert registry.find("prover", "isabelle") is Isabelle


def test_a_statement_opens(isabelle: Isabelle) -> None:
    assert isinstance(isabelle.open(EASY, SECONDS), State)
    refused = isabelle.open(Theorem("t", EASY.header, "theorem t: nonsense"), SECONDS)
    assert isinstance(refused, Refused) and refused.kind == "error"


def test_no_single_steps(isabelle: Isabelle) -> None:
    assert isinstance(isabelle.tactic("by simp"), Refused)
    step = isabelle.step(State("t", (), ""), "by simp", 1)
    assert isinstance(step, Refused) and step.kind == "forbidden" and "whole proofs" in step.why


def test_a_proof_is_accepted_with_no_oracle(isabelle: Isabelle) -> None:
    checked = isabelle.check(EASY, "by simp", SECONDS)
    assert checked.accepted and checked.axioms == () and checked.kind is None and checked.seconds > 0


def test_a_wrong_proof_is_not(isabelle: Isabelle) -> None:
    checked = isabelle.check(WRONG, "by simp", SECONDS)
    assert not checked.accepted and checked.kind == "error" and checked.why


@pytest.mark.parametrize("proof", ["sorry", "by simp sorry", "oops", "\\<proof>", 'oops lemma t: "True" by simp'])
def test_a_skipped_proof_is_forbidden(isabelle: Isabelle, proof: str) -> None:
    checked = isabelle.check(WRONG, proof, SECONDS)
    assert not checked.accepted and checked.kind == "forbidden"


@pytest.mark.parametrize("proof", ["proof -", 'have t: "(1::nat) + 1 = 2" by simp', "by simp by simp", "apply simp"])
def test_an_unfinished_or_overdone_proof_is_not_accepted(isabelle: Isabelle, proof: str) -> None:
    assert not isabelle.check(EASY, proof, SECONDS).accepted


def test_an_oracle_is_not_trusted(isabelle: Isabelle) -> None:
    checked = isabelle.check(EASY, "by eval", SECONDS)
    assert not checked.accepted and "oracle" in checked.why and checked.axioms


def test_gaps_are_filled(isabelle: Isabelle) -> None:
    sketch = 'proof -\n  have "(1::nat) + 1 = 2" sledgehammer\n  then show ?thesis normalhammer\nqed'
    done = isabelle.complete(EASY, sketch, SECONDS)
    assert done.checked.accepted and "hammer" not in done.proof and "by auto" in done.proof


def test_a_sketch_that_is_wrong_beside_its_gaps(isabelle: Isabelle) -> None:
    checked = isabelle.check(EASY, 'proof - have "(2::nat) = 3" by simp show ?thesis sledgehammer qed', SECONDS)
    assert not checked.accepted and "beside the gaps" in checked.why


def test_the_baseline_closes_what_is_easy_and_nothing_false(isabelle: Isabelle) -> None:
    assert isabelle.baseline(SQUARE, SECONDS).checked.accepted
    assert not isabelle.baseline(WRONG, SECONDS).checked.accepted


def test_sledgehammer_fills_what_no_closing_step_does(make: Make) -> None:
    done = make().complete(theorem("found_by metis_foo"), "sledgehammer", 30)
    assert done.checked.accepted and done.proof == "by (metis foo)"
    assert not make(hammer=False).complete(theorem("found_by metis_foo"), "sledgehammer", 30).checked.accepted


def test_the_papers_protocol_takes_a_sorry_for_a_gap_and_trusts_the_code_generator(make: Make) -> None:
    prover = make(protocol="llemma")
    done = prover.complete(EASY, "sorry", 30)
    assert done.checked.accepted and done.proof == "by auto"
    assert not prover.check(WRONG, "sorry", 30).accepted
    evaluated = prover.check(theorem("closed_by eval"), "sledgehammer", 30)
    assert evaluated.accepted and evaluated.axioms == ("Code_Runtime.holds_by_evaluation",)


def test_a_step_that_does_not_end_is_a_timeout_and_the_prover_goes_on(make: Make) -> None:
    prover = make(step_seconds=1, hammer=False)
    checked = prover.check(theorem("slow goal"), "by auto", 1.5)
    assert checked.kind == "timeout" and checked.seconds < 15
    assert prover.check(EASY, "by simp", 10).accepted


def test_too_many_gaps(make: Make) -> None:
    checked = make(gaps=2).check(EASY, "sledgehammer " * 3, 10)
    assert checked.kind == "forbidden" and "gaps" in checked.why


def test_a_theorem_that_is_none_is_an_error_of_its_own(make: Make) -> None:
    checked = make().check(Theorem("x", "nothing", "nothing"), "by simp", 10)
    assert not checked.accepted and checked.kind == "error"


def test_the_identity_names_version_session_and_settings(make: Make) -> None:
    one, other = make().identity, make(protocol="llemma").identity
    assert one.startswith("IsabelleFake HOL-Number_Theory ") and one != other


def test_no_cheat_and_no_ordinary_proof_proves_what_is_false(isabelle: Isabelle) -> None:
    proofs = tomllib.loads((Path(__file__).parent / "proofs.toml").read_text())
    for proof in [*proofs["allowed"], *(cheat for cheat, _ in proofs["cheats"])]:
        assert not isabelle.check(WRONG, proof, SECONDS).accepted, proof


def test_the_verdict_sees_a_skipped_proof_that_got_past_the_grammar(isabelle: Isabelle) -> None:
    told = stated(WRONG, "data")
    checked = isabelle._verdict(told, "sorry", SECONDS)
    assert not checked.accepted and "skip_proof" in checked.why
    assert not isabelle._verdict(told, "oops", SECONDS).accepted
    other = isabelle._verdict(told, f'oops lemma {told.name}: "(1::nat) + 1 = 2" by simp', SECONDS)
    assert not other.accepted and other.why == "proves another statement"


def test_its_options_come_with_the_settings_of_all_provers_and_a_wrong_one_is_named(make: Make) -> None:
    settings = {"protocol": "llemma", "hammer": False}
    assert not convert(settings).hammer and convert(paper()) == PUBLISHED
    with pytest.raises(RecipeError, match="hamer"):
        convert({"hamer": False})


def test_the_verdict_brings_the_proof_with_its_gaps_filled(isabelle: Isabelle) -> None:
    checked = isabelle.check(EASY, "  sledgehammer", SECONDS)
    assert checked.accepted and checked.proof.strip().startswith("by ")
