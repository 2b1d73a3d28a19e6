"""Run code blocks in one namespace and say how each ended, as lines of JSON.

Everything here happens inside the child and under its limits: a program may break all of it, but only for itself.
"""

from __future__ import annotations

import _sitebuiltins
import ast
import atexit
import builtins
import errno
import io
import json
import os
import random
import sys
import threading
import traceback
from types import CodeType, ModuleType
from typing import Any

from .confine import ANSWER, REQUEST, limit_processor

CAP = 65_536  # characters of a value, its srepr or an error
NAME = "program"
_REFUSED = (errno.EPERM, errno.EACCES, errno.EROFS)
_NOTHING = object()


class Stage:
    """What a program finds when it begins. Built once in the server, so that a child need not; descriptors are numbers,
    and mean the child's own after the fork."""

    def __init__(self) -> None:
        def stream(descriptor: int, mode: str) -> io.TextIOWrapper:
            raw = io.FileIO(descriptor, mode, closefd=False)
            buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
            return io.TextIOWrapper(buffer, encoding="utf-8", line_buffering=True)

        self.streams = stream(0, "r"), stream(1, "w"), stream(2, "w")
        self.module = ModuleType("__main__")
        # what `site` adds for interactive use, and programs use all the same
        self.leave = {name: _sitebuiltins.Quitter(name, "") for name in ("exit", "quit")}

    def set(self) -> None:
        """Make this the state of the interpreter."""
        sys.stdin, sys.stdout, sys.stderr = self.streams
        sys.__dict__.update(__stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)
        builtins.__dict__.update(self.leave)
        sys.set_int_max_str_digits(0)  # the wall clock bounds conversions, and some answers have more digits
        sys.argv, sys.modules["__main__"] = [NAME], self.module


def serve(stage: Stage) -> None:
    """Read requests and answer them until one of them was the last."""
    random.seed(0)  # the same program has the same result every time
    last = False
    while not last:
        line = _line()
        if not line:
            return
        request = json.loads(line)
        limit_processor(request["seconds"])
        last = request["last"]
        answer = run(stage.module.__dict__, request["program"], request["call"], echo=not last)
        if last:
            _end_threads()
        _flush(stage.streams[1])
        _send(answer)


def _line() -> bytes:
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        part = os.read(REQUEST, 1 << 20)
        if not part:
            return b""
        parts.append(part)
    return b"".join(parts)


def run(names: dict[str, Any], program: str, call: str | None, *, echo: bool = False) -> dict[str, Any]:
    """Run `program` in `names`; the answer holds `outcome`, `value`, `srepr` and `error`.

    The value is that of `answer` where the program sets it, else of the call, else of the last statement if that is an
    expression. `echo` prints the last expression as an interactive interpreter does.
    """
    before = names.get("answer", _NOTHING)
    try:
        value = _execute(names, program, echo)
        if call is not None:
            value = names[call]()
        if names.get("answer", _NOTHING) is not before:
            value = names["answer"]
        return {"outcome": "ok", **_described(value), "error": None}
    except BaseException as error:
        return _failure(error, names)


def _execute(names: dict[str, Any], program: str, echo: bool) -> Any:
    tree = ast.parse(program, NAME)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(_compiled(tree), names)
        return None
    tree.body.pop()
    expression = _compiled(ast.Expression(last.value))
    exec(_compiled(tree), names)
    value = eval(expression, names)
    if echo and value is not None:
        print(repr(value))
    return value


def _compiled(tree: ast.Module | ast.Expression) -> CodeType:
    kind = "exec" if isinstance(tree, ast.Module) else "eval"
    return compile(tree, NAME, kind, dont_inherit=True)


def _described(value: Any) -> dict[str, str | None]:
    if value is None:
        return {"value": None, "srepr": None}
    return {"value": str(value)[:CAP], "srepr": _srepr(value)}


def _srepr(value: Any) -> str | None:
    """sympy's own unambiguous text for a sympy object or a container that holds one."""
    sympy = sys.modules.get("sympy")
    if sympy is None or not _holds(value, (sympy.Basic, sympy.MatrixBase), 0):
        return None
    text = str(sympy.srepr(value))
    return text if len(text) <= CAP else None  # half of it would be something else


def _holds(value: Any, kinds: tuple[type, ...], depth: int) -> bool:
    if isinstance(value, kinds):
        return True
    if depth > 8 or not isinstance(value, (list, tuple, set, frozenset, dict)):
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return any(_holds(part, kinds, depth + 1) for part in parts)


def _failure(error: BaseException, names: dict[str, Any]) -> dict[str, Any]:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return {"outcome": "ok", **_described(names.get("answer")), "error": None}
    outcome = "memory" if _for_want_of_memory(error) else "error"
    if isinstance(error, OSError) and error.errno in _REFUSED:
        outcome = "denied"
    return {"outcome": outcome, "value": None, "srepr": None, "error": _last_line(error)}


def _for_want_of_memory(error: BaseException) -> bool:
    """Some C code, the interpreter's own among it, loses the `MemoryError` when an allocation fails."""
    lost = isinstance(error, SystemError) and "without setting an exception" in str(error)
    return lost or isinstance(error, MemoryError)


def _last_line(error: BaseException) -> str:
    try:
        lines = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()
        return lines[-1][:CAP]
    except BaseException:
        return type(error).__name__[:CAP]


def _end_threads() -> None:
    """As at the end of a script: wait for threads that are not daemons, then call what `atexit` holds."""
    try:
        if threading.active_count() > 1:
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        return


def _flush(output: io.TextIOWrapper) -> None:
    for stream in (sys.stdout, output):
        try:
            stream.flush()
        except BaseException:
            continue


def _send(answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(ANSWER, data) :]
