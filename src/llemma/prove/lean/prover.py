"""Lean 4 as a prover: one REPL process that searches, and a fresh one for every proof that is checked.

Proof states of the REPL never change, so going back costs nothing: the process knows a state by its number, and we know
it by the theorem and the steps that lead to it. What a new process does not know is replayed.
"""

from __future__ import annotations

import secrets
import time

from llemma.core.errors import DataError, LlemmaError
from llemma.prove.config import ProverConfig
from llemma.prove.lean import grammar
from llemma.prove.lean.install import installation
from llemma.prove.lean.messages import Command, CommandReply, Failure, Tactic, errors
from llemma.prove.lean.repl import Repl, Stopped
from llemma.prove.lean.statements import Declaration, declaration, statement
from llemma.prove.lean.verdict import AXIOMS, after_tactic, printed_axioms, refused, trouble
from llemma.prove.prover import Checked, Refused, Result, State
from llemma.prove.theorem import Theorem

VERSION = 1
"""Of this client, where it matters for results: the grammar, what is sent, and what counts as proved."""

MOST_DEATHS = 5
"""Processes in a row that end before they answer, until we give up; each waits twice as long as the one before it."""

_FIRST_WAIT = 0.25  # seconds
_INDENT = "  "


class Lean:
    """One worker. Raises `MissingError` where Lean or its REPL is not installed. `open` and `step` raise `LlemmaError`
    when the REPL cannot be kept alive at all, or is too old to judge proofs."""

    name = "lean"

    def __init__(self, config: ProverConfig) -> None:
        self._config = config
        self._installation = installation(config)
        self._repl: Repl | None = None
        self._headers: dict[str, int] = {}
        self._states: dict[tuple[str, tuple[str, ...]], int] = {}
        self._theorems: dict[str, Theorem] = {}
        self._deaths = 0
        self._base_mb = 0.0

    @property
    def identity(self) -> str:
        """Toolchain, project, REPL, this client, and the walls where they are not the full ones."""
        walls = "" if self._config.isolation == "full" else f", isolation {self._config.isolation}"
        return f"{self._installation.identity}, client {VERSION}{walls}"

    def tactic(self, text: str) -> str | Refused:
        """The one allowed tactic that `text` is: without comments and common indentation."""
        try:
            return grammar.tactic(text)
        except grammar.Forbidden as error:
            return Refused("forbidden", str(error))

    def open(self, theorem: Theorem, seconds: float) -> State | Refused:
        """State the theorem with its proof left open. `seconds` are for the header and the statement together."""
        if self._theorems.get(theorem.id) != theorem:
            self._states = {key: state for key, state in self._states.items() if key[0] != theorem.id}
        self._theorems[theorem.id] = theorem
        try:
            return self._opened(theorem, time.monotonic() + seconds)
        except DataError as error:
            return Refused("error", error.what)
        except Stopped as stopped:
            return self._lost(stopped)

    def step(self, state: State, tactic: str, seconds: float) -> Result:
        """Apply `tactic` to `state`. A state that this process does not know is replayed within the settings' limits,
        which comes on top of `seconds`; its theorem must have been opened by this worker once."""
        allowed = self.tactic(tactic)
        if isinstance(allowed, Refused):
            return allowed
        try:
            start = self._reached(state)
            if isinstance(start, Refused):
                return start
            assert self._repl is not None
            steps = (*state.steps, allowed)
            reply = self._repl.tactic(Tactic(allowed, start), seconds)
            return self._kept(after_tactic(reply, state.theorem, steps))
        except Stopped as stopped:
            return self._lost(stopped)

    def proof(self, steps: tuple[str, ...]) -> str:
        """The steps below each other, in normal form; `check` moves them to the right."""
        return "\n".join(steps)

    def check(self, theorem: Theorem, proof: str, seconds: float) -> Checked:
        """Whether a fresh process accepts the theorem with `proof`, without errors and gaps, on allowed axioms, and
        with a type that is the statement's own."""
        begin = time.monotonic()
        try:
            found = self._checked(theorem, grammar.proof(proof), begin + seconds)
        except grammar.Forbidden as error:
            found = Checked(False, str(error), "forbidden")
        except DataError as error:
            found = Checked(False, error.what, "error")
        except Stopped as stopped:
            found = Checked(False, stopped.why, stopped.kind)
        spent = time.monotonic() - begin
        return Checked(found.accepted, found.why, found.kind, found.axioms, spent)

    def close(self) -> None:
        """End the process."""
        if self._repl is not None:
            self._repl.close()
        self._repl = None
        self._headers.clear()
        self._states.clear()

    def _process(self) -> Repl:
        """The process that searches: started, or started anew where it is gone or has grown too large."""
        if self._repl is not None and self._repl.alive() and not self._overgrown(self._repl):
            return self._repl
        self.close()
        if self._deaths >= MOST_DEATHS:
            self._deaths = 0
            raise LlemmaError(
                f"the Lean REPL ended {MOST_DEATHS} times before it answered anything",
                where=" ".join(self._installation.command),
                mend="run it there by hand; docs/proving-lean.md shows what it needs",
            )
        if self._deaths:
            time.sleep(_FIRST_WAIT * 2 ** (self._deaths - 1))
        self._deaths += 1  # until it answers
        self._base_mb = 0.0
        self._repl = Repl(self._installation)
        return self._repl

    def _overgrown(self, repl: Repl) -> bool:
        """Whether the process has grown by `recycle_mb` since it loaded its header: it forgets nothing it was told."""
        return self._base_mb > 0 and repl.resident_mb() - self._base_mb > self._config.recycle_mb

    def _lost(self, stopped: Stopped) -> Refused:
        self.close()
        return Refused(stopped.kind, stopped.why)

    def _kept(self, result: Result) -> Result:
        """Remember the number by which the process knows a state."""
        self._deaths = 0
        if isinstance(result, State):
            self._states[result.theorem, result.steps] = result.handle
        return result

    def _opened(self, theorem: Theorem, deadline: float) -> State | Refused:
        repl = self._process()
        header = self._header(repl, theorem.header, deadline)
        if isinstance(header, Refused):
            return header
        reply = repl.command(Command(f"{statement(theorem.statement)} := by sorry", env=header), _left(deadline))
        self._deaths = 0
        self._base_mb = self._base_mb or repl.resident_mb()
        wrong = trouble(reply, gaps=1)
        if wrong is not None:
            return wrong
        assert isinstance(reply, CommandReply)
        gap = reply.sorries[0]
        if gap.proof_state is None:
            return Refused("error", "the REPL gave no proof state for the statement")
        state = State(theorem.id, (), gap.goal, gap.proof_state)
        self._kept(state)
        return state

    def _header(self, repl: Repl, header: str, deadline: float) -> int | Refused | None:
        """The environment after `header`, elaborated once a process; None for an empty one."""
        if not header.strip():
            return None
        if header not in self._headers:
            found = _environment(repl, header, deadline)
            self._deaths = 0
            if isinstance(found, Refused):
                return found
            self._headers[header] = found
            self._base_mb = self._base_mb or repl.resident_mb()
        return self._headers[header]

    def _reached(self, state: State) -> int | Refused:
        """The number of `state` in the process that runs now; what leads to it is replayed where it is new there."""
        self._process()
        known = self._states.get((state.theorem, state.steps))
        if known is not None:
            return known
        theorem = self._theorems.get(state.theorem)
        if theorem is None:
            return Refused("error", f"theorem '{state.theorem}' has not been opened here")
        length = len(state.steps)
        while length and (state.theorem, state.steps[:length]) not in self._states:
            length -= 1
        if not length and (state.theorem, ()) not in self._states:
            opened = self._opened(theorem, time.monotonic() + self._config.open_seconds)
            if isinstance(opened, Refused):
                return opened
        return self._replayed(state, length)

    def _replayed(self, state: State, length: int) -> int | Refused:
        """`state`, whose first `length` steps this process knows. A different way of ending is an error."""
        assert self._repl is not None
        for end in range(length, len(state.steps)):
            allowed = self.tactic(state.steps[end])
            if isinstance(allowed, Refused):
                return allowed
            at = self._states[state.theorem, state.steps[:end]]
            reply = self._repl.tactic(Tactic(allowed, at), 2 * self._config.step_seconds)
            result = self._kept(after_tactic(reply, state.theorem, state.steps[: end + 1]))
            if isinstance(result, Refused):
                return Refused(result.kind, f"a step that passed before did not when it was replayed: {result.why}")
            if not isinstance(result, State):
                return Refused("error", "the proof ended earlier when it was replayed")
        return self._states[state.theorem, state.steps]

    def _checked(self, theorem: Theorem, proof: str, deadline: float) -> Checked:
        stated = declaration(statement(theorem.statement))
        name = stated.name or f"llemma_{secrets.token_hex(8)}"
        whole = f"{stated.text if stated.name else stated.named(name)} := by\n{_indented(proof)}\n"
        repl = Repl(self._installation)
        try:
            header = _environment(repl, theorem.header, deadline) if theorem.header.strip() else None
            if isinstance(header, Refused):
                return Checked(False, f"the header: {header.why}", header.kind)
            reply = repl.command(Command(whole, env=header), _left(deadline))
            wrong = trouble(reply)
            if wrong is not None:
                return Checked(False, wrong.why, wrong.kind)
            assert isinstance(reply, CommandReply)
            return _confirmed(repl, stated, name, reply.env, deadline)
        finally:
            repl.close()


