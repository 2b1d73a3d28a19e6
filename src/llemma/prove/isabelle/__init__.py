"""Isabelle: whole proofs checked through its server, gaps of a sketch filled first."""

from llemma.prove.isabelle.config import CLOSERS, PUBLISHED, IsabelleConfig
from llemma.prove.isabelle.prover import Completed, Isabelle

__all__ = ["CLOSERS", "PUBLISHED", "Completed", "Isabelle", "IsabelleConfig"]
