"""Whole proofs from a model: sampled, and each checked by a fresh process until one is accepted.

`whole`: the statement, and the model continues with its proof. `informal`: the informal statement and proof first, in
the published shape (informal2formal, `minif2f_isabelle.py`): worked examples, then `Informal:` with both in a comment
and `Formal:` with the statement, which the model continues; three newlines end it. Which of two sets of examples is
shown depends, as published, on whether "numbertheory" occurs in the statement. The examples are our own.
"""

from __future__ import annotations

import functools
import textwrap
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Literal, NamedTuple

import msgspec

from llemma.core.errors import Interrupted
from llemma.core.types import Completion, Request
from llemma.prove.attempt import Asked, Attempt, Halted, Proposed, Turn, accepted, timed
from llemma.prove.config import ProverConfig, SearchConfig
from llemma.prove.propose import PROMPTS, drawn, read
from llemma.prove.prover import Prover, State
from llemma.prove.search import Candidate, Node
from llemma.prove.theorem import Theorem

Mode = Literal["whole", "informal"]
GAP = "\n\n\n"
"""Between worked examples, and the end of a proof."""

# how a statement leads into its proof, and where the proof ends
_LEADS = {"rocq": "\nProof.\n", "lean": " := by\n  ", "isabelle": "\n"}
_STOPS = {"rocq": ["Qed.", "Admitted.", "Abort.", GAP], "lean": ["\n\n"], "isabelle": [GAP, "\nend"]}


class Worked(msgspec.Struct, frozen=True):
    """A worked example: problem and solution in words, the formal statement, its proof."""

    informal: str
    informal_proof: str
    statement: str
    proof: str


class Proposer(NamedTuple):
    """How whole proofs are asked of a model."""

    prover: str
    config: SearchConfig
    mode: Mode

    def request(self, asked: Asked) -> Request:
        """The one request for a theorem's proofs; its id is `<theorem>#1`."""
        prompt = (informal if self.mode == "informal" else plain)(self.prover, asked.theorem)
        stop = [GAP] if self.mode == "informal" else _STOPS.get(self.prover, [GAP])
        name = f"{asked.theorem.id}#{asked.number}"
        return drawn(self.config, name, prompt, stop=stop, max_tokens=self.config.proof_tokens)

    def read(self, completions: Sequence[Completion]) -> Proposed:
        """The proofs in the completions, in their order."""
        return read(completions, copies=True)


def plain(prover: str, theorem: Theorem) -> str:
    """Header and statement; it ends where the proof begins."""
    return f"{theorem.header}\n\n{theorem.statement}{_LEADS.get(prover, '')}".lstrip()


def informal(prover: str, theorem: Theorem) -> str:
    """Worked examples, the informal statement and proof, the formal statement; it ends where the proof begins."""
    kind = "numbertheory" if "numbertheory" in theorem.statement else "other"
    lead = _LEADS.get(prover, "\n")
    shown = [
        _block(one.informal, one.informal_proof, one.statement) + lead + one.proof
        for one in worked(prover).get(kind, [])
    ]
    query = _block(theorem.informal, theorem.informal_proof, theorem.statement) + lead
    return GAP.join([*shown, query])


def _block(problem: str, solution: str, statement: str) -> str:
    return f"Informal:\n(*### Problem\n\n{problem}\n\n### Solution\n\n{solution}\n*)\n\nFormal:\n{statement}"


@functools.cache
def worked(prover: str) -> dict[str, list[Worked]]:
    """The worked examples of `prover` by kind of theorem; none for a prover without any."""
    path = PROMPTS / f"informal_{prover}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Worked]]) if path.is_file() else {}


def body(prover: str, text: str) -> str:
    """The proof in a completion: without what the model repeats around it, dedented."""
    if prover == "lean":
        text = f"  {text}"  # the prompt ended inside the first line's margin
    text = textwrap.dedent(text).strip()
    if prover == "rocq":
        text = text.removeprefix("Proof.").partition("Qed.")[0].strip()
    return text


def sampling(
    theorem: Theorem, prover: Prover, config: SearchConfig, limits: ProverConfig, halted: Halted = lambda: False
) -> Generator[Asked, Turn, Attempt]:
    """Yields once to ask for proofs; checks them in order until one is accepted (or all), then returns the attempt.

    Equal proofs are checked once. The theorem's seconds cover model and checks.
    """
    prover, proposed = yield Asked(theorem, State(theorem.id, (), theorem.statement), 1)
    nodes = [Node(0, -1, "", 0.0, 0.0, "expanded", theorem.statement, order=1)]
    spent, end = proposed.seconds, Attempt(id=theorem.id, outcome="wrong")
    copies, right = Counter(body(prover.name, one.text) for one in proposed.candidates), 0
    for candidate in _distinct(prover.name, proposed.candidates):
        if halted():
            raise Interrupted("stopped between two proofs", mend="the same command goes on")
        if spent >= config.seconds:
            if end.outcome != "right":
                end = msgspec.structs.replace(end, outcome="timeout", why=f"{config.seconds:g} seconds are spent")
            break
        verdict, seconds = timed(
            prover.check, theorem, candidate.text, min(limits.check_seconds, config.seconds - spent)
        )
        spent += seconds
        node = Node(
            len(nodes), 0, candidate.text, candidate.logprob, candidate.logprob, "proved", "", round(seconds, 4)
        )
        nodes.append(node)
        if verdict.accepted:
            right += copies[candidate.text]
            proof = end.proof or verdict.proof or candidate.text
            end = Attempt(id=theorem.id, outcome="right", proof=proof, axioms=end.axioms or list(verdict.axioms))
            if not config.every:
                break
            continue
        node.status, node.text = "rejected", accepted(verdict)
    tried = len(nodes) - 1
    if end.outcome == "wrong":
        end = _lost(end, proposed, nodes)
    known = config.every and end.outcome in ("right", "wrong")
    return msgspec.structs.replace(
        end,
        samples=len(proposed.candidates) if known else 0,
        accepted=right if known else 0,
        seconds=round(spent, 3),
        expansions=1,
        tried=tried,
        rejected=sum(node.status == "rejected" for node in nodes),
        tokens=proposed.tokens,
        model_seconds=round(proposed.seconds, 3),
        tree=nodes,
    )


def _lost(end: Attempt, proposed: Proposed, nodes: Sequence[Node]) -> Attempt:
    if proposed.error:
        return msgspec.structs.replace(end, outcome="error", why=f"the model gave no proofs: {proposed.error}")
    if len(nodes) == 1:
        return msgspec.structs.replace(end, why="the model's proofs are empty")
    why = f"none of {len(nodes) - 1} different proofs is accepted; the first: {nodes[1].text[:300]}"
    return msgspec.structs.replace(end, why=why)


def _distinct(prover: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates as proofs, in the model's order, without copies and empty ones."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        text = body(prover, candidate.text)
        if text:
            found.setdefault(text, msgspec.structs.replace(candidate, text=text))
    return list(found.values())
