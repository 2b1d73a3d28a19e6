"""Inside a worker: answer one question after the other, until the parent is gone.

`python -m llemma.evals.answers.serve MODULE PARENT MEGABYTES`. A question is a line of JSON `[function, arguments...]`
on standard input, its answer a line `{"value": ...}` or `{"error": ...}` on what was standard output; the first line
says that the worker is ready. `MODULE` has the functions that may be asked for in `ANSWERS`, and `prepare()` for what
costs time once. The other end is `workers.py`.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

OUT_OF_MEMORY = 12
"""Exit status of a worker whose question needed more memory than it may have; it cannot be trusted afterwards."""

CPU_SECONDS = 8
"""Processor seconds a question may take if nobody kills the worker before (the parent is stopped, or asleep)."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    module, parent, megabytes = arguments
    die_with(int(parent))
    limit_memory(int(megabytes) << 20)
    replies = _private_output()
    try:
        functions = _prepared(module)
    except Exception as error:
        _reply(replies, _failed(error))
        return
    _reply(replies, {"value": "ready"})
    for line in sys.stdin.buffer:
        limit_cpu(CPU_SECONDS)
        try:
            _reply(replies, answer(line, functions))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _prepared(module: str) -> Mapping[str, Callable[..., Any]]:
    room = importlib.import_module(module)
    room.prepare()
    functions: Mapping[str, Callable[..., Any]] = room.ANSWERS
    return functions


def answer(line: bytes, functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The reply to one question; an exception other than `MemoryError` is an error that names it."""
    try:
        name, *arguments = json.loads(line)
        return {"value": functions[name](*arguments)}
    except MemoryError:
        raise
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> dict[str, Any]:
    return {"error": f"{type(error).__name__}: {error}"[:300]}


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the parent's thread that started it ends, or the whole parent does."""
    if sys.platform == "linux":
        import ctypes  # here, because workers.py imports this file too

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(0)


def limit_memory(size: int) -> None:
    """No more than `size` bytes of address space, and no core file when killed."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_cpu(seconds: int) -> None:
    """SIGXCPU after `seconds` more of processor time."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time()) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _private_output() -> BinaryIO:
    """Standard output for replies alone: what a library prints goes nowhere."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    return replies


def _reply(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
