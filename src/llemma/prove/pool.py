"""Many theorems at once: provers in threads of their own, the model in the caller's, neither waiting for the other.

A theorem is a generator that asks for candidates (`attempt.searching`, `whole.sampling`). While the model works on its
request, its worker goes on with another theorem; the model gets all requests that wait as one batch and hands each
answer on at once. A worker that would have to load another theorem first waits for its own answer, but no longer than
that loading takes: whatever the model does, it never waits more than twice the least possible.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import msgspec

from llemma.backends.base import Backend, failed
from llemma.core.errors import Interrupted, LlemmaError
from llemma.core.interrupt import Pending
from llemma.core.types import Completion, Request
from llemma.prove.attempt import Asked, Attempt, Halted, Proposed, Turn
from llemma.prove.prover import Prover, Refused
from llemma.prove.theorem import Theorem

Begin = Callable[[Theorem, Prover, Halted], Generator[Asked, Turn, Attempt]]
ATTEMPTS = 2
"""How often a theorem is begun when its prover breaks down."""

_POLL = 0.2  # seconds after which the caller's thread looks for a Ctrl-C


class Session(msgspec.Struct, frozen=True):
    """What one process did: theorems finished, wall seconds, and the share of them that provers and model were idle."""

    theorems: int = 0
    seconds: float = 0.0
    tried: int = 0
    steps_per_second: float = 0.0
    prover_idle: float = 0.0
    model_idle: float = 0.0


@dataclass(eq=False)
class _Job:
    """A theorem at work."""

    theorem: Theorem
    attempts: int = 0
    work: Generator[Asked, Turn, Attempt] | None = None
    request: Request | None = None
    given: Proposed | None = None


@dataclass(eq=False)
class _Worker:
    """A prover's thread: the theorem it has open, what opening one cost, and until when it waits for which answer."""

    prover: Prover | None = None
    theorem: Theorem | None = None
    opening: float = 0.0
    job: _Job | None = None
    until: float = 0.0
    busy: float = 0.0


