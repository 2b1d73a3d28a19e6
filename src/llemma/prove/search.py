"""Best-first search for a proof of one theorem, as a machine that is driven from outside.

It does no work itself: `select` names the state to expand, `ranked` puts a model's candidates in order, `told` takes
what the prover made of each, `checked` the verdict on a finished proof. So many searches can share a model and
provers, and the order of all decisions can be tested without either.

Two rules (`SearchConfig.protocol`):

- `default`: a state's priority is the sum of its tactics' log-probabilities. A state is queued once, under its best
  way; a better way to a state that still waits replaces the worse. As no log-probability is above 0, a state that was
  expanded had its best way already (Dijkstra). Proved states and dead ends are passed on to all that lead there.
- `llemma`: the priority is the sum of per-token means, and only states that were already expanded are filtered: the
  same state can wait in the queue twice and be expanded twice (formal2formal `proofsearch.py`, where the sum is called
  a negative log-probability, which it is not).

Ties go to the state that was queued first.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from llemma.prove.config import SearchConfig
from llemma.prove.prover import Checked, Proved, Refused, Result, State, Trouble

Status = Literal["open", "expanded", "dead", "same", "finished", "proved", "rejected"] | Trouble
"""Of a node. A state: `open` waits, `expanded` has been tried, `dead` has only dead ends below it, `same` is the state
of another node, `proved` leads to an accepted proof. A finished proof: `finished` before its check, then `proved` or
`rejected`. A refused tactic: the prover's kind of trouble."""

TEXT_KEPT = 4_000
"""Characters of a state's or a refusal's text that the stored tree keeps."""


class Candidate(msgspec.Struct, frozen=True):
    """A tactic as a model wrote it; `logprob` is the sum over its `tokens`, in nats."""

    text: str
    logprob: float
    tokens: int = 1


class Node(msgspec.Struct):
    """One tried tactic and what it led to; node 0 is the statement. The whole list of them is the tree.

    `score` is the tactic's own, `priority` the sum along the best way here, both in nats; `order` says as which
    expansion it was expanded, from 1; `same` is the node that has this state already.
    """

    number: int
    parent: int
    tactic: str
    score: float
    priority: float
    status: Status
    text: str
    seconds: float = 0.0
    order: int = 0
    same: int = -1


