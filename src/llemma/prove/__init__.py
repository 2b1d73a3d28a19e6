"""Formal proving: theorems opened, tactics searched, proofs checked afresh."""
