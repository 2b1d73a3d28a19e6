"""Theorems: what is to be proved, as its data set states it."""

from __future__ import annotations

from typing import Any

import msgspec


class Theorem(msgspec.Struct, frozen=True):
    """A formal statement.

    `header` is what stands before it (imports, scopes, definitions). `statement` ends where its proof would begin: with
    its full stop (Rocq), before `:= by` (Lean), after the last proposition (Isabelle). `informal` and `informal_proof`
    are what a person would say. `meta` may hold split, level and subject.
    """

    id: str
    header: str
    statement: str
    informal: str = ""
    informal_proof: str = ""
    meta: dict[str, Any] = {}
