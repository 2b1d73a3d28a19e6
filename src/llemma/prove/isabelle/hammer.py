"""Steps to be found: each gap of a proof gets the first closing step that works there, or what Sledgehammer finds.

Every candidate is a theory of its own: the proof with one step in one gap and `sorry` in all the others, so that
nothing but this step can fail. A gap gives facts to those behind it, not its own proof, so gaps are independent, and
many theories go into one request that Isabelle works on in parallel. The `sorry` is ours, in these trials alone: no
verdict is read from them but which step to try in the whole proof.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from llemma.prove.isabelle.config import IsabelleConfig
from llemma.prove.isabelle.grammar import Forbidden, Proof, read
from llemma.prove.isabelle.server import Node
from llemma.prove.isabelle.theory import Stated, trouble

_FOUND = re.compile(r"Try this: ([^\n]*?)(?: \((?:> )?[0-9.]+ m?s(?:, timed out)?\))?[ \t]*(?:\n|$)")
_EVAL = "by eval"
_Item = TypeVar("_Item")


class Trial(Protocol):
    """Checks theories together within a limit, and gives fresh names to them."""

    def use(self, theories: Mapping[str, str], seconds: float) -> dict[str, Node]:
        """The theories' nodes; those not done after `seconds` say so."""
        ...

    def fresh(self) -> str:
        """A theory name that was not used before."""
        ...


class Unfilled(Exception):
    """A proof whose gaps cannot be filled: the message says which, or what is wrong beside the gaps.

    `timeout` where time ran out first.
    """

    def __init__(self, why: str, *, timeout: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.timeout = timeout


def fill(trial: Trial, stated: Stated, proof: Proof, options: IsabelleConfig, seconds: float) -> list[str]:
    """One step for each gap of `proof`. Raises `Unfilled`.

    The steps are those that the published checker would take: the first closing step in the list that works, and
    Sledgehammer only where none does.
    """
    filling = _Filling(trial, stated, proof, options, seconds)
    filling.check_sketch()
    closers = [closer for closer in options.closers if closer != _EVAL or options.protocol == "llemma"]
    for steps in _slices(closers, max(1, options.at_once // max(1, proof.gaps))):
        filling.attempt(dict.fromkeys(filling.open(), steps))
    if options.hammer:
        filling.attempt(filling.hammer())
    if left := filling.open():
        raise Unfilled(f"no step found for gap {left[0] + 1} of {proof.gaps}", timeout=filling.left() <= 0)
    return [filling.found[gap] for gap in range(proof.gaps)]


def suggestions(node: Node, most: int) -> list[str]:
    """The proofs that Sledgehammer printed in `Try this: ...`, the first `most` that the grammar allows, each once."""
    found: list[str] = []
    for note in node.messages:
        for match in _FOUND.finditer(note.message):
            try:
                step = read(match.group(1))
            except Forbidden:
                continue
            if not step.gaps and step.parts[0] not in found:
                found.append(step.parts[0])
    return found[:most]


class _Filling:
    """A proof on its way: `found` has a step for each gap that is closed."""

    def __init__(self, trial: Trial, stated: Stated, proof: Proof, options: IsabelleConfig, seconds: float) -> None:
        self.found: dict[int, str] = {}
        self._trial, self._stated, self._proof, self._options = trial, stated, proof, options
        self._deadline = time.monotonic() + seconds
        self._own = 0.0  # seconds that the proof takes beside its gaps, in every theory again

    def left(self) -> float:
        """Seconds until time runs out."""
        return self._deadline - time.monotonic()

    def open(self) -> list[int]:
        """The gaps without a step, counted from 0."""
        return [gap for gap in range(self._proof.gaps) if gap not in self.found]

    def check_sketch(self) -> None:
        """Whether the proof is right but for its gaps. Raises `Unfilled`."""
        start = time.monotonic()
        [node] = self._use([{}], self._options.step_seconds * (1 + self._proof.commands))
        self._own = time.monotonic() - start
        if why := trouble(node):
            raise Unfilled(f"beside the gaps: {why}", timeout=why == "not finished in time")

    def attempt(self, steps: Mapping[int, Sequence[str]]) -> None:
        """Try each gap's steps; the first in order that works is found."""
        tries = [(gap, step) for gap, offered in steps.items() for step in offered]
        for some in _slices(tries, self._options.at_once):
            wanted = [(gap, step) for gap, step in some if gap not in self.found]
            if not wanted or self.left() <= 0:
                continue
            rounds = math.ceil(len(wanted) / self._options.threads)
            nodes = self._use([{gap: step} for gap, step in wanted], (self._options.step_seconds + self._own) * rounds)
            for (gap, step), node in zip(wanted, nodes, strict=True):
                if not trouble(node):
                    self.found.setdefault(gap, step)

    def hammer(self) -> dict[int, list[str]]:
        """What Sledgehammer suggests for each open gap; a theory a gap, as many at once as there are threads."""
        options = self._options
        provers = f', provers = "{options.hammer_provers}"' if options.hammer_provers else ""
        call = f"sledgehammer [timeout = {math.ceil(options.hammer_seconds)}{provers}] sorry"
        suggested: dict[int, list[str]] = {}
        for gaps in _slices(self.open(), options.threads):
            if self.left() <= 0:
                break
            nodes = self._use([{gap: call} for gap in gaps], options.hammer_seconds + options.step_seconds + self._own)
            for gap, node in zip(gaps, nodes, strict=True):
                suggested[gap] = suggestions(node, options.suggestions) if node is not None else []
        return suggested

    def _use(self, steps: Sequence[Mapping[int, str]], seconds: float) -> list[Node | None]:
        """The theories with these steps in their gaps and `sorry` in the others, checked together."""
        gaps = range(self._proof.gaps)
        proofs = [self._proof.filled([some.get(gap, "sorry") for gap in gaps]) for some in steps]
        theories = {(name := self._trial.fresh()): self._stated.theory(name, proof) for proof in proofs}
        nodes = self._trial.use(theories, max(0.1, min(seconds, self.left())))
        return [nodes.get(name) for name in theories]


def _slices(items: Sequence[_Item], size: int) -> Iterator[list[_Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
