"""The last layer: what a freshly forked child takes from itself before it reads its program."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from typing import NamedTuple

from . import kernel, seccomp

REQUEST, ANSWER = 3, 4  # where a child finds its pipes; 0 and 2 are /dev/null, 1 is the output
EMPTY = "/empty"  # made by the launcher, read-only
FILE_MIB, OPEN_FILES, THREADS, INODES = 8, 64, 32, 256


class Limits(NamedTuple):
    """What one program may use. `address_space` is in bytes and counts the warm image it starts from."""

    mode: str
    address_space: int
    scratch_mb: int
    user: int
    group: int
    last_capability: int
    filter: kernel.Filter | None

    @property
    def namespaces(self) -> int:
        """The namespaces a child is forked into."""
        return kernel.NAMESPACES if self.mode == "full" else 0


def take_pipes(request: int, output: int, answer: int) -> None:
    """Put the child's three pipes in their places and close everything else, the server's own pipes above all."""
    null = os.open(os.devnull, os.O_RDWR)
    # first out of the way of the places, so that no copy closes what another still needs
    safe = [fcntl.fcntl(source, fcntl.F_DUPFD, 16) for source in (null, output, null, request, answer)]
    for place, source in enumerate(safe):
        os.dup2(source, place)
    kernel.close_from(len(safe))


def confine(limits: Limits) -> None:
    """Apply every layer of the mode; an `OSError` in any of them must end the child."""
    os.umask(0o077)
    # out of the server's process group: `kill(0, ...)` reaches the whole group, whatever its pid namespaces
    os.setsid()
    if limits.mode == "full":
        _become_nobody(limits.user, limits.group)
        _mount_scratch(limits.scratch_mb)
    else:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # elsewhere the death of the pid namespace does it
    _limit(limits.address_space)
    if limits.mode == "full":
        kernel.drop_capabilities(limits.last_capability)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if limits.filter is not None:
        limits.filter.install()


def limit_processor(seconds: int) -> None:
    """End the process when it has computed for so long; the wall clock is watched from outside."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _become_nobody(user: int, group: int) -> None:
    # without a map, files of a tmpfs mounted in here could not be opened (EOVERFLOW)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        handle = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(handle, text.encode())
        os.close(handle)


def _mount_scratch(size_mb: int) -> None:
    options = f"size={size_mb}m,nr_inodes={INODES},mode=700"
    kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, options)
    kernel.mount(EMPTY, "/proc", "", kernel.MS_BIND)
    os.chdir("/tmp")


def _limit(address_space: int) -> None:
    for which, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_FSIZE, FILE_MIB << 20),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, THREADS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def limits(settings: dict[str, int | str], base: int) -> Limits:
    """The limits of a child of a server whose address space is `base` bytes."""
    mode = str(settings["mode"])
    filter_ = None if mode == "rlimits" else kernel.Filter(seccomp.filter_code(kernel.MACHINE, alone=mode == "full"))
    space, scratch = base + (int(settings["memory_mb"]) << 20), int(settings["scratch_mb"])
    return Limits(mode, space, scratch, os.getuid(), os.getgid(), kernel.last_capability(), filter_)