@dataclass
class Pool:
    """One run over `theorems`; `finished` is called from the workers' threads as each theorem ends.

    `opens`: whether a theorem must be open in the prover before it goes on there.
    """

    theorems: Sequence[Theorem]
    open_prover: Callable[[], Prover]
    begin: Begin
    request: Callable[[Asked], Request]
    read: Callable[[Sequence[Completion]], Proposed]
    finished: Callable[[Theorem, Attempt], None]
    workers: int = 2
    at_once: int = 8
    batch: int = 512
    open_seconds: float = 120.0
    opens: bool = True

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stopped: bool = False
    _spoiled: bool = False
    """Whether provers were interrupted at their work: from then on only an accepted proof is to be trusted."""
    _error: BaseException | None = None

    def run(self, backend: Backend, pending: Pending) -> Session:
        """Work until all theorems are finished. Raises what a worker or the model raised, and `Interrupted` once
        `pending.requested` is true and every prover has come to the end of its tactic."""
        self._fresh = _by_header(self.theorems)
        self._asked: list[_Job] = []
        self._ready: list[_Job] = []
        self._active = self._done = self._tried = 0
        self._model_busy = self._latency = 0.0
        self._pending = pending
        begun = time.monotonic()
        staff = [_Worker() for _ in range(min(self.workers, max(1, len(self.theorems))))]
        threads = [threading.Thread(target=self._work, args=(one,), name="prover", daemon=True) for one in staff]
        self._staff = staff
        for thread in threads:
            thread.start()
        try:
            self._serve(backend, pending, threads)
        except BaseException:
            self._stop(spoiled=True)
            _end(staff, threads)
            raise
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._session(time.monotonic() - begun, staff)

    def _session(self, wall: float, staff: Sequence[_Worker]) -> Session:
        busy = sum(worker.busy for worker in staff)
        return Session(
            theorems=self._done,
            seconds=round(wall, 3),
            tried=self._tried,
            steps_per_second=round(self._tried / wall, 2),
            prover_idle=round(max(0.0, 1 - busy / (wall * len(staff))), 4),
            model_idle=round(max(0.0, 1 - self._model_busy / wall), 4),
        )

    # the caller's thread: the model

    def _serve(self, backend: Backend, pending: Pending, threads: Sequence[threading.Thread]) -> None:
        while any(thread.is_alive() for thread in threads):
            with self._changed:
                if not self._asked and not self._stopped:
                    self._changed.wait(_POLL)
                jobs = self._batch()
            if pending.requested:  # a terminal's Ctrl-C may have reached the provers too
                self._stop(spoiled=True)
                for thread in threads:
                    thread.join()
                raise Interrupted("stopped", mend="the same command goes on from here")
            if self._stopped:
                time.sleep(0.01)  # until the threads have seen it
            elif jobs:
                self._answer(backend, jobs, pending)

    def _batch(self) -> list[_Job]:
        """Theorems that wait for the model, the longest waiting first, with at most `batch` samples together."""
        samples, taken = 0, 0
        for job in self._asked:
            assert job.request is not None
            if taken and samples + job.request.n > self.batch:
                break
            samples, taken = samples + job.request.n, taken + 1
        jobs, self._asked = self._asked[:taken], self._asked[taken:]
        return jobs

    def _answer(self, backend: Backend, jobs: Sequence[_Job], pending: Pending) -> None:
        begun = time.monotonic()
        owed = {job.request.id: job for job in jobs if job.request is not None}
        requests = [job.request for job in jobs if job.request is not None]
        for completions in backend.complete(requests):
            if self._stopped or pending.requested:
                return
            job = owed.pop(completions[0].request, None) if completions else None
            if job is not None:
                self._deliver(job, completions, time.monotonic() - begun)
        for job in owed.values():
            assert job.request is not None
            self._deliver(job, failed(job.request, "the backend gave no answer"), time.monotonic() - begun)
        self._model_busy += time.monotonic() - begun

    def _deliver(self, job: _Job, completions: Sequence[Completion], seconds: float) -> None:
        with self._changed:
            job.given, job.request = self.read(completions), None
            self._latency = seconds
            self._ready.append(job)
            self._changed.notify_all()

    # the workers' threads: the provers

    def _work(self, worker: _Worker) -> None:
        try:
            worker.prover = self.open_prover()
            while (job := self._take(worker)) is not None:
                begun = time.monotonic()
                self._turn(worker, job)
                worker.busy += time.monotonic() - begun
        except Interrupted:
            self._stop()
        except BaseException as error:
            self._error = self._error or error
            self._stop()
        finally:
            if worker.prover is not None:
                worker.prover.close()
            with self._changed:
                self._changed.notify_all()

    def _take(self, worker: _Worker) -> _Job | None:
        """The theorem to go on with, waited for; None when there is nothing left to do."""
        with self._changed:
            while not self._stopped and (self._active or self._fresh):
                job = self._choose(worker)
                if job is not None:
                    worker.job = None
                    return job
                waits = worker.job is not None
                self._changed.wait(max(0.0, worker.until - time.monotonic()) if waits else None)
            return None

    def _choose(self, worker: _Worker) -> _Job | None:
        """What costs the prover least: its own theorem, one with its header, a new one, any."""
        if worker.job is not None and worker.job in self._ready:
            return self._resume(worker.job)
        if worker.job is not None and time.monotonic() < worker.until:
            return None
        worker.job = None
        reserved = {id(other.job) for other in self._staff if other.job is not None}
        ready = [job for job in self._ready if id(job) not in reserved]
        header = worker.theorem.header if worker.theorem is not None else None
        alike = next((job for job in ready if job.theorem.header == header), None)
        if alike is not None:
            return self._resume(alike)
        room = self._active < self.at_once
        if room and header in self._fresh:
            return self._start(header)
        if ready:
            return self._resume(ready[0])
        if room and self._fresh:
            return self._start(max(self._fresh, key=lambda key: len(self._fresh[key])))
        return None

    def _resume(self, job: _Job) -> _Job:
        self._ready.remove(job)
        return job

    def _start(self, header: str) -> _Job:
        group = self._fresh[header]
        theorem = group.pop(0)
        if not group:
            del self._fresh[header]
        self._active += 1
        return _Job(theorem)

    def _turn(self, worker: _Worker, job: _Job) -> None:
        """Take a theorem on until it needs the model again or ends; a prover that breaks down is replaced."""
        try:
            asked = self._advance(worker, job)
        except StopIteration as end:
            self._finish(job, end.value)
            return
        except Interrupted:
            raise
        except Exception as error:
            self._broken(worker, job, error)
            return
        with self._changed:
            job.request = self.request(asked)
            self._asked.append(job)
            # to wait is worth it only while answers come sooner than another theorem could be loaded
            if self.opens and self._latency <= worker.opening:
                worker.job, worker.until = job, time.monotonic() + worker.opening
            self._changed.notify_all()

    def _advance(self, worker: _Worker, job: _Job) -> Asked:
        prover, begun = worker.prover, time.monotonic()
        assert prover is not None
        if job.work is None or job.given is None:
            worker.theorem, job.attempts = job.theorem, job.attempts + 1
            job.work = self.begin(job.theorem, prover, lambda: self._stopped or self._pending.requested)
            asked = next(job.work)
            worker.opening = time.monotonic() - begun
            return asked
        if self.opens and worker.theorem is not job.theorem:
            opened = prover.open(job.theorem, self.open_seconds)
            worker.theorem, worker.opening = job.theorem, time.monotonic() - begun
            if isinstance(opened, Refused):
                raise LlemmaError(f"the theorem did not open again: {opened.kind}: {opened.why}")
        given, job.given = job.given, None
        return job.work.send((prover, given))

    def _finish(self, job: _Job, attempt: Attempt) -> None:
        if attempt.outcome == "error" and attempt.taken and job.attempts < ATTEMPTS and not attempt.expansions:
            self._again(job)  # the prover broke down while it opened the theorem
            return
        if (self._spoiled or self._pending.requested) and attempt.outcome != "right":
            raise Interrupted("stopped")
        self.finished(job.theorem, attempt)
        with self._changed:
            self._active -= 1
            self._done += 1
            self._tried += attempt.tried
            self._changed.notify_all()

    def _broken(self, worker: _Worker, job: _Job, error: Exception) -> None:
        """A new prover for the worker; the theorem is begun once more, then given up."""
        if self._stopped:
            raise Interrupted("stopped") from error
        assert worker.prover is not None
        worker.prover.close()
        worker.theorem = None
        worker.prover = self.open_prover()
        if job.attempts < ATTEMPTS:
            self._again(job)
            return
        why = f"the prover broke down: {type(error).__name__}: {getattr(error, 'what', error)}"
        self._finish(job, Attempt(id=job.theorem.id, outcome="error", why=why))

    def _again(self, job: _Job) -> None:
        job.work = job.given = job.request = None
        with self._changed:
            self._ready.append(job)
            self._changed.notify_all()

    def _stop(self, *, spoiled: bool = False) -> None:
        with self._changed:
            self._stopped, self._spoiled = True, self._spoiled or spoiled
            self._changed.notify_all()


def _end(staff: Sequence[_Worker], threads: Sequence[threading.Thread]) -> None:
    """End provers under their threads: what they work on comes back as a crash, and the threads leave."""
    for worker in staff:
        if worker.prover is not None:
            worker.prover.close()
    for thread in threads:
        thread.join(timeout=5.0)


def _by_header(theorems: Sequence[Theorem]) -> dict[str, list[Theorem]]:
    found: dict[str, list[Theorem]] = {}
    for theorem in theorems:
        found.setdefault(theorem.header, []).append(theorem)
    return found
