"""What the REPL's replies mean. Nothing is taken for proved that does not say so in every way that it can.

The words of `proofStatus` are those of the REPL's `REPL/Main.lean`: `Completed`, `Incomplete: …` with open goals, a
sorry or metavariables, `Error: …` from the kernel, and `Not verified: …`.
"""

from __future__ import annotations

import re

import msgspec

from llemma.core.errors import LlemmaError
from llemma.prove.lean.messages import CommandReply, Failure, Message, TacticReply, errors
from llemma.prove.prover import Proved, Refused, Result, State

AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})
"""What a proof may rest on: the axioms of Lean's own library (Theorem Proving in Lean, chapter on axioms)."""

_COMPLETED = "Completed"
_OPEN = "Incomplete: open goals remain"
_OUT_OF_TIME = ("(deterministic) timeout", "maximum number of heartbeats", "elaborator is taking too long")
_MOST_WORDS = 4000  # characters of an error that are kept: some print a whole goal of megabytes
_RESTS = re.compile(r"'(?P<name>.+)' depends on axioms: \[(?P<axioms>[^\]]*)\]\s*", re.DOTALL)
_FREE = re.compile(r"'(?P<name>.+)' does not depend on any axioms\s*", re.DOTALL)


class Axioms(msgspec.Struct, frozen=True):
    """What Lean printed of one theorem's axioms."""

    name: str
    axioms: tuple[str, ...]


def after_tactic(reply: TacticReply | Failure, theorem: str, steps: tuple[str, ...]) -> Result:
    """Where a tactic led to. `steps` include it. Raises `LlemmaError` for a REPL that does not judge proofs: a search
    with it would find nothing and not say why."""
    if isinstance(reply, Failure):
        return refused(reply.message)
    if not reply.proof_status:
        raise LlemmaError(
            "this Lean REPL does not say whether a proof is complete",
            where="prover 'lean'",
            mend="build one of 2025 or later",
        )
    wrong = errors(reply.messages)
    if wrong:
        return refused("\n".join(wrong))
    if reply.sorries:
        return Refused("error", "it leaves a gap")
    if reply.goals and reply.proof_status == _OPEN:
        return State(theorem, steps, "\n\n".join(reply.goals), reply.proof_state)
    if not reply.goals and reply.proof_status == _COMPLETED:
        return Proved(theorem, steps)
    return refused(reply.proof_status)


def refused(why: str) -> Refused:
    """An error in Lean's words; one that a limit of steps ended is a time-out."""
    return Refused("timeout" if any(words in why for words in _OUT_OF_TIME) else "error", why[:_MOST_WORDS])


def trouble(reply: CommandReply | Failure, *, gaps: int = 0) -> Refused | None:
    """What is wrong with a command that should pass with exactly `gaps` gaps; None where nothing is."""
    if isinstance(reply, Failure):
        return refused(reply.message)
    wrong = errors(reply.messages)
    if wrong:
        return refused("\n".join(wrong))
    if len(reply.sorries) != gaps or (not gaps and any(_says_sorry(message) for message in reply.messages)):
        return Refused("error", f"{len(reply.sorries)} gaps, {gaps} expected")
    return None


def printed_axioms(messages: tuple[Message, ...]) -> list[Axioms]:
    """All that `#print axioms` said, in its order."""
    found = []
    for message in messages:
        if message.severity != "info":
            continue
        if match := _RESTS.fullmatch(message.data):
            names = tuple(name.strip() for name in match["axioms"].split(",") if name.strip())
            found.append(Axioms(match["name"], names))
        elif match := _FREE.fullmatch(message.data):
            found.append(Axioms(match["name"], ()))
    return found


def _says_sorry(message: Message) -> bool:
    return message.severity == "warning" and re.search(r"declaration uses .?sorry", message.data) is not None
