"""The settings of Isabelle beside those that every prover has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from llemma.core.errors import RecipeError

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

CLOSERS = (
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
)
"""What is tried in a gap before Sledgehammer, in this order (as the paper's published checker)."""


class IsabelleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How proofs are checked by Isabelle."""

    protocol: Literal["default", "llemma"] = "default"
    """`default`: a `sorry` of the model is refused, and no proof may rest on an oracle. `llemma`, as published: a
    `sorry` is a gap like `sledgehammer`, and the oracle of `by eval` (the code generator, trusted as it is) is
    accepted."""

    header: Literal["data", "llemma"] = "data"
    """`data`: what each theorem's file says. `llemma`: the one list of imports of the paper's checker."""

    session: str = "HOL-Number_Theory"
    """The image that proofs are checked in. This one holds HOL, HOL-Computational_Algebra, HOL-Number_Theory and what
    they use of HOL-Library: all that miniF2F imports but for a few theories (`src/HOL/ROOT` of the distribution)."""

    include_sessions: tuple[str, ...] = ("HOL-Library",)
    """Further sessions whose theories headers import; what the image lacks is read from source, which is slow."""

    directories: list[str] = []
    """Folders with sessions of one's own, or the Archive of Formal Proofs (`.../thys`)."""

    build_seconds: Seconds = 3600.0
    """Wall seconds for the start of a session; a missing image is built first."""

    step_seconds: Seconds = 10.0
    """Wall seconds a closing step may take (10 as published)."""

    hammer: bool = True
    """Whether Sledgehammer is asked where no closing step works."""

    hammer_seconds: Seconds = 30.0
    """Wall seconds of one call of Sledgehammer (30 as published)."""

    hammer_provers: str = ""
    """Its provers, `cvc5 vampire verit e spass z3 zipperposition` as published; without it, Isabelle's own choice."""

    closers: tuple[str, ...] = CLOSERS
    """Closing steps tried in a gap, in order. Without the oracle of `by eval`, that step is left out."""

    suggestions: Positive = 3
    """Of the proofs that Sledgehammer suggests for a gap, how many are tried."""

    gaps: Positive = 64
    """A proof with more gaps is refused."""

    at_once: Positive = 8
    """Candidate theories a request; Isabelle works on them in parallel."""

    threads: Positive = 2
    """Threads of the prover."""


PUBLISHED = IsabelleConfig(
    protocol="llemma",
    header="llemma",
    include_sessions=("HOL-Library", "Symmetric_Polynomials"),
    hammer_provers="cvc5 vampire verit e spass z3 zipperposition",
)
"""Llemma's own check; `directories` must name the Archive of Formal Proofs, which holds one of the imports."""


def convert(options: dict[str, Any]) -> IsabelleConfig:
    """The settings in `ProverConfig.options`; a wrong one is a `RecipeError` that names it."""
    try:
        return msgspec.convert(options, IsabelleConfig)
    except msgspec.ValidationError as error:
        raise RecipeError(f"not an option of Isabelle: {error}", where="prover.options") from error
