"""Solving one problem with Python at hand: the model writes a block of code, reads what it prints, and goes on.

The shape is that of ToRA (Gou et al. 2023): thoughts, a block fenced as `python`, its output in a block fenced as
`output`, and so on to the answer. Names stay between the blocks of a dialogue, and the limits hold for all of it.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Literal

import msgspec

from llemma.backends.base import Backend
from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.evals.answers import find
from llemma.evals.answers.find import Found
from llemma.evals.answers.python_values import answer_text
from llemma.evals.task import STOP
from llemma.tools import Execution, Sandbox, Session

OUTPUT = "```output"
"""Where a model stops to read; what follows in its own text would be invented."""

_BLOCK = re.compile(r"```[ \t]*(?:python|py|Python)[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_SHOWN = 2_000  # characters of an output that the model reads
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Ending = Literal["answered", "no_answer", "cut_off", "blocks", "time", "error"]


class Limits(msgspec.Struct, frozen=True):
    """Of a whole dialogue: new tokens, blocks of code, wall seconds of running code."""

    tokens: int = 1024
    blocks: int = 8
    seconds: float = 30.0


class Turn(msgspec.Struct, frozen=True):
    """What the model wrote before and in one block of code, what it then read, and how the code ended."""

    thought: str
    code: str
    output: str
    execution: Execution


class Dialogue(msgspec.Struct, frozen=True):
    """One solution. `last` is the text behind the last output, `ending` why it ended.

    `no_answer`: the model stopped without one; `cut_off`, `blocks`, `time`: a limit; `error`: the backend's.
    """

    problem: str
    turns: list[Turn]
    last: str
    answer: str | None
    ending: Ending
    why: str
    tokens: int
    seconds: float

    def text(self) -> str:
        """The dialogue for a terminal, without control characters of the model's."""
        parts = [part for turn in self.turns for part in (turn.thought, _fence("python", turn.code), turn.output)]
        end = f"answer: {self.answer}" if self.answer is not None else f"no answer ({self.ending}): {self.why}"
        return _CONTROL.sub(
            "\ufffd", "\n\n".join(part.strip("\n") for part in [*parts, self.last, end] if part.strip())
        )


def prompt(problem: str, examples: list[dict[str, str]] | None = None) -> str:
    """Worked dialogues, then the problem, in the shape of the word problems' prompts; by default our own examples."""
    if examples is None:
        path = Path(__file__).parent / "prompts" / "dialogue.json"
        examples = msgspec.json.decode(path.read_bytes(), type=list[dict[str, str]])
    shown = [f"Problem:\n{example['problem']}\n\nSolution:\n{example['solution']}" for example in examples]
    return "\n\n".join([*shown, f"Problem:\n{problem}\n\nSolution:\n"])


def solve(
    backend: Backend,
    box: Sandbox | None,
    problem: str,
    *,
    limits: Limits | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    start: str | None = None,
) -> Dialogue:
    """Let `backend` solve `problem`, with Python in `box`, or without tools when there is none.

    `start` is the whole prompt, by default `prompt(problem)`.
    """
    limits = limits or Limits()
    asked = _Asked(backend, limits, temperature, top_p, seed, start or prompt(problem))
    begun = time.monotonic()
    if box is None:
        turns, last, ending, why = _solve(asked, None, limits)
    else:
        with box.session(limits.seconds) as session:
            turns, last, ending, why = _solve(asked, session, limits)
    found = _answer(last, turns) if ending in ("answered", "blocks", "time") else None
    if ending == "answered" and found is None:
        ending, why = "no_answer", "no answer found in the text"
    answer, why = (found.answer, f"found by: {found.rule}") if found else (None, why)
    return Dialogue(problem, turns, last, answer, ending, why, asked.tokens, round(time.monotonic() - begun, 3))


class _Asked:
    """The requests of one dialogue: each continues the text so far."""

    def __init__(
        self, backend: Backend, limits: Limits, temperature: float, top_p: float, seed: int, start: str
    ) -> None:
        self.backend, self.left, self.text = backend, limits.tokens, start
        self.temperature, self.top_p, self.seed = temperature, top_p, seed
        self.tokens = 0

    def more(self) -> Completion:
        """The next completion; its tokens count against the limit."""
        request = Request(
            id=f"dialogue-{digest(self.text)[:12]}",
            prompt=self.text,
            stop=[OUTPUT, *STOP],
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=max(1, self.left),
            seed=self.seed,
        )
        completion = next(iter(self.backend.complete([request])))[0]
        self.tokens += completion.tokens
        self.left -= completion.tokens
        return completion


def _solve(asked: _Asked, session: Session | None, limits: Limits) -> tuple[list[Turn], str, Ending, str]:
    turns: list[Turn] = []
    while True:
        completion = asked.more()
        if completion.finish == "error":
            return turns, "", "error", completion.error or "the backend reported an error"
        block = _BLOCK.search(completion.text) if session is not None else None
        if block is None or (completion.finish == "length" and not block.group().endswith("```")):
            if completion.finish == "length":
                return turns, completion.text, "cut_off", f"the limit of {limits.tokens} tokens"
            return turns, completion.text, "answered", ""
        assert session is not None
        turn = _turn(completion.text[: block.start()], block.group(1), session)
        turns.append(turn)
        asked.text += f"{turn.thought}{_fence('python', turn.code)}\n{turn.output}\n"
        if session.ended is not None and turn.execution.outcome == "killed":
            return turns, "", "time", turn.execution.error or "the session of Python has ended"
        if len(turns) == limits.blocks:
            return turns, "", "blocks", f"the limit of {limits.blocks} blocks of code"
        if asked.left <= 0:
            return turns, "", "cut_off", f"the limit of {limits.tokens} tokens"


def _turn(thought: str, code: str, session: Session) -> Turn:
    end = session.run(code)
    said = end.stdout.rstrip("\n")
    if end.outcome != "ok":
        said = f"{said}\n{_failure(end)}".lstrip("\n")
    if len(said) > _SHOWN:
        said = f"{said[:_SHOWN]}\n... ({len(said) - _SHOWN} more characters)"
    # a fence that the program prints must not end the block
    return Turn(thought, code, _fence("output", said.replace("```", "'''")), end)


def _failure(end: Execution) -> str:
    if end.outcome == "error":
        return end.error or "the program failed"
    return f"{end.outcome}: {end.error or 'the program was ended'}"


def _fence(kind: str, text: str) -> str:
    return f"```{kind}\n{text}\n```"


def _answer(last: str, turns: list[Turn]) -> Found | None:
    """What the last text says, else the last line of the last output that is no failure."""
    found = find(last)
    if found is not None or not turns or turns[-1].execution.outcome != "ok":
        return found
    lines = turns[-1].execution.stdout.strip().splitlines()
    return Found(answer_text(lines[-1]), "the last output") if lines else None
