"""The prover `rocq`: one warm session for steps, a fresh `coqc` for verdicts."""

from __future__ import annotations

import functools
from pathlib import Path

import xxhash

from llemma.prove.config import ProverConfig
from llemma.prove.prover import Checked, Proved, Refused, Result, State, Trouble
from llemma.prove.rocq import check as checking
from llemma.prove.rocq import grammar
from llemma.prove.rocq.document import Document
from llemma.prove.rocq.headers import RULES, Stated, absent_library, stated
from llemma.prove.rocq.show import LONGEST, show
from llemma.prove.theorem import Theorem
from llemma.tools.coq import Coq, find_coq
from llemma.tools.coq_xml import Failure, Goals
from llemma.tools.coqidetop import SessionError

_GRAMMAR = 1  # raised when the grammar allows more or less
_LOOK = 8  # steps between two looks at the session's memory, each of which costs as much as parsing a goal


class Rocq:
    """A worker of the prover. Its session keeps what a theorem's header has in common with the one before."""

    name = "rocq"

    def __init__(self, config: ProverConfig) -> None:
        """Raises `MissingError` where Coq is not installed; the session starts with the first theorem."""
        self._config = config
        self._coq = find_coq()
        self._document = Document(config, self._coq)
        self._opened: dict[str, Stated] = {}
        self._steps = 0

    @property
    def identity(self) -> str:
        """Versions of Coq, of the libraries of users beside it, and of our rules."""
        return f"{self._coq.name}; {_libraries(self._coq)}; rules {RULES}.{_GRAMMAR}; {self._config.isolation}"

    def tactic(self, text: str) -> str | Refused:
        """The one allowed sentence that `text` is; see `grammar`."""
        return grammar.read_tactic(text)

    def open(self, theorem: Theorem, seconds: float) -> State | Refused:
        """State the theorem. `error` says what is wrong with its header or statement, or which library is absent."""
        told = stated(theorem, self._coq)
        if isinstance(told, Refused):
            return told
        self._opened[theorem.id] = told
        start = State(theorem.id, (), "")
        try:
            failure = self._document.reach(told.sentences, (), seconds, self._config.step_seconds)
            result = failure or self._document.goals(seconds)
            return self._opening(start, result)
        except SessionError as error:
            return self._lost(error)

    def step(self, state: State, tactic: str, seconds: float) -> Result:
        """Run one tactic. Steps of a state that the session has left are run again, from what both have in common."""
        sentence = grammar.read_tactic(tactic)
        if isinstance(sentence, Refused):
            return sentence
        told = self._opened.get(state.theorem)
        if told is None:
            return Refused("error", f"theorem '{state.theorem}' was not opened here")
        self._steps += 1
        if self._steps % _LOOK == 0 and self._document.resident_mb() > self._config.recycle_mb:
            self._document.close()
        try:
            failure = self._document.reach(told.sentences, state.steps, self._config.open_seconds, seconds)
            if failure is not None:
                return self._failed(failure, "on the way back to the state: ")
            return self._result(state, sentence, self._document.extend(sentence, seconds))
        except SessionError as error:
            return self._lost(error)

    def proof(self, steps: tuple[str, ...]) -> str:
        """The sentences, a line each."""
        return "\n".join(steps)

    def check(self, theorem: Theorem, proof: str, seconds: float) -> Checked:
        """The verdict of a fresh process; see `check`."""
        told = stated(theorem, self._coq)
        sentences = told if isinstance(told, Refused) else grammar.read_proof(proof)
        if isinstance(told, Refused) or isinstance(sentences, Refused):
            refused = told if isinstance(told, Refused) else sentences
            assert isinstance(refused, Refused)
            return Checked(False, refused.why, refused.kind)
        return checking.check(self._coq, self._config, told, sentences, seconds)

    def close(self) -> None:
        """End the session."""
        self._document.close()

    def _opening(self, start: State, result: Goals | Failure | None) -> State | Refused:
        if isinstance(result, Failure):
            refused = self._failed(result)
            return Refused(refused.kind, absent_library(refused.why) or refused.why)
        if result is None or not result.foreground:
            return Refused("error", "the statement opens no proof")
        return State(start.theorem, (), show(result))

    def _result(self, state: State, sentence: str, result: Goals | Failure | None) -> Result:
        if isinstance(result, Failure):
            return self._failed(result)
        steps = (*state.steps, sentence)
        if result is None or result.given_up:
            return Refused("forbidden", "the tactic gave up a goal, or ended the proof")
        if result.finished:
            return Proved(state.theorem, steps)
        text = show(result)
        if len(text) > LONGEST:
            return Refused("error", f"goals of more than {LONGEST} characters")
        return State(state.theorem, steps, text)

    def _failed(self, failure: Failure, before: str = "") -> Refused:
        """A failure that the session survives; out of memory it is given up all the same, to give the memory back."""
        if failure.kind == "memory":
            self._document.close()
        kind: Trouble = "timeout" if failure.kind == "interrupted" else failure.kind
        return Refused(kind, before + failure.why)

    def _lost(self, error: SessionError) -> Refused:
        self._document.close()
        return Refused(error.kind, error.what)


@functools.cache
def _libraries(coq: Coq) -> str:
    """The libraries of users, each with a digest of the names and sizes of its compiled files."""
    found = {}
    for root in coq.libraries:
        for folder in sorted(Path(root, "user-contrib").glob("*/")):
            files = sorted((str(file.relative_to(folder)), file.stat().st_size) for file in folder.rglob("*.vo"))
            found[folder.name] = xxhash.xxh64_hexdigest(repr(files).encode())[:8]
    return ", ".join(f"{name} {digest}" for name, digest in sorted(found.items())) or "no libraries"
