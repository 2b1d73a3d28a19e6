"""Figures of the paper on miniF2F's test half, for runs of the same prover to stand beside."""

from __future__ import annotations

PUBLISHED: dict[str, tuple[tuple[str, float], ...]] = {
    "minif2f-lean-test": (
        ("Code Llama 7B", 0.2049),
        ("Code Llama 34B", 0.2213),
        ("Llemma 7B", 0.2623),
        ("Llemma 34B", 0.2582),
        ("ReProver", 0.2650),
    ),
    "minif2f-isabelle-test": (
        ("Sledgehammer and heuristics", 0.2049),
        ("Code Llama 7B", 0.1762),
        ("Code Llama 34B", 0.1803),
        ("Llemma 7B", 0.2213),
        ("Llemma 34B", 0.2131),
    ),
}
"""Share of the 244 theorems proved, by task (Azerbayev et al. 2023; Lean's recomputed from the result files that it
published). Lean's statements and library were of mid-2023, Isabelle's statements an earlier version of the same."""
