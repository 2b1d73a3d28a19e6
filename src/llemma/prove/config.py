"""The settings of provers and of proof search."""

from __future__ import annotations

from typing import Annotated

import msgspec

from llemma.tools.config import Isolation

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ProverConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a prover's processes run."""

    step_seconds: Seconds = 5.0
    """Wall seconds a tactic."""

    open_seconds: Seconds = 120.0
    """Wall seconds for a header and a statement; importing Mathlib is slow on a cold disk."""

    check_seconds: Seconds = 120.0
    """Wall seconds for the check of a whole proof from a fresh file."""

    memory_mb: Positive = 4096
    """MiB a prover's process may use."""

    recycle_mb: Positive = 1500
    """A worker that has grown beyond this is started anew between two steps."""

    isolation: Isolation = "full"
    """`full`: no network, no writes. `rlimits`: for machines without bubblewrap; named in results."""

    command: list[str] = []
    """How to start the prover where it is not found by itself, e.g. `["lake", "env", "repl"]`."""

    project: str = ""
    """The folder that the command runs in: a Lean project with the libraries that headers import."""
