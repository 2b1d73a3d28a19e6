"""A list of sentences in a session of Rocq, brought to whatever list is wanted: back to the common part, then on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llemma.prove.config import ProverConfig
from llemma.prove.rocq.headers import is_import
from llemma.tools.coq import Coq
from llemma.tools.coq_xml import Failure, Goals
from llemma.tools.coqidetop import Coqidetop, SessionError

# goals come as one line a hypothesis, whole
PRELUDE = ("Set Printing Width 100000.", "Set Printing Depth 1000.")
_SLACK = 0.25  # wall seconds beyond a sentence's own limit before it is interrupted from outside


class Document:
    """Sentences that one session holds and has run. The session is opened when needed, anew after it is lost."""

    def __init__(self, config: ProverConfig, coq: Coq) -> None:
        self._config = config
        self._coq = coq
        self._session: Coqidetop | None = None
        self._sentences: list[str] = []
        self._states: list[int] = []

    def close(self) -> None:
        """End the session; the next call opens another."""
        session, self._session = self._session, None
        self._sentences, self._states = [], []
        if session is not None:
            session.close()

    def resident_mb(self) -> float:
        """MiB of memory that the session holds."""
        return self._session.resident_mb() if self._session is not None else 0.0

    def reach(self, base: Sequence[str], steps: Sequence[str], seconds: float, limit: float) -> Failure | None:
        """Bring the document to `PRELUDE + base + steps`: `seconds` for all that is new of the base, `limit` a step.
        After a failure what failed is not there, nor is anything after it."""
        wanted = [*PRELUDE, *base, *steps]
        common = self._common(wanted)
        if common < len(self._sentences):
            failure = self._back(common)
            if failure is not None:
                raise SessionError(f"cannot go back: {failure.why}")
        first_step = len(PRELUDE) + len(base)
        for place in range(common, len(wanted)):
            failure = self._add(wanted[place], limit if place >= first_step else None, seconds)
            if failure is not None:
                self._back(common)  # nothing stays that has not run
                return failure
        if common == len(wanted):
            return None  # all of it has run
        new_steps = len(wanted) - max(common, first_step)
        result = self._run(limit * max(0, new_steps) + (seconds if common < first_step else 0.0))
        return result if isinstance(result, Failure) else None

    def extend(self, sentence: str, limit: float) -> Goals | Failure | None:
        """Run one more step within `limit` seconds; the goals after it, None where no proof is open. After a failure
        the document is as before."""
        return self._add(sentence, limit, limit) or self._run(limit)

    def goals(self, seconds: float) -> Goals | Failure | None:
        """The goals at the tip."""
        return self._run(seconds)

    def _common(self, wanted: Sequence[str]) -> int:
        """How much of the document stays. With no library in common a new session is clean, and costs no more."""
        pairs = zip(self._sentences, wanted, strict=False)
        common = next((place for place, (old, new) in enumerate(pairs) if old != new), None)
        common = min(len(self._sentences), len(wanted)) if common is None else common
        shared = any(is_import(sentence) for sentence in self._sentences[:common])
        if not shared and any(is_import(sentence) for sentence in self._sentences):
            self.close()
            return 0
        return common

    def _open(self) -> Coqidetop:
        if self._session is None:
            self._session = Coqidetop(
                memory_mb=self._config.memory_mb,
                isolation=self._config.isolation,
                seconds=self._config.open_seconds,
                coq=self._coq,
            )
        return self._session

    def _tip(self, session: Coqidetop) -> int:
        return self._states[-1] if self._states else session.root

    def _add(self, sentence: str, limit: float | None, seconds: float) -> Failure | None:
        session = self._open()
        if limit is None or sentence[-1] in "{}-+*":  # bullets and braces take no limit, and no time
            limited = sentence
        else:
            limited = f"Timeout {max(1, math.ceil(limit))} {sentence}"
        state = session.add(limited, self._tip(session), seconds + _SLACK)
        if isinstance(state, Failure):
            return state
        self._sentences.append(sentence)
        self._states.append(state)
        return None

    def _run(self, seconds: float) -> Goals | Failure | None:
        result = self._open().goals(seconds + _SLACK)
        if isinstance(result, Failure):
            good = self._states.index(result.state) + 1 if result.state in self._states else 0
            if self._back(good) is not None:
                raise SessionError(f"cannot go back after: {result.why}")
        return result

    def _back(self, count: int) -> Failure | None:
        session = self._open()
        del self._sentences[count:], self._states[count:]
        return session.edit_at(self._tip(session), self._config.step_seconds)
