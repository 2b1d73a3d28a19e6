"""One theorem attempted by search: a generator that asks for candidates and is sent them together with a prover.

So the same code serves `best_first`, where one caller does everything in turn, and a run, where the theorem waits for
the model without holding a prover and may go on with another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec

from llemma.core.errors import Interrupted
from llemma.prove.config import ProverConfig, SearchConfig
from llemma.prove.prover import Checked, Proved, Prover, Refused, State
from llemma.prove.search import Candidate, Node, Search
from llemma.prove.theorem import Theorem

T = TypeVar("T")
Ending = Literal["right", "wrong", "timeout", "error"]
ENDINGS: tuple[Ending, ...] = ("right", "wrong", "timeout", "error")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How one theorem ended.

    `right`: `proof` was accepted by a fresh process. `wrong`: the search or the samples ended without such a proof.
    `timeout`: the theorem's seconds were spent. `error`: the prover did not take the theorem (`taken` is false), or
    prover or model failed. `seconds` is the time spent on it in prover and model, `steps` the tactics of the proof.
    """

    id: str
    outcome: Ending
    proof: str = ""
    why: str = ""
    seconds: float = 0.0
    steps: list[str] = []
    axioms: list[str] = []
    expansions: int = 0
    tried: int = 0
    """Tactics, or whole proofs, that the prover was given."""
    rejected: int = 0
    """Proofs that were finished but not accepted by a fresh process."""
    tokens: int = 0
    samples: int = 0
    """Whole proofs that the model gave, copies counted, where every one was checked; else 0."""
    accepted: int = 0
    """How many of `samples` were accepted."""
    taken: bool = True
    model_seconds: float = 0.0
    tree: list[Node] = []


class Proposed(NamedTuple):
    """A model's candidates for one state, what they cost, and the `error` where there are none because it failed."""

    candidates: Sequence[Candidate]
    tokens: int = 0
    seconds: float = 0.0
    error: str = ""


class Asked(NamedTuple):
    """A state for which candidates are wanted: the `number`-th, from 1, of this theorem."""

    theorem: Theorem
    state: State
    number: int


Turn = tuple[Prover, Proposed]
Halted = Callable[[], bool]


def best_first(
    theorem: Theorem,
    prover: Prover,
    propose: Callable[[State], Sequence[Candidate]],
    config: SearchConfig | None = None,
    limits: ProverConfig | None = None,
) -> Attempt:
    """Search for a proof of `theorem`; `propose` names tactics to try in a state, in any order, with log-probabilities.

    `config` is of the search, `limits` holds the seconds of single calls of the prover; without them, the defaults.
    The proof that is returned was accepted by `prover.check` in a fresh process. What `propose` or the prover raises
    goes through. The caller closes the prover.
    """
    search = searching(theorem, prover, config or SearchConfig(), limits or ProverConfig())
    try:
        asked = next(search)
        while True:
            begun = time.monotonic()
            candidates = propose(asked.state)
            asked = search.send((prover, Proposed(candidates, seconds=time.monotonic() - begun)))
    except StopIteration as end:
        found: Attempt = end.value
        return found


def searching(
    theorem: Theorem, prover: Prover, config: SearchConfig, limits: ProverConfig, halted: Halted = lambda: False
) -> Generator[Asked, Turn, Attempt]:
    """Yields each state to expand, is sent a prover that has the theorem open and the candidates; returns the end.

    Raises `Interrupted` between two tactics once `halted()` is true.
    """
    return (yield from _Searching(theorem, config, limits, halted).run(prover))


