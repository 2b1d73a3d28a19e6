"""A pipeline's tasks on a Ray cluster: the one that RAY_ADDRESS names, or one of this machine that ends with the build.

datatrove has an executor for Ray. This is another one, since there a task's error is logged and not told, a killed
process of the pool inside each task is waited for without end, and each task starts an actor and a placement group.
The tasks themselves are the same: `LocalExecutor.task`.

What travels is the pipeline to the workers, as Ray serialises it, and back a record of plain text: no object that was
made from a document.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import errors
from llemma.core.errors import LlemmaError, MissingError
from llemma.corpus.executors import Done, LocalExecutor

ATTEMPTS = 3
"""How often a task is begun whose worker or node dies."""
_STORE_BYTES = 100_000_000  # Ray's store of a cluster of our own; it holds the pipeline and nothing else


class Failure(msgspec.Struct, frozen=True):
    """A task's error as it travels: `kind` is the name of its class."""

    kind: str
    what: str
    where: str = ""
    mend: str = ""
    errno: int | None = None


def run_on_ray(pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Done) -> None:
    """Run every task; errors go to `done`, those of tasks whose worker died `ATTEMPTS` times among them."""
    ray = _ray()
    executor = LocalExecutor(pipeline, tasks, workers, logs, done)
    executor.done = None  # a function need not be able to travel to the workers
    with _connected(ray, workers):
        _Tasks(ray, executor, done).run(tasks, workers)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingError(
            "the executor 'ray' needs the package ray",
            where="corpus.executor",
            mend="pip install 'llemma[ray]', or choose --executor local",
        ) from error
    return ray


@contextmanager
def _connected(ray: Any, workers: int) -> Iterator[None]:
    address = os.environ.get("RAY_ADDRESS")
    with _own_signals(), tempfile.TemporaryDirectory(prefix="llemma-ray-", ignore_cleanup_errors=True) as folder:
        try:
            _reached(address or "")
            ray.init(log_to_driver=False, logging_level="error", **({} if address else _own(workers, folder)))
        except OSError as error:  # ConnectionError is one
            raise MissingError(
                f"no Ray cluster answers at {address}: {error}",
                where="RAY_ADDRESS",
                mend="start it with `ray start --head`, or unset RAY_ADDRESS for one on this machine",
            ) from error
        try:
            yield
        finally:
            ray.shutdown()


def _reached(address: str) -> None:
    """Refuse an address `[ray://]host:port` where nobody listens: Ray would try it for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _own(workers: int, folder: str) -> dict[str, Any]:
    """How to start a cluster of our own: on loopback, telling nobody, in a folder that goes with it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": _STORE_BYTES,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": folder,
    }


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray sets a handler for SIGTERM and leaves it behind."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


class _Tasks:
    """Tasks of one pipeline, at most so many with the cluster at a time, and how often each was begun."""

    def __init__(self, ray: Any, executor: LocalExecutor, done: Done) -> None:
        self.ray, self.done = ray, done
        self.executor = ray.put(executor)
        # A task that Ray itself tried again would not be counted; memory is given back by ending the worker.
        self.remote = ray.remote(num_cpus=1, max_retries=0)(_attempt)
        self.running: dict[Any, int] = {}
        self.begun: dict[int, int] = {}

    def run(self, tasks: int, workers: int) -> None:
        """All of them, in the order of their numbers; those of dead workers once more at the end."""
        waiting = deque(range(tasks))
        try:
            while waiting or self.running:
                while waiting and len(self.running) < workers:
                    self._begin(waiting.popleft())
                ended, _ = self.ray.wait(list(self.running), num_returns=1)
                for reference in ended:
                    if not self._ended(reference, rank := self.running.pop(reference)):
                        waiting.append(rank)
        except BaseException:
            for reference in self.running:
                self.ray.cancel(reference, force=True)
            raise

    def _begin(self, rank: int) -> None:
        self.begun[rank] = self.begun.get(rank, 0) + 1
        self.running[self.remote.remote([self.executor], rank)] = rank

    def _ended(self, reference: Any, rank: int) -> bool:
        """Tell how a task ended; false where it must be begun once more."""
        try:
            answer = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:  # before our own code could answer
            self.done(rank, _not_run(error))
        except self.ray.exceptions.RayError as error:
            if self.begun[rank] < ATTEMPTS:
                return False
            self.done(rank, _died(error))
        else:
            self.done(rank, error_of(msgspec.json.decode(answer, type=Failure)) if answer else None)
        return True


_known: tuple[Any, LocalExecutor] | None = None


def _attempt(executor: list[Any], rank: int) -> bytes:
    """Runs in a worker: nothing where the task went well, else its `Failure`.

    The executor comes as a reference and is kept, since it names all units: fetched for each of them it would cost
    more than reading them.
    """
    global _known
    if _known is None or _known[0] != executor[0]:
        import ray

        _known = (executor[0], ray.get(executor[0]))
    try:
        _known[1].task(rank)
    except Exception as error:
        return msgspec.json.encode(failure_of(error))
    return b""


def failure_of(error: Exception) -> Failure:
    """An error as plain text."""
    kind = type(error).__name__
    if isinstance(error, LlemmaError):
        return Failure(kind, error.what, error.where, error.mend)
    what = str(error).encode("utf-8", "replace").decode()
    return Failure(kind, what, errno=error.errno if isinstance(error, OSError) else None)


def error_of(failure: Failure) -> Exception:
    """The error that a record tells of: one of ours again, an `OSError`, or an error that quotes what it was."""
    kind = getattr(errors, failure.kind, None)
    if isinstance(kind, type) and issubclass(kind, LlemmaError):
        return kind(failure.what, where=failure.where, mend=failure.mend)
    if failure.errno is not None:
        return OSError(failure.errno, failure.what)
    mend = "the other units are kept; run the same command again after mending it"
    return LlemmaError(f"{failure.kind}: {failure.what}", mend=mend)


def _not_run(error: Exception) -> LlemmaError:
    return LlemmaError(
        f"a Ray worker cannot run our code: {getattr(error, 'cause', None) or error}",
        mend="install llemma on every node of the cluster, in the version and with the extras that are here",
    )


def _died(error: Exception) -> LlemmaError:
    return LlemmaError(
        f"the worker died {ATTEMPTS} times: {type(error).__name__}",
        mend="give the nodes more memory or begin fewer --workers, and run the same command again; "
        "finished units are kept",
    )
