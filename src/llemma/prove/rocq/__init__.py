"""Rocq (Coq) as a prover: tactics through `coqidetop`, proofs checked by `coqc`."""

from llemma.prove.rocq.prover import Rocq

__all__ = ["Rocq"]
