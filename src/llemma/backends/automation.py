"""`automation:` answers every prompt with a prover's own automation: the baseline that needs no model.

`automation:rocq` names the prover; without it, the opener is told which (`prover="rocq"`), or the prompt says it. For
each prover there is one fixed list, the same for every theorem: closing tactics first, cheap ones before dear ones,
then opening steps, which leave something to be closed by the next answer. The r-th of the list (from 0) has
log-probability -0.1 (r + 1), so that a search tries them in this order and prefers short proofs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from llemma.backends.base import Likelihood, failed, no_likelihoods
from llemma.core.errors import RecipeError, suggest
from llemma.core.files import digest
from llemma.core.types import Completion, Request

# Pieces of the tactics below. Functions that hypotheses define (`H : forall x, f x = ...`) are unfolded where they are
# applied, conjunctions taken apart, variables with known values replaced. Each piece is a loop that ends, but for
# recursive definitions, which the prover's time limit ends.
_APART = "repeat match goal with H : _ /\\ _ |- _ => destruct H end"
_UNFOLD = (
    "repeat match goal with "
    "H : forall _, ?f _ = _ |- context [?f _] => rewrite H "
    "| H : forall _, ?f _ = _, K : context [?f _] |- _ => rewrite H in K "
    "| H : forall _, _ -> ?f _ = _ |- context [?f _] => rewrite H by first [lra | lia | easy] "
    "| H : forall _, _ -> ?f _ = _, K : context [?f _] |- _ => rewrite H in K by first [lra | lia | easy] end"
)
_PLAIN = f"intros; {_APART}; subst"
_KNOWN = f"{_PLAIN}; {_UNFOLD}"
_DIVISION = f"intros; {_APART}; simpl in *; Zify.zify; PreOmega.Z.to_euclidean_division_equations"
_INDUCTION = "intros; match goal with n : nat |- _ => induction n end; simpl in *"
# x >= 0 and x * x = y for every x = sqrt y
_ROOT = (
    "lazymatch goal with K : (0 <= sqrt x)%R |- _ => fail "
    "| _ => pose proof (sqrt_pos x); pose proof (sqrt_sqrt x ltac:(first [lra | nra])) end"
)
_ROOTS = f"repeat match goal with |- context [sqrt ?x] => {_ROOT} | _ : context [sqrt ?x] |- _ => {_ROOT} end"
_CASES = (
    "unfold Rabs, Rmin, Rmax in *; repeat match goal with "
    "|- context [Rcase_abs ?x] => destruct (Rcase_abs x) | K : context [Rcase_abs ?x] |- _ => destruct (Rcase_abs x) "
    "| |- context [Rle_dec ?x ?y] => destruct (Rle_dec x y) "
    "| K : context [Rle_dec ?x ?y] |- _ => destruct (Rle_dec x y) end"
)
_CLEAR = "match goal with H : @eq R _ _ |- _ => progress field_simplify_eq in H; [| solve [lra | nra] ..] end"
# (x - y)^2 >= 0 for every pair
_SQUARES = (
    "repeat match goal with x : R, y : R |- _ => lazymatch goal with K : (0 <= Rsqr (x - y))%R |- _ => fail "
    "| _ => pose proof (Rle_0_sqr (x - y)) end end; unfold Rsqr in *"
)
_COMPUTED = "match goal with |- @eq nat _ _ => idtac | |- @eq Z _ _ => idtac | |- @eq (list _) _ _ => idtac end"

ROCQ = (
    # closing: the whole statement in one step
    "reflexivity",
    "intros; lra",
    "intros; lia",
    "easy",
    "intros; subst; ring",
    "intros; subst; field; lra",
    f"{_KNOWN}; lra",
    f"{_KNOWN}; solve [field; lra | nra]",
    f"{_KNOWN}; lia",
    f"{_PLAIN}; nra",
    "intros; simpl in *; lia",
    f"{_DIVISION}; lia",
    "repeat split; intros; solve [lra | ring | field; lra]",
    "repeat split; intros; solve [reflexivity | lia]",
    f"{_KNOWN}; {_ROOTS}; nra",
    f"{_KNOWN}; {_CASES}; nra",
    "intuition lra",
    "intuition lia",
    f"{_PLAIN}; nia",
    "intros; simpl in *; nia",
    f"{_DIVISION}; nia",
    f"repeat split; intros; {_APART}; subst; {_UNFOLD}; solve [lra | lia | nra | nia]",
    f"{_INDUCTION}; solve [lia | lra | nia | nra]",
    f"{_PLAIN}; {_SQUARES}; nra",
    f"{_KNOWN}; repeat {_CLEAR}; nra",
    f"intros; {_COMPUTED}; vm_compute; reflexivity",
    "auto",
    # opening: something is left
    _PLAIN,
    f"{_PLAIN}; progress ({_UNFOLD})",
    f"{_KNOWN}; {_CLEAR}",
    "progress simpl in *",
    "split",
    "match goal with H : _ \\/ _ |- _ => destruct H | H : exists _, _ |- _ => destruct H end",
    "match goal with |- exists _, _ => eexists end",
    "field_simplify_eq",
    "f_equal",
    "symmetry",
    "left",
    "right",
)

LEAN = (
    "rfl",
    "norm_num",
    "linarith",
    "omega",
    "ring",
    "decide",
    "simp",
    "norm_num [*] at *",
    "simp_all",
    "subst_vars; norm_num",
    "field_simp; ring",
    "field_simp at *; linarith",
    "positivity",
    "constructor <;> norm_num",
    "constructor <;> linarith",
    "intros; omega",
    "intros; linarith",
    "simp_all; linarith",
    "norm_num at *; linarith",
    "norm_num at *; nlinarith",
    "nlinarith",
    "nlinarith [sq_nonneg (1 : ℝ)]",
    "ring_nf at *; nlinarith",
    "push_cast; ring",
    "aesop",
    "intros",
    "constructor",
    "subst_vars",
    "simp at *",
    "ring_nf at *",
    "field_simp at *",
    "push_neg",
)

# The closing steps of Llemma's checker, in its order, then Sledgehammer: whole proofs.
ISABELLE = (
    "by auto",
    "by simp",
    "by blast",
    "by fastforce",
    "by force",
    "by eval",
    "by presburger",
    "by sos",
    "by arith",
    "by linarith",
    "by (auto simp: field_simps)",
    "sledgehammer",
)

LISTS = {"rocq": ROCQ, "lean": LEAN, "isabelle": ISABELLE}


class Automation(msgspec.Struct, frozen=True):
    """The lists as a backend; `prover` is empty where the prompt has to name it."""

    name: str
    prover: str
    identity: str
    device: str = "none"

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`; at most `request.n` tactics, fewer where the list is shorter."""
        for request in requests:
            listed = LISTS.get(self.prover or _named(request.prompt))
            if listed is None:
                yield failed(request, "neither model nor prompt names a prover: write automation:rocq")
                continue
            yield [
                Completion(request=request.id, sample=i, text=text, tokens=1, logprob=round(-0.1 * (i + 1), 4))
                for i, text in enumerate(listed[: request.n])
            ]

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """Fixed lists have no probabilities of texts: raises `MissingError`."""
        no_likelihoods(self.name)


def _named(prompt: str) -> str:
    """The prover that the prompt's first line names."""
    first = prompt.partition("\n")[0].lower()
    return next((prover for prover in LISTS if prover in first), "")


def open_automation(name: str, *, prover: str = "", **_options: Any) -> Automation:
    """The opener of `automation:[PROVER]`; an unknown prover is a `RecipeError`."""
    if name and name not in LISTS:
        raise RecipeError(
            f"no list of tactics for '{name}'",
            where=f"automation:{name}",
            mend=suggest(name, LISTS) or f"one of {', '.join(LISTS)}",
        )
    chosen = name or (prover if prover in LISTS else "")
    return Automation(f"automation:{name}", chosen, digest("automation", chosen or LISTS, LISTS.get(chosen, ())))
