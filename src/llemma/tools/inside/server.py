"""The warm server: it forks a confined child for each set of pipes it is handed, and reports how the child ended.

It never sees a program or its output: those travel in pipes between the caller and the child, and the server closes its
own ends as soon as it has forked. What a program finds in its copy of this memory is therefore nobody's secret.

Messages from the caller (a SOCK_SEQPACKET socket): `fork N` with four descriptors (request, output, answer, status),
and `kill N`. To each status pipe goes one `STATUS` record when its child has ended and everything it started is gone; a
pipe that closes without one says that the server died.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from typing import NoReturn

from . import confine, kernel, program, warm

STATUS = struct.Struct(
    "=iqq"
)  # wait status or minus an errno of the fork, microseconds of processor time, peak resident KiB
HELLO = struct.Struct("=q")  # resident KiB of the warm image
SETUP_FAILED = 113  # exit code of a child that could not confine itself
MESSAGE_BYTES, PIPES = 64, 4
PATIENCE = 5.0  # seconds to wait for the kernel to free namespaces before a fork counts as failed

Settings = dict[str, int | str]


class Server:
    """The children that live, by number and by the descriptor that tells of their end."""

    def __init__(self, control: socket.socket, limits: confine.Limits) -> None:
        self.control, self.limits, self.stage = control, limits, program.Stage()
        self.stage.set()
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.pids: dict[int, int] = {}  # number -> pid
        self.ends: dict[int, tuple[int, int]] = {}  # pidfd -> (number, status pipe)

    def run(self) -> None:
        """Serve until the caller closes its end or dies."""
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor != self.control.fileno():
                    self.reap(descriptor)
                elif not self.obey():
                    return

    def obey(self) -> bool:
        """Take one message; False when there will be no more."""
        message, pipes, _, _ = socket.recv_fds(self.control, MESSAGE_BYTES, PIPES)
        if not message:
            return False
        verb, number = message.split()
        if verb == b"fork":
            self.fork(int(number), pipes)
        elif int(number) in self.pids:  # it may have ended meanwhile
            os.kill(self.pids[int(number)], signal.SIGKILL)
        return True

    def fork(self, number: int, pipes: list[int]) -> None:
        """Fork child `number`; where the kernel refuses, say why in its status pipe."""
        *own, status = pipes
        try:
            pid = self._forked(own)
            end = os.pidfd_open(pid)
            self.pids[number], self.ends[end] = pid, (number, status)
            self.poll.register(end, select.POLLIN)
        except OSError as error:
            os.write(status, STATUS.pack(-(error.errno or 1), 0, 0))
            os.close(status)
        finally:
            for pipe in own:
                os.close(pipe)

    def _forked(self, pipes: list[int]) -> int:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                pid = kernel.fork(self.limits.namespaces)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                continue
            if pid == 0:
                child(pipes, self.limits, self.stage)
            return pid

    def reap(self, end: int) -> None:
        """Report the end of a child. Its pid namespace is empty by then."""
        number, status = self.ends.pop(end)
        self.poll.unregister(end)
        os.close(end)
        _, code, usage = os.wait4(self.pids.pop(number), 0)
        if self.limits.mode == "rlimits":
            self._kill_orphans()
        seconds = int(1e6 * (usage.ru_utime + usage.ru_stime))
        with contextlib.suppress(OSError):
            os.write(status, STATUS.pack(code, seconds, usage.ru_maxrss))
        os.close(status)

    def _kill_orphans(self) -> None:
        """Kill what children without a namespace left behind; orphans fall to us, as their subreaper."""
        while orphans := _children() - set(self.pids.values()):
            for pid in orphans:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)


def _children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return {int(pid) for pid in file.read().split()}


def child(pipes: list[int], limits: confine.Limits, stage: program.Stage) -> NoReturn:
    """The life of a child: confine, run, leave without finalizers."""
    place = pipes[2]
    try:
        confine.take_pipes(*pipes)
        place = confine.ANSWER
        confine.confine(limits)
    except BaseException as error:
        # fail closed: no program is read
        answer = {"outcome": "setup", "value": None, "srepr": None, "error": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(OSError):
            os.write(place, json.dumps(answer).encode() + b"\n")
        os._exit(SETUP_FAILED)
    code = 1
    try:
        program.serve(stage)
        code = 0
    finally:
        os._exit(code)


def _drop_root(user: int) -> None:
    """Become an ordinary user for good: no limit on processes binds root, and its files would be ours."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else our children may not write their own maps


def main(descriptor: int, text: str) -> None:
    """Begin as told by `text` (JSON): drop root, load the libraries, serve."""
    settings: Settings = json.loads(text)
    if settings["drop"]:
        _drop_root(int(settings["drop"]))
    elif settings["mode"] != "full":
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    for name in list(os.environ):
        del os.environ[name]
    warm.up(str(settings["image"]), str(settings["packages"]))
    if settings["mode"] == "full":
        kernel.die_by_own_signals(warm.FATAL)
    gc.collect()
    gc.freeze()  # a collection in a child must not touch, and so copy, every page of the image
    kernel.collapse_heap()
    with open("/proc/self/statm") as file:
        pages, resident = (int(field) for field in file.read().split()[:2])
    control = socket.socket(fileno=descriptor)
    limits = confine.limits(settings, pages * resource.getpagesize())
    control.send(HELLO.pack(resident * resource.getpagesize() >> 10))
    Server(control, limits).run()
    sys.exit(0)
