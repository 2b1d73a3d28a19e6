"""How a program ended."""

from __future__ import annotations

import json
import os
import signal
from typing import Any, Literal, cast

import msgspec

from llemma.tools.config import Mode
from llemma.tools.inside.server import SETUP_FAILED

Ending = Literal["ok", "error", "timeout", "memory", "denied", "output_capped", "killed"]
ENDINGS: tuple[Ending, ...] = ("ok", "error", "timeout", "memory", "denied", "output_capped", "killed")
_FULL = 0.9  # of the memory a program may use; one that ends badly above it ended for want of memory


class Execution(msgspec.Struct, frozen=True):
    """A program's end.

    `outcome`: `ok`; `error` an exception or a non-zero exit; `timeout`; `memory`; `denied` the program ended as the
    sandbox refused something; `output_capped` it wrote too much; `killed` it was ended by a signal. `value` is the text
    of `answer`, of the call asked for, or of the last expression; `srepr` is sympy's, where a sympy object is in it.
    `error` is the last line of the traceback, or a reason. `seconds` is wall time, `memory_mb` the peak of resident
    memory in MiB with the warm image in it (0 for a block of a session that goes on), `mode` the isolation that ran.
    """

    outcome: Ending
    stdout: str = ""
    value: str | None = None
    srepr: str | None = None
    error: str | None = None
    seconds: float = 0.0
    memory_mb: float = 0.0
    mode: Mode = "full"


class Ended(msgspec.Struct, frozen=True):
    """What the outside knows of a child: why it was stopped (if so), the answer it sent, what the server reports."""

    stopped: Ending | None
    stdout: bytes
    answer: bytes
    seconds: float
    code: int | None
    """The wait status; None while the child lives, or where its server died."""
    cpu: float = 0.0
    peak_mb: float = 0.0
    lost: str = ""
    """Why there is no report on the child."""


def conclude(ended: Ended, mode: Mode, *, cap: int, cpu_limit: float, full_mb: float) -> Execution:
    """The `Execution` that `ended` amounts to; `full_mb` is the peak at which the memory limit is reached."""
    answer = parse_answer(ended.answer)
    outcome, error = _outcome(ended, answer, cap, cpu_limit)
    if outcome in ("timeout", "killed") and ended.peak_mb >= _FULL * full_mb:
        outcome, error = "memory", f"{error}, at the limit of memory"
    done = answer if outcome in ("ok", "output_capped") else {}
    return Execution(
        outcome,
        ended.stdout[:cap].decode("utf-8", "replace"),
        _text(done.get("value")),
        _text(done.get("srepr")),
        error,
        round(ended.seconds, 6),
        round(ended.peak_mb, 1),
        mode,
    )


def _outcome(ended: Ended, answer: dict[str, Any], cap: int, cpu_limit: float) -> tuple[Ending, str | None]:
    if ended.stopped == "output_capped" or len(ended.stdout) > cap:
        return "output_capped", f"more than {cap} bytes of output"
    if ended.stopped:
        return ended.stopped, f"no end after {ended.seconds:.1f} s"
    if ended.lost:
        return "killed", ended.lost
    if ended.code is not None and os.WIFSIGNALED(ended.code):
        return _by_signal(os.WTERMSIG(ended.code), ended.cpu >= cpu_limit)
    status = os.waitstatus_to_exitcode(ended.code or 0)
    if status == SETUP_FAILED and (reason := setup_failure(ended)):
        return "error", f"the sandbox could not be set up: {reason}"
    if status:
        return "error", f"exit status {status}"
    if answer:
        return cast(Ending, answer["outcome"]), _text(answer.get("error"))
    # a program may leave by os._exit(0) and say nothing, but not speak nonsense
    return ("error", "no readable answer") if ended.answer else ("ok", None)


def _by_signal(number: int, spent: bool) -> tuple[Ending, str]:
    if spent and number in (signal.SIGKILL, signal.SIGXCPU):
        return "timeout", "out of processor time"
    if number == signal.SIGSYS:
        return "killed", "ended by a deadly signal to itself, or by a foreign system call"
    return "killed", f"ended by {signal.Signals(number).name}"


def setup_failure(ended: Ended) -> str | None:
    """Why a child could not confine itself, where that is how it ended."""
    if ended.code is None or not os.WIFEXITED(ended.code) or os.WEXITSTATUS(ended.code) != SETUP_FAILED:
        return None
    try:
        answer = json.loads(ended.answer)
        return str(answer["error"]) if answer["outcome"] == "setup" else None
    except (ValueError, TypeError, KeyError):
        return None


def parse_answer(data: bytes) -> dict[str, Any]:
    """The first line a child sent, if it is an answer; a program may write there what it likes: nothing is trusted."""
    try:
        answer = json.loads(data.split(b"\n", 1)[0])
    except (ValueError, RecursionError):
        return {}
    known = isinstance(answer, dict) and answer.get("outcome") in ENDINGS
    return answer if known else {}


def _text(value: Any) -> str | None:
    """Text that can be encoded again, or nothing."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
