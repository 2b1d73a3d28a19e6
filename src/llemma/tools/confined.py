"""A trusted program that reads untrusted input (a prover, say), kept behind the sandbox's walls while it runs.

The program sees the folders it is given read-only, an empty scratch folder of its own, no network and no other process.
It is one process tree in a namespace of its own: `kill` ends all of it, and so does the end of this process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.tools.config import Isolation
from llemma.tools.launch import DEVICES, LIBRARIES, NOBODY, has_nobody, may_mount, mend, namespaces

SCRATCH = "/scratch"
"""The only folder that a confined program may write to; it is its working folder, in memory, gone at its end."""


class Walls(msgspec.Struct, frozen=True, kw_only=True):
    """What a confined program may see and use."""

    readable: Mapping[str, str] = {}
    """Paths behind the walls and what lies there, read-only; the linker and system libraries are always there."""

    environment: Mapping[str, str] = {}
    """All of its environment variables."""

    memory_mb: Annotated[int, msgspec.Meta(ge=1)] = 4096
    """MiB of address space a process of it may use."""

    scratch_mb: Annotated[int, msgspec.Meta(ge=1)] = 64
    """MiB of files in its scratch folder."""

    isolation: Isolation = "full"
    """`full`: as above, which needs bubblewrap. `rlimits`: the limit of memory alone, files and network unprotected."""


class Confined:
    """A running confined program with pipes to its standard input and output; errors go to `stderr`."""

    def __init__(self, command: Sequence[str], walls: Walls, *, stderr: IO[bytes] | int = subprocess.DEVNULL) -> None:
        """Start `command`. Raises `MissingError` where bubblewrap or a program it needs is not there."""
        self.walled = walls.isolation == "full"
        self._inner: int | None = None
        # without walls: a working folder of its own, so that what it writes beside itself does not stay
        self._folder = None if self.walled else tempfile.TemporaryDirectory(prefix="llemma-")
        self.process = subprocess.Popen(
            confine(command, walls),
            env={} if self.walled else dict(walls.environment),
            cwd=None if self._folder is None else self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us, not for it
        )

    @property
    def stdin(self) -> IO[bytes]:
        """The unbuffered pipe into the program."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The unbuffered pipe out of the program."""
        assert self.process.stdout is not None
        return self.process.stdout

    def alive(self) -> bool:
        """Whether the program still runs."""
        return self.process.poll() is None

    def interrupt(self) -> None:
        """Send the program SIGINT, as Ctrl-C does."""
        pid = self._program()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGINT)

    def resident_mb(self) -> float:
        """MiB of memory the program holds now (without its children); 0 when it is gone."""
        pid = self._program()
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> None:
        """End the program and every process it started; returns when they are gone."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self.alive():
            # kill the first process of the namespace rather than bubblewrap, which then can still reap it
            inside = _children(self.process.pid) if self.walled else []
            for pid in inside or [self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not self.walled:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self._folder is not None:
            self._folder.cleanup()

    def _program(self) -> int | None:
        """The program's own process id: behind the walls, the child of the namespace's first process."""
        if not self.walled:
            return self.process.pid
        if self._inner is None and self.alive():
            deadline = time.monotonic() + 1.0
            while self._inner is None and time.monotonic() < deadline:
                first = _children(self.process.pid)
                grown = _children(first[0]) if first else []
                self._inner = grown[0] if grown else None
                if self._inner is None:
                    time.sleep(0.005)
        return self._inner


def confine(command: Sequence[str], walls: Walls) -> list[str]:
    """The command line that starts `command` behind `walls`."""
    limit = [_needed("prlimit"), f"--as={walls.memory_mb << 20}", "--core=0", "--"]
    if walls.isolation == "rlimits":
        return [*limit, *command]
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise MissingError("bubblewrap is not installed", where="isolation 'full'", mend=mend())
    privileged = may_mount() and has_nobody()
    become = (
        [_needed("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
        if privileged
        else []
    )
    inner = [*become, *limit, *command]
    return [bubblewrap, *namespaces(privileged), *_files(walls, inner), "--", *inner]


def _needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise MissingError(f"'{program}' is not installed", mend="install util-linux, which holds it")
    return os.path.realpath(found)


def _files(walls: Walls, inner: Sequence[str]) -> list[str]:
    """The file system behind the walls: system libraries, what may be read, one small scratch folder."""
    tools = [part for part in inner if part.startswith("/") and os.access(part, os.X_OK) and Path(part).is_file()]
    binds = {path: path for path in (*LIBRARIES, *tools) if os.path.lexists(path)} | dict(walls.readable)
    made = ["--proc", "/proc", "--perms", "0755", "--dir", "/dev"]
    for path, source in sorted(binds.items()):
        if not os.path.lexists(source):
            raise LlemmaError(f"'{source}' is not there", where="walls of a confined program")
        if any(Path(path).is_relative_to(other) for other in binds if other != path and binds[other] == other):
            continue
        for folder in reversed(Path(path).parents[:-1]):
            made += ["--perms", "0755", "--dir", str(folder)]  # else bubblewrap makes it for itself alone
        link = path == source and Path(path).is_symlink()
        made += ["--symlink", str(Path(path).readlink()), path] if link else ["--ro-bind", source, path]
    for device in DEVICES:
        made += ["--dev-bind", device, device]
    made += ["--perms", "0777", "--size", str(walls.scratch_mb << 20), "--tmpfs", SCRATCH]
    made += ["--remount-ro", "/", "--chdir", SCRATCH, "--clearenv"]
    for name, value in walls.environment.items():
        made += ["--setenv", name, value]
    return made


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
