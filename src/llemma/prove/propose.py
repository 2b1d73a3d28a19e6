"""Prompts for tactics and whole proofs, and candidates out of completions.

A proposer turns a state into a request and the answers into candidates. The few-shot prompt has the published shape
(formal2formal, `prompt_fewshot`): an instruction line, three worked (state, tactic) pairs, then the state, each part
between lines of `---`, where the completion stops. The examples in `prompts/` are our own.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.prove.attempt import Asked, Proposed
from llemma.prove.config import SearchConfig
from llemma.prove.search import Candidate, by_rank

FENCE = "---"
GOAL, STEP = "[GOAL]", "[PROOFSTEP]"  # of corpora of proof steps (corpus/proofsteps)
PROMPTS = Path(__file__).parent / "prompts"


class Example(msgspec.Struct, frozen=True):
    """A state as the prover shows it, and a tactic that is right there."""

    state: str
    tactic: str


class Examples(msgspec.Struct, frozen=True):
    """What is shown before the state: the instruction line and the worked examples of a prover."""

    instruction: str
    examples: list[Example]


class Proposer(NamedTuple):
    """How candidates are asked of a model for the states of one prover's theorems."""

    prover: str
    config: SearchConfig

    def request(self, asked: Asked) -> Request:
        """The request for the candidates of one state; its id is `<theorem>#<number>`."""
        prompt, stop = prompted(self.prover, self.config, asked.state.text)
        name = f"{asked.theorem.id}#{asked.number}"
        return drawn(self.config, name, prompt, stop=stop, max_tokens=self.config.max_tokens)

    def read(self, completions: Sequence[Completion]) -> Proposed:
        """The candidates in completions; failed ones are left out while at least one is sound."""
        return read(completions)


def drawn(config: SearchConfig, name: str, prompt: str, *, stop: list[str], max_tokens: int) -> Request:
    """A request for `config.samples` completions, sampled or by beam, with a seed of its own."""
    request = Request(
        id=name,
        prompt=prompt,
        stop=stop,
        n=config.samples,
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=max_tokens,
        # from its name alone, so that neither order nor batch decides what is drawn
        seed=int(digest(config.seed, name)[:7], 16),
    )
    if config.proposals == "beam" and "beam" in Request.__struct_fields__:
        beam: dict[str, Any] = {"beam": True, "temperature": 0.0}
        return msgspec.structs.replace(request, **beam)
    return request


def read(completions: Sequence[Completion], *, copies: bool = False) -> Proposed:
    """The candidates in the completions of one request, by rank where a probability is missing: copies then count
    once, unless `copies` are wanted."""
    sound = [sample for sample in completions if sample.finish != "error"]
    tokens = sum(sample.tokens for sample in sound)
    seconds = max((sample.seconds for sample in sound), default=0.0)
    if not sound:
        return Proposed((), error=completions[0].error if completions else "no answer")
    texts = [one.text for one in sound]
    texts = texts if copies else list(dict.fromkeys(texts))
    told = [Candidate(one.text, one.logprob, max(1, one.tokens)) for one in sound if one.logprob is not None]
    candidates = told if len(told) == len(sound) else by_rank(texts)
    return Proposed(candidates, tokens, seconds)


def prompted(prover: str, config: SearchConfig, state: str) -> tuple[str, list[str]]:
    """The prompt for a tactic in `state`, and the strings that end it."""
    if config.format == "reprover":
        return state, []
    if config.format == "steps":
        return f"{GOAL}\n{state.strip()}\n{STEP}\n", [GOAL]
    return few_shot(prover, state), [FENCE]


def few_shot(prover: str, state: str) -> str:
    """The few-shot prompt for `state`; it ends where the tactic begins."""
    shown = examples(prover)
    pairs = [_pair(example.state, example.tactic) for example in shown.examples]
    return "\n\n".join([shown.instruction, *pairs, _asked(state)])


def _asked(state: str) -> str:
    return f"Tactic state:\n{FENCE}\n{state.strip()}\n{FENCE}\nNext tactic:\n{FENCE}\n"


def _pair(state: str, tactic: str) -> str:
    return f"{_asked(state)}{tactic}\n{FENCE}"


@functools.cache
def examples(prover: str) -> Examples:
    """The examples shipped for `prover`; for a prover without any, an instruction alone."""
    path = PROMPTS / f"{prover}.json"
    if not path.is_file():
        return Examples(f"Given the {prover} 'Tactic state', suggest a next tactic.", [])
    return msgspec.json.decode(path.read_bytes(), type=Examples)
