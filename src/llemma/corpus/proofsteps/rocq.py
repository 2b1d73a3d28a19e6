"""Rocq's proof steps: a real file run sentence by sentence, with the goals before every tactic written down.

The session is confined (`tools/coqidetop.py`), every sentence has a limit, and a proof that fails or takes too long is
left out and admitted, so that what comes after it can be read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import msgspec

from llemma.corpus.proofsteps import Proof, Step, Unread
from llemma.tools.coq_show import show
from llemma.tools.coq_text import sentences
from llemma.tools.coq_xml import Failure, Goals
from llemma.tools.coqidetop import Coqidetop, SessionError

_OPENING = re.compile(
    r"(?:Local\s+|Global\s+|Program\s+|Polymorphic\s+|#\[[^\]]*\]\s*)*"
    r"(?:Theorem|Lemma|Remark|Fact|Corollary|Proposition|Property|Example|Definition|Fixpoint|CoFixpoint|Instance|Let|"
    r"Goal|Obligation|Next\s+Obligation|Function|Add\s+\w+\s+\w+)\s+([^\W\d][\w']*)?"
)
_CLOSING = re.compile(r"(?:Qed|Defined|Admitted|Abort|Save)\b|Proof\s+[^\s.]")
_NO_TACTIC = re.compile(r"[A-Z]|[-+*{}]|(?:[0-9]+|\[\s*\w+\s*\])\s*:\s*\{")
_ADMITTED = "Admitted."


class Limits(msgspec.Struct, frozen=True):
    """Wall seconds a sentence and a file may take."""

    sentence: float = 10.0
    file: float = 600.0


def read(text: str, name: str, session: Coqidetop, limits: Limits | None = None) -> Iterator[Proof | Unread]:
    """The proofs of the `.v` text called `name`, in order, run in `session` from its root.

    A proof without tactics is none. What fails outside a proof is told as `Unread` and passed over. When the session
    dies the rest of the file is told as one `Unread`.
    """
    yield from _Reader(name, session, limits or Limits()).read(text)


class _Reader:
    """One file on its way through a session."""

    def __init__(self, name: str, session: Coqidetop, limits: Limits) -> None:
        self.name, self.session, self.limits = name, session, limits
        self.state = session.root
        self.goals: Goals | None = None
        self.theorem, self.statement = "", ""
        self.steps: list[Step] = []
        self.broken = ""
        """Why the proof that is being read is not used; its remaining sentences are passed over."""

    def read(self, text: str) -> Iterator[Proof | Unread]:
        """See `read` of the module."""
        deadline = time.monotonic() + self.limits.file
        for piece in sentences(text):
            if not piece.text:
                continue
            if time.monotonic() > deadline:
                yield Unread(self.name, f"no end after {self.limits.file:g} s")
                return
            try:
                found = self._sentence(piece.text)
            except SessionError as error:
                yield Unread(self.name, f"the prover's session ended: {error.what}")
                return
            if found is not None:
                yield found

    def _sentence(self, sentence: str) -> Proof | Unread | None:
        if self.broken:
            return self._skip(sentence)
        before = self.goals
        failure = self._run(sentence)
        if failure is not None:
            why = f"{failure.kind}: {failure.why}"
            if before is not None:
                self.broken = why
                return self._skip(sentence)
            if _OPENING.match(sentence) and ":=" not in sentence:  # its proof follows
                self._open(sentence)
                self.broken = why
                return None
            return Unread(f"{self.name}: {_start(sentence)}", why)
        if before is None:
            if self.goals is not None:
                self._open(sentence)
            return None
        if self.goals is None:
            return self._close()
        if before.foreground and not _NO_TACTIC.match(sentence):
            self.steps.append(Step(show(before), sentence))
        return None

    def _open(self, sentence: str) -> None:
        named = _OPENING.match(sentence)
        self.theorem = f"{self.name}/{(named and named[1]) or _start(sentence)}"
        self.statement, self.steps, self.broken = sentence, [], ""

    def _close(self) -> Proof | None:
        return Proof(self.theorem, self.steps, self.statement) if self.steps else None

    def _skip(self, sentence: str) -> Unread | None:
        """Pass over the rest of a broken proof; at its end admit it."""
        if not _CLOSING.match(sentence):
            return None
        why, self.broken = self.broken, ""
        if self.goals is not None and self._run(_ADMITTED) is not None:
            self._run("Abort.")
        return Unread(self.theorem, why)

    def _run(self, sentence: str) -> Failure | None:
        """Add and execute a sentence; after a failure the session stands where it stood before."""
        seconds = self.limits.sentence
        after = self.session.add(sentence, self.state, seconds)
        if isinstance(after, Failure):
            return after
        goals = self.session.goals(seconds)
        if isinstance(goals, Failure):
            back = self.session.edit_at(self.state, seconds)
            if back is not None:
                raise SessionError(f"no way back after a failure: {back.why}")
            return goals
        self.state, self.goals = after, goals
        return None


def _start(sentence: str) -> str:
    return " ".join(sentence.split())[:40]