def _confirmed(repl: Repl, stated: Declaration, name: str, env: int, deadline: float) -> Checked:
    """Ask what the theorem rests on, and whether it has the type of the statement stated again.

    The second name is new and not to be guessed, and the answer must hold it: nothing that ran before can have written
    this answer in advance.
    """
    other = f"llemma_{secrets.token_hex(8)}"
    ask = (
        f"{stated.again(other)} := by\n  sorry\n\nexample : type_of% @{other} := @{name}\n\n"
        f"#print axioms {name}\n\n#print axioms {other}"
    )
    reply = repl.command(Command(ask, env=env), _left(deadline))
    wrong = trouble(reply, gaps=1)
    if wrong is not None:
        return Checked(False, f"the theorem is not the one that was stated: {wrong.why}", wrong.kind)
    assert isinstance(reply, CommandReply)
    printed = printed_axioms(reply.messages)
    if not printed or not _is(printed[-1].name, other) or "sorryAx" not in printed[-1].axioms:
        return Checked(False, "the answer is none to what was asked", "error")
    ours = printed[:-1]
    if len(ours) != 1 or not _is(ours[0].name, name):
        return Checked(False, f"Lean did not say what '{name}' rests on", "error")
    beyond = [axiom for axiom in ours[0].axioms if axiom not in AXIOMS]
    if beyond:
        return Checked(False, f"it rests on {', '.join(beyond)}", "error", ours[0].axioms)
    return Checked(True, axioms=ours[0].axioms)


def _is(printed: str, name: str) -> bool:
    """Whether a printed name is `name`, perhaps in the namespaces that the header opened."""
    bare = [text.removeprefix("_root_.").replace("«", "").replace("»", "") for text in (printed, name)]
    return bare[0] == bare[1] or bare[0].endswith(f".{bare[1]}")


def _environment(repl: Repl, header: str, deadline: float) -> int | Refused:
    reply = repl.command(Command(header), _left(deadline))
    if isinstance(reply, Failure):
        return refused(reply.message)
    wrong = errors(reply.messages)  # a gap in a header shows among the axioms of what uses it
    return refused("\n".join(wrong)) if wrong else reply.env


def _indented(proof: str) -> str:
    return "\n".join(_INDENT + line for line in proof.split("\n"))


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
