"""Isabelle as a prover that checks whole proofs, and fills the gaps of a sketch first."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Mapping

import msgspec

from llemma.core.errors import DataError
from llemma.prove.config import ProverConfig
from llemma.prove.isabelle.config import IsabelleConfig, convert
from llemma.prove.isabelle.grammar import Forbidden, Proof, read
from llemma.prove.isabelle.hammer import Unfilled, fill
from llemma.prove.isabelle.server import Node, RefusedError, Server, version
from llemma.prove.isabelle.theory import Stated, evidence, shown, stated, trouble
from llemma.prove.isabelle.wire import WireError
from llemma.prove.prover import Checked, Refused, Result, State, Trouble
from llemma.prove.theorem import Theorem

_VERSION = "1"
"""Of what decides here; results are kept under it."""

_TRUSTED = {"default": frozenset[str](), "llemma": frozenset({"holds_by_evaluation"})}
"""Oracles a proof may rest on, by protocol: the second is that of `by eval` (`src/HOL/Code_Evaluation.thy` and
`src/Tools/Code/code_runtime.ML`), which the published list of closing steps has."""

_WHOLE = "Isabelle's server checks whole proofs and takes no single steps"
_BARE = "sledgehammer"
_SHARE = 0.8  # of the time, for the search of steps; the rest is the verdict's


class Completed(msgspec.Struct, frozen=True):
    """A verdict and the proof it is about, its gaps filled as far as that came."""

    checked: Checked
    proof: str


class Isabelle:
    """One Isabelle server; a `Prover` whose `step` refuses. Not for several threads at once."""

    def __init__(self, config: ProverConfig, options: IsabelleConfig | None = None) -> None:
        """Raises `MissingError` where Isabelle is not there. The server starts when it is first needed."""
        self.config = config
        self.options = options or convert(config.options)
        self._server = Server(config, self.options)
        self._numbers = itertools.count(1)

    @property
    def name(self) -> str:
        """`isabelle`."""
        return "isabelle"

    @property
    def identity(self) -> str:
        """Isabelle's version, the session, and a digest of the settings that decide."""
        said = self._server.version or version(self._server.isabelle)
        if not said:
            self._server.start()
            said = self._server.version
        digest = hashlib.sha256(msgspec.json.encode(self.options)).hexdigest()[:12]
        return f"{said} {self.options.session} {digest} {_VERSION}"

    def tactic(self, text: str) -> str | Refused:
        """Always refused: there are no single steps."""
        return Refused("forbidden", _WHOLE)

    def open(self, theorem: Theorem, seconds: float) -> State | Refused:
        """Whether the statement loads; the state's text is the statement."""
        name = self.fresh()
        try:
            node = self._server.use({name: self._stated(theorem).theory(name, "sorry")}, seconds).get(name)
        except (WireError, RefusedError, DataError) as error:
            return Refused(_kind(error), shown(str(error)))
        why = trouble(node)
        return Refused(_of(why), why) if why else State(theorem.id, (), theorem.statement)

    def step(self, state: State, tactic: str, seconds: float) -> Result:
        """Always refused: there are no single steps."""
        return Refused("forbidden", _WHOLE)

    def proof(self, steps: tuple[str, ...]) -> str:
        """The proof text that pieces make."""
        return "\n".join(steps)

    def check(self, theorem: Theorem, proof: str, seconds: float) -> Checked:
        """Whether a fresh theory accepts the statement with `proof`, its gaps filled, without errors or oracles.

        `Checked.axioms` are the oracles that it rests on; the axioms of HOL are in every proof.
        """
        completed = self.complete(theorem, proof, seconds)
        return msgspec.structs.replace(completed.checked, proof=completed.proof)

    def baseline(self, theorem: Theorem, seconds: float) -> Completed:
        """What no model at all proves: the closing steps, and Sledgehammer, on the statement itself."""
        return self.complete(theorem, _BARE, seconds)

    def complete(self, theorem: Theorem, proof: str, seconds: float) -> Completed:
        """The informal-to-formal check: gaps filled, then the whole proof checked. Takes about `seconds` at most."""
        start = time.monotonic()
        whole = proof
        try:
            told = self._stated(theorem)
            sketch = self._allowed(proof)
            if sketch.gaps:
                whole = sketch.filled(fill(self, told, sketch, self.options, _SHARE * seconds))
                whole = self._allowed(whole).filled([])
            else:
                whole = sketch.filled([])
            checked = self._verdict(told, whole, max(1.0, seconds - (time.monotonic() - start)))
        except (Forbidden, Unfilled, WireError, RefusedError, DataError) as error:
            checked = Checked(False, shown(str(error)), _kind(error))
        return Completed(msgspec.structs.replace(checked, seconds=time.monotonic() - start), whole)

    def use(self, theories: Mapping[str, str], seconds: float) -> dict[str, Node]:
        """Check theories of one's own together; for trials, verdicts are `check`'s."""
        return self._server.use(theories, seconds)

    def fresh(self) -> str:
        """A theory name that was not used before."""
        return f"Llemma_{next(self._numbers)}"

    def close(self) -> None:
        """End the server and everything it started; a closed prover starts anew when it is used."""
        self._server.stop()

    def _stated(self, theorem: Theorem) -> Stated:
        return stated(theorem, self.options.header)

    def _allowed(self, proof: str) -> Proof:
        sketch = read(proof, sorry_is_gap=self.options.protocol == "llemma")
        if sketch.gaps > self.options.gaps:
            raise Forbidden(f"{sketch.gaps} gaps; {self.options.gaps} are allowed")
        return sketch

    def _verdict(self, told: Stated, whole: str, seconds: float) -> Checked:
        """The only place that accepts: a clean theory, whose theorem prints the same as one made of the statement and a
        `sorry` of ours, and rests on no oracle that is not trusted."""
        name, plain = self.fresh(), self.fresh()
        nodes = self._server.use(told.with_verdict(name, whole) | told.with_verdict(plain, "sorry"), seconds)
        if why := trouble(nodes.get(name)):
            return Checked(False, why, _of(why))
        proved, asked = evidence(nodes, name), evidence(nodes, plain)
        if proved is None or asked is None:
            return Checked(False, "the theorem and its oracles could not be read", "error")
        if proved.statement != asked.statement:
            return Checked(False, "proves another statement", "forbidden")
        trusted = _TRUSTED[self.options.protocol]
        if untrusted := [oracle for oracle in proved.oracles if oracle.rpartition(".")[2] not in trusted]:
            return Checked(False, f"rests on the oracle '{untrusted[0]}'", "forbidden", proved.oracles)
        return Checked(True, axioms=proved.oracles)


def _kind(error: Exception) -> Trouble:
    if isinstance(error, Forbidden):
        return "forbidden"
    if isinstance(error, WireError):
        return error.kind
    if isinstance(error, Unfilled) and error.timeout:
        return "timeout"
    return "error"


def _of(why: str) -> Trouble:
    return "timeout" if why == "not finished in time" else "error"
