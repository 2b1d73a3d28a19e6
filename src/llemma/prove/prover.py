"""What a prover is: a theorem opened, a tactic tried from any earlier state, a whole proof checked afresh.

A prover is named `rocq`, `lean` or `isabelle` and looked up in the registry (kind "prover"). One prover object drives
one process and serves one thread; a run opens as many as it has workers. What a model writes is untrusted: `tactic`
lets one allowed tactic through, `check` alone decides what counts as proved.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from llemma.core import registry
from llemma.prove.config import ProverConfig
from llemma.prove.theorem import Theorem

Trouble = Literal["error", "timeout", "forbidden", "memory", "crash"]


class State(msgspec.Struct, frozen=True):
    """An open point in a proof.

    `steps` lead to it from the statement. `text` shows its goals as a model reads them, the current goal first, and is
    the state's identity within its theorem. `handle` is the prover's own short way back to it; it may grow stale.
    """

    theorem: str
    steps: tuple[str, ...]
    text: str
    handle: int = -1


class Proved(msgspec.Struct, frozen=True):
    """No goal is left after `steps`. Not yet a proof: `Prover.check` says whether it is one."""

    theorem: str
    steps: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True):
    """A tactic that led nowhere, or a theorem that does not open.

    `error` the prover refused it; `timeout` it took too long; `forbidden` the grammar of allowed tactics refused it,
    the prover never saw it; `memory` and `crash` ended the prover's process, which has been started anew.
    """

    kind: Trouble
    why: str


Result = State | Proved | Refused


class Checked(msgspec.Struct, frozen=True):
    """A whole proof's verdict from a fresh process: `accepted` with the `axioms` it rests on, or `why` not.

    `kind` says how a proof that is not accepted failed. `seconds` is wall time.
    """

    accepted: bool
    why: str = ""
    kind: Trouble | None = None
    axioms: tuple[str, ...] = ()
    seconds: float = 0.0
    proof: str = ""
    """What was judged, where the prover completed the proof it was given (Isabelle fills gaps); else empty."""


class Prover(Protocol):
    """One worker of a prover, made by a factory `(ProverConfig) -> Prover`, which raises
    `MissingError` where the prover is absent."""

    @property
    def name(self) -> str:
        """`rocq`, `lean`, `isabelle`."""
        ...

    @property
    def identity(self) -> str:
        """Prover and library versions, and ours where it matters for results: finished work is kept under it."""
        ...

    def tactic(self, text: str) -> str | Refused:
        """The one allowed tactic that a model's `text` is, in normal form; anything else is `Refused` as forbidden."""
        ...

    def open(self, theorem: Theorem, seconds: float) -> State | Refused:
        """State the theorem and begin its proof."""
        ...

    def step(self, state: State, tactic: str, seconds: float) -> Result:
        """Apply `tactic` (as a model wrote it; checked by `tactic`) to `state`, within about `seconds` of wall time.

        `state` may come from an earlier theorem, from another worker, or from before a restart: it is replayed.
        """
        ...

    def proof(self, steps: tuple[str, ...]) -> str:
        """The proof text that `steps` make: between `Proof.` and `Qed.` (Rocq), after `:= by` (Lean), after the
        statement (Isabelle)."""
        ...

    def check(self, theorem: Theorem, proof: str, seconds: float) -> Checked:
        """Whether a fresh process accepts the theorem's own statement with `proof`, every piece of which the grammar
        allows, with axioms within the prover's stated list."""
        ...

    def close(self) -> None:
        """End the process; a closed prover may be closed again."""
        ...


def open_prover(name: str, config: ProverConfig) -> Prover:
    """A new worker of the prover called `name`; an unknown name is a `RecipeError` with a suggestion."""
    factory = registry.find("prover", name, where=f"prover '{name}'")
    prover: Prover = factory(config)
    return prover
