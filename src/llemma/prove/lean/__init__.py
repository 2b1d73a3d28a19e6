"""Lean 4 through the REPL of leanprover-community: a search worker, and checks of whole proofs."""

from __future__ import annotations

from llemma.prove.lean.prover import Lean
from llemma.prove.lean.statements import statement

__all__ = ["Lean", "statement"]