class Search:
    """The search of one theorem from its opened `root`."""

    def __init__(self, root: State, config: SearchConfig) -> None:
        self.config, self.llemma = config, config.protocol == "llemma"
        self.nodes: list[Node] = []
        self.expansions = 0
        self._states: dict[int, State] = {}  # of nodes that wait
        self._known: dict[str, int] = {}  # text -> its node; under `llemma` of expanded states alone
        self._above: dict[int, list[int]] = {}  # a state's node -> the nodes whose tactics lead to it
        self._below: dict[int, set[int]] = {}  # an expanded node -> the nodes of its tactics that may still lead on
        self._queue: list[tuple[float, int, int]] = []
        self._queued = 0
        self._add(-1, "", 0.0, 0.0, "open", root.text, 0.0)
        self._push(0, root)

    def _add(self, *fields: Any) -> Node:
        node = Node(len(self.nodes), *fields)
        self.nodes.append(node)
        return node

    def _push(self, number: int, state: State) -> None:
        self._states[number] = state
        if not self.llemma:
            self._known[state.text] = number
        heapq.heappush(self._queue, (-self.nodes[number].priority, self._queued, number))
        self._queued += 1

    def select(self) -> tuple[Node, State] | None:
        """The best state that waits, now counted as expanded; None when none waits or all expansions are spent."""
        while self._queue and self.expansions < self.config.expansions:
            _, _, number = heapq.heappop(self._queue)
            node = self.nodes[number]
            if node.status != "open":
                continue  # it was queued again with a better way, and that came first
            self.expansions += 1
            node.status, node.order = "expanded", self.expansions
            self._known.setdefault(node.text, number)
            self._below[number] = set()
            return node, self._states.pop(number)
        return None

    def ranked(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The candidates to try, stripped, the best first; of equal texts the best one.

        Under `llemma` texts are compared before they are stripped, so that a tactic may be tried twice.
        """
        best: dict[str, Candidate] = {}
        for given in candidates:
            text = given.text if self.llemma else given.text.strip()
            if text.strip() and (text not in best or self.score(given) > self.score(best[text])):
                best[text] = given
        found = sorted(best.values(), key=lambda one: -self.score(one))  # stable: ties keep the model's order
        return [msgspec.structs.replace(one, text=one.text.strip()) for one in found]

    def score(self, candidate: Candidate) -> float:
        """What a candidate adds to the priority of the state it leads to: at most 0."""
        logprob = min(0.0, candidate.logprob)
        return logprob / max(1, candidate.tokens) if self.llemma else logprob

    def told(self, parent: Node, candidate: Candidate, result: Result, seconds: float = 0.0) -> Node:
        """Record what `candidate` made of the state of `parent`, in `seconds`; a new state is queued."""
        score = self.score(candidate)
        fields = (parent.number, candidate.text, score, parent.priority + score)
        if isinstance(result, Refused):
            return self._add(*fields, result.kind, result.why, seconds)
        if isinstance(result, Proved):
            node = self._add(*fields, "finished", "", seconds)
            self._join(parent.number, node.number, node.number)
            return node
        known = self._known.get(result.text)
        node = self._add(*fields, "open" if known is None else "same", result.text, seconds)
        node.same = -1 if known is None else known
        target = node.number if known is None else known
        self._join(parent.number, node.number, target)
        if known is None:
            self._push(node.number, result)
        else:
            self._again(self.nodes[known], node, result)
        return node

    def _join(self, parent: int, edge: int, target: int) -> None:
        self._above.setdefault(target, []).append(edge)
        self._below[parent].add(edge)

    def _again(self, known: Node, node: Node, state: State) -> None:
        """A known state was reached again: a better way replaces one that waits; a dead end stays one."""
        if known.status == "open" and node.priority > known.priority:
            known.priority = node.priority
            self._push(known.number, state)
        elif known.status == "dead":
            self._below[node.parent].discard(node.number)

    def done(self, node: Node) -> None:
        """All candidates of `node` have been tried: without one that may lead on, it and what is above it are dead."""
        waiting = [node.number]
        while waiting:
            number = waiting.pop()
            here = self.nodes[number]
            if here.status == "expanded" and not self._below[number]:
                here.status = "dead"
                for edge in self._above.get(number, []):
                    self._below[self.nodes[edge].parent].discard(edge)
                    waiting.append(self.nodes[edge].parent)

    def checked(self, node: Node, verdict: Checked) -> None:
        """The verdict on the finished proof that `node` ends; a rejected one leaves the search where it was."""
        if not verdict.accepted:
            node.status, node.text = "rejected", verdict.why
            self._below[node.parent].discard(node.number)
            return
        waiting = [node.number]
        while waiting:
            number = waiting.pop()
            if self.nodes[number].status != "proved":
                self.nodes[number].status = "proved"
                waiting += [self.nodes[edge].parent for edge in self._above.get(number, [])]

    def states(self) -> int:
        """How many different states were reached (under `llemma`: expanded)."""
        return len(self._known)

    def tree(self) -> list[Node]:
        """The nodes as they are stored, with long texts cut."""
        return [_cut(node) for node in self.nodes]


def _cut(node: Node) -> Node:
    if len(node.text) <= TEXT_KEPT:
        return node
    return msgspec.structs.replace(node, text=node.text[:TEXT_KEPT] + " [cut]")


def by_rank(texts: Sequence[str]) -> list[Candidate]:
    """Candidates of a model that tells no probabilities: that of rank r = 0, 1, ... counts as probability 1/(r + 2)."""
    return [Candidate(text, -math.log(rank + 2)) for rank, text in enumerate(texts)]
