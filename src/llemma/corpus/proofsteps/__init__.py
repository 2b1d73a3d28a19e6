"""Formal proof steps: what a prover showed before each tactic, and the tactic, as texts to learn from.

The two forms are those of AlgebraicStack (Llemma, appendix A.1): blocks of goal and step for Lean and Rocq, a statement
followed by states and steps for Isabelle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

GOAL, STEP = "[GOAL]", "[PROOFSTEP]"
STATEMENT, PROOF_STATE, PROOF_STEP = "[STATEMENT]", "[PROOF STATE]", "[PROOF STEP]"
_MARKS = re.compile(r"^\[(?=(?:GOAL|PROOFSTEP|STATEMENT|PROOF STATE|PROOF STEP)\][ \t]*$)", re.MULTILINE)


class Step(NamedTuple):
    """What was to be proved, as the prover printed it, and the tactic applied to it."""

    goal: str
    tactic: str


class Proof(NamedTuple):
    """The steps of one theorem (or, where theorems are not told apart, of one file); `id` is unique in its source."""

    id: str
    steps: Sequence[Step]
    statement: str = ""


class Unread(NamedTuple):
    """A proof that is not used, and why."""

    id: str
    reason: str


def goals_and_steps(steps: Sequence[Step]) -> str:
    """`[GOAL]`, goal, `[PROOFSTEP]`, tactic for each step, on lines of their own."""
    return "\n".join(f"{GOAL}\n{_plain(step.goal)}\n{STEP}\n{_plain(step.tactic)}" for step in steps)


def statement_and_steps(proof: Proof) -> str:
    """`[STATEMENT]` and the statement, then `[PROOF STATE]`, state, `[PROOF STEP]`, step for each step."""
    steps = "".join(f"\n{PROOF_STATE}\n{_plain(state)}\n{PROOF_STEP}\n{_plain(step)}" for state, step in proof.steps)
    return f"{STATEMENT}\n{_plain(proof.statement)}{steps}"


def _plain(text: str) -> str:
    """The text without blank ends; a line that would read as one of our marks is moved in by a blank."""
    return _MARKS.sub(" [", text.strip("\n").rstrip())
