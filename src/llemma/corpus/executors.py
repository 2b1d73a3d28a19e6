"""datatrove executors by name. Each runs a pipeline over tasks, and tells when a task is over."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import Stats

from llemma.core.errors import LlemmaError, UsageError

T = TypeVar("T")
R = TypeVar("R")
Done = Callable[[int, Exception | None], None]
"""Called with a task's number and its error, if any, when the task is over."""


def run(name: str, pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Done) -> None:
    """Run every task of a pipeline under the executor called `name`; `logs` is datatrove's logging folder."""
    EXECUTORS[name](pipeline, tasks, workers, logs, done)


def _local(pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Done) -> None:
    LocalExecutor(pipeline, tasks, min(workers, tasks), logs, done).run()


def _ray(pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Done) -> None:
    from llemma.corpus.ray_executor import run_on_ray

    run_on_ray(pipeline, tasks, min(workers, tasks), logs, done)


def _slurm(pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Done) -> None:
    """Slurm's jobs run our command again (`corpus.slurm`); a command that needs the corpus now cannot wait for them."""
    raise UsageError(
        f"{tasks} units are still to be read, and Slurm's jobs read them later",
        where="corpus.executor",
        mend="submit them with `llemma corpus build RECIPE --executor slurm`, or choose local or ray here",
    )


EXECUTORS: dict[str, Callable[[list[Any], int, int, Path, Done], None]] = {
    "local": _local,
    "ray": _ray,
    "slurm": _slurm,
}


def apart(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """The results of `work` for each item, in order, from so many processes; the first error is raised.

    `work` is a function of a module, items and results can be pickled. One worker is this process.
    """
    if workers <= 1 or len(items) < 2:
        yield from map(work, items)
        return
    with _ended_with_us():
        pool = ProcessPoolExecutor(min(workers, len(items)), multiprocessing.get_context("forkserver"), _start_apart)
        try:
            yield from pool.map(work, items)
        except BrokenProcessPool as error:
            raise _dead() from error
        finally:
            pool.shutdown(wait=sys.exc_info()[0] is None, cancel_futures=True)


def _start_apart() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=end_with_parent, daemon=True).start()


class LocalExecutor(LocalPipelineExecutor):  # type: ignore[misc]
    """datatrove's local executor with another pool of processes.

    datatrove waits for ever on a worker that was killed, leaves the workers behind when it is killed itself, and stops
    at the first task that fails. Here a dead worker is an error, workers end with their parent, and other tasks go on.
    """

    def __init__(self, pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Done) -> None:
        # Which units are done is known from the staged units, not from datatrove's marks, which are numbered.
        self.pipeline: list[Any]
        super().__init__(pipeline, tasks=tasks, workers=workers, logging_dir=str(logs), skip_completed=False)
        self.done: Done | None = done

    def run(self) -> None:
        """Run all tasks; a task's own error goes to `done`, a dead worker is raised."""
        done, self.done = self.done, None  # a function need not be able to travel to the workers
        assert done is not None
        with self.logging_dir.open("executor.json", "wt") as file:
            json.dump({"tasks": self.tasks, "workers": self.workers, "pipeline": list(map(str, self.pipeline))}, file)
        if self.workers <= 1:
            for rank in range(self.tasks):
                done(rank, _error(lambda rank=rank: self.task(rank)))  # type: ignore[misc]
        else:
            self._pool(done)

    def task(self, rank: int) -> None:
        """Run one task in this process."""
        fresh, self.pipeline = self.pipeline, [_uncounted(block) for block in self.pipeline]
        try:
            self._run_for_rank(rank, local_rank=rank)
        finally:
            self.pipeline = fresh

    def _pool(self, done: Done) -> None:
        context = multiprocessing.get_context("forkserver")
        with _ended_with_us():
            pool = ProcessPoolExecutor(self.workers, context, _start_worker, (self,))
            futures: dict[Future[None], int] = {pool.submit(_task, rank): rank for rank in range(self.tasks)}
            try:
                for future in as_completed(futures):
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        raise _dead() from error
                    done(futures[future], error if isinstance(error, Exception) else None)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            # waiting for idle workers is quick, and a pool that is still closing at exit complains on the screen
            pool.shutdown()


def _uncounted(block: PipelineStep) -> PipelineStep:
    """The block with statistics of its own. A deep copy would copy the list of all units for each of them."""
    fresh = copy(block)
    fresh.stats = Stats(str(block))
    return fresh


def _error(work: Callable[[], None]) -> Exception | None:
    try:
        work()
    except Exception as error:
        return error
    return None


def _dead() -> LlemmaError:
    return LlemmaError(
        "a worker process died: it was killed, most likely for want of memory",
        mend="run the same command again with fewer --workers; what is finished is kept",
    )


@contextmanager
def _ended_with_us() -> Iterator[None]:
    """No worker outlives a block that fails; an interrupted unit leaves nothing behind but a temporary folder."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for worker in set(multiprocessing.active_children()) - before:
            worker.terminate()
        raise


_executor: LocalExecutor | None = None


def _start_worker(executor: LocalExecutor) -> None:
    global _executor
    _executor = executor
    _start_apart()


def end_with_parent() -> None:
    """End this process when the one that started it has ended; runs in a thread."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _task(rank: int) -> None:
    assert _executor is not None
    _executor.task(rank)