class _Searching:
    def __init__(self, theorem: Theorem, config: SearchConfig, limits: ProverConfig, halted: Halted) -> None:
        self.theorem, self.config, self.limits, self.halted = theorem, config, limits, halted
        self.seconds = self.spent = self.model_seconds = 0.0
        self.tokens = self.tried = self.rejected = 0
        self.trouble = ""  # the model's last failure
        self.fatal = ""  # what ends the theorem at once, under the published rules

    def run(self, prover: Prover) -> Generator[Asked, Turn, Attempt]:
        opened, self.seconds = timed(prover.open, self.theorem, self.limits.open_seconds)
        if isinstance(opened, Refused):
            taken = opened.kind in ("crash", "memory")
            why = f"the prover does not take the theorem: {opened.kind}: {opened.why}"
            return Attempt(id=self.theorem.id, outcome="error", why=why, seconds=round(self.seconds, 3), taken=taken)
        self.search = Search(opened, self.config)
        while not self.fatal and self._left() > 0 and (chosen := self.search.select()) is not None:
            node, state = chosen
            prover, proposed = yield Asked(self.theorem, state, self.search.expansions)
            self._pay(proposed)
            proof = self._expand(prover, node, state, proposed.candidates)
            if proof is not None:
                return proof
        return self._ended()

    def _left(self) -> float:
        return self.config.seconds - self.spent

    def _pay(self, proposed: Proposed) -> None:
        self.tokens += proposed.tokens
        self.spent += proposed.seconds
        self.seconds += proposed.seconds
        self.model_seconds += proposed.seconds
        self.trouble = proposed.error or self.trouble

    def _expand(self, prover: Prover, node: Node, state: State, candidates: Sequence[Candidate]) -> Attempt | None:
        """Try the candidates until one ends in an accepted proof."""
        seen: set[str] = set()
        for candidate in self.search.ranked(candidates):
            if self.halted():
                raise Interrupted("stopped between two tactics", mend="the same command goes on")
            if self._left() <= 0 or self.fatal:
                return None
            tactic = prover.tactic(candidate.text)
            if isinstance(tactic, Refused):
                self.search.told(node, candidate, tactic)
            elif self.search.llemma or tactic not in seen:
                seen.add(tactic)
                found = self._step(prover, node, state, candidate, tactic)
                if found is not None:
                    return found
        self.search.done(node)
        return None

    def _step(self, prover: Prover, node: Node, state: State, candidate: Candidate, tactic: str) -> Attempt | None:
        result, seconds = timed(prover.step, state, tactic, min(self.limits.step_seconds, self._left()))
        self.tried += 1
        self.spent += seconds
        self.seconds += seconds
        made = self.search.told(node, candidate, result, round(seconds, 4))
        if isinstance(result, Proved):
            return self._check(prover, made, result.steps)
        if self.search.llemma and isinstance(result, Refused) and result.kind in ("crash", "memory"):
            self.fatal = f"{result.kind}: {result.why}"
        return None

    def _check(self, prover: Prover, node: Node, steps: tuple[str, ...]) -> Attempt | None:
        """The attempt's end if a fresh process accepts the proof; else it is noted and the search goes on."""
        proof = prover.proof(steps)
        verdict, seconds = timed(prover.check, self.theorem, proof, self.limits.check_seconds)
        self.seconds += seconds
        self.search.checked(node, verdict)
        if not verdict.accepted:
            self.rejected += 1
            return None
        return self._end("right", "", proof=proof, steps=list(steps), axioms=list(verdict.axioms))

    def _ended(self) -> Attempt:
        if self.fatal:
            return self._end("error", f"the prover ended: {self.fatal}")
        if self._left() <= 0:
            return self._end("timeout", f"{self.config.seconds:g} seconds are spent{self._rejections()}")
        if self.trouble:
            return self._end("error", f"the model gave no candidates: {self.trouble}")
        if self.search.expansions >= self.config.expansions:
            return self._end("wrong", f"no proof within {self.config.expansions} expansions{self._rejections()}")
        return self._end("wrong", f"every way ends; states seen: {self.search.states()}{self._rejections()}")

    def _rejections(self) -> str:
        refused = [node.text for node in self.search.nodes if node.status == "rejected"]
        if not refused:
            return ""
        return f"; {len(refused)} finished proofs were not accepted, the first: {refused[0][:300]}"

    def _end(self, outcome: Ending, why: str, **proof: object) -> Attempt:
        found = Attempt(
            id=self.theorem.id,
            outcome=outcome,
            why=why,
            seconds=round(self.seconds, 3),
            expansions=self.search.expansions,
            tried=self.tried,
            rejected=self.rejected,
            tokens=self.tokens,
            model_seconds=round(self.model_seconds, 3),
            tree=self.search.tree(),
        )
        return msgspec.structs.replace(found, **proof)


def timed(work: Callable[..., T], *arguments: object) -> tuple[T, float]:
    """What `work` returns, and the wall seconds it took."""
    begun = time.monotonic()
    result = work(*arguments)
    return result, time.monotonic() - begun


def accepted(verdict: Checked) -> str:
    """`accepted`, or why not, in a line."""
    return "accepted" if verdict.accepted else f"{verdict.kind or 'refused'}: {verdict.why}"
