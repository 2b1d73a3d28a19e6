"""Formal proving: theorems opened, tactics searched, proofs checked afresh."""

from __future__ import annotations

from llemma.prove.attempt import Attempt, best_first
from llemma.prove.search import Candidate

__all__ = ["Attempt", "Candidate", "best_first"]
