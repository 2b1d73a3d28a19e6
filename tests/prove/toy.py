"""A prover and a model for tests, registered as `toy` when this file is loaded as a plug-in.

A statement is a JSON object: `graph` maps a state to its tactics, each with the state it leads to, `QED`, or a kind of
trouble (`error`, `timeout`, `crash`, `raise`, `stall`); `weights` gives tactics log-probabilities (others have -1);
`refused` lists proofs that the fresh check does not accept; `unstated` makes the theorem one that does not open.
The proof of steps a, b is `a; b`. A tactic that begins with `vernacular` is forbidden.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from llemma.backends.base import Likelihood, cut, no_likelihoods
from llemma.core.errors import MissingError
from llemma.core.registry import register
from llemma.core.types import Completion, Request
from llemma.prove.config import ProverConfig
from llemma.prove.prover import Checked, Proved, Refused, Result, State
from llemma.prove.theorem import Theorem

ROOT = "s0"
STALL = 0.2  # seconds a stalling tactic takes


class Toy:
    """The prover; it owns a process, so that a leaked prover can be seen."""

    name, identity = "toy", "toy-1"
    alive = 0
    raised: set[str] = set()

    def __init__(self, config: ProverConfig) -> None:
        if os.environ.get("TOY_ABSENT"):
            raise MissingError("toy is not here", mend="find it")
        self.theorem: Theorem | None = None
        self.stepped: list[tuple[str, str]] = []
        self.closed = False
        mark = os.environ.get("TOY_MARK")
        self.process = (
            subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE) if mark else None
        )
        Toy.alive += 1

    def tactic(self, text: str) -> str | Refused:
        return Refused("forbidden", "no vernacular") if text.startswith("vernacular") else text.strip(" .")

    def open(self, theorem: Theorem, seconds: float) -> State | Refused:
        assert not self.closed
        fact = json.loads(theorem.statement)
        if fact.get("unstated"):
            return Refused(fact["unstated"], "what is that?")
        self.theorem, self.fact = theorem, fact
        return self._state((), ROOT)

    def _state(self, steps: tuple[str, ...], at: str) -> State:
        assert self.theorem is not None
        weights = self.fact.get("weights", {})
        known = [f"{tactic} {weights.get(f'{at} {tactic}', -1.0)}" for tactic in self.fact["graph"].get(at, {})]
        return State(self.theorem.id, steps, "\n".join([f"state {at}", *known]))

    def step(self, state: State, tactic: str, seconds: float) -> Result:
        assert self.theorem is not None and state.theorem == self.theorem.id, "not the open theorem"
        assert not isinstance(self.tactic(tactic), Refused), "a forbidden tactic reached the prover"
        at = state.text.split("\n")[0].removeprefix("state ")
        self.stepped.append((at, tactic))
        if self.fact.get("pause"):
            time.sleep(self.fact["pause"])
        led = self.fact["graph"].get(at, {}).get(tactic, "error")
        if led == "raise once" and self.theorem.id not in Toy.raised:
            Toy.raised.add(self.theorem.id)
            raise RuntimeError("the pipe is broken")
        if led == "raise once":
            led = "QED"
        if led == "raise":
            raise RuntimeError("the pipe is broken")
        if led == "stall":
            time.sleep(min(STALL, seconds))
            led = "timeout"
        if led == "QED":
            return Proved(self.theorem.id, (*state.steps, tactic))
        if led in ("error", "timeout", "crash", "memory"):
            return Refused(led, "no")  # type: ignore[arg-type]
        return self._state((*state.steps, tactic), led)

    def proof(self, steps: tuple[str, ...]) -> str:
        return "; ".join(steps)

    def check(self, theorem: Theorem, proof: str, seconds: float) -> Checked:
        fact = json.loads(theorem.statement)
        at = ROOT
        for tactic in proof.split("; "):
            at = fact["graph"].get(at, {}).get(tactic, "error").replace("raise once", "QED")
        if at != "QED" or proof in fact.get("refused", []):
            return Checked(False, "refused by the fresh process", "error")
        return Checked(True, axioms=("choice",) if fact.get("axiom") else ())

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            Toy.alive -= 1
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Model:
    """Proposes the tactics that a toy state names, in a fixed order, with their log-probabilities.

    `toy:SECONDS` waits before it answers; `toy:dead` is a server that is gone, `toy:dying` one that goes;
    `toy:failing` answers with errors.
    """

    device = "none"

    def __init__(self, name: str, **_options: Any) -> None:
        self.name, self.identity = f"toy:{name}", "toy-model-1"
        self.kind = name
        self.asked: list[Request] = []

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        if self.kind == "dead":
            raise MissingError("the server is gone", mend="start it")
        self.asked += requests
        for request in requests:
            if self.kind == "dying" and len(self.asked) > 8:
                raise MissingError("the server died", mend="start it")
            if self.kind == "dying":
                yield self._answer(request)
                continue
            if self.kind not in ("", "failing"):
                time.sleep(float(self.kind))
            yield self._answer(request)

    def _answer(self, request: Request) -> list[Completion]:
        if self.kind == "failing":
            return [Completion(request.id, i, "", "error", error="out of memory") for i in range(request.n)]
        state = request.prompt.rpartition("\nstate ")[2].split("\n---")[0]
        pairs = [line.rsplit(" ", 1) for line in state.split("\n")[1:]]
        return [
            Completion(
                request.id, i, cut(text, request.stop)[0], tokens=len(text), logprob=float(weight), seconds=0.001
            )
            for i, (text, weight) in enumerate(pairs[: request.n])
        ] or [Completion(request.id, 0, "nothing", tokens=1, logprob=-1.0)]

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        no_likelihoods(self.name)


register("prover", "toy", Toy)
register("backend", "toy", Model)
