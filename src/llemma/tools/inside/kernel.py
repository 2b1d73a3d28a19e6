"""The Linux calls that Python has no name for, by ctypes. Numbers are those of the kernel's own headers (`man 2`)."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

MACHINE = platform.machine()
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x8000000, 0x10000000, 0x20000000
CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME = 0x4000000, 0x40000000, 0x2000000, 0x80
CLONE_THREAD = 0x10000
NAMESPACES = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID
ALL_NAMESPACES = NAMESPACES | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND = 1, 2, 4, 8, 4096
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_READ, PR_CAPBSET_DROP = 1, 4, 22, 23, 24
PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT = 38, 36, 47
SECCOMP_MODE_FILTER, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
MADV_COLLAPSE, HUGE_PAGE = 25, 2 << 20
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLOSE_RANGE = 436
_CAPABILITY_VERSION = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)
libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.capset.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
libc.signal.argtypes, libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
libc.syscall.argtypes, libc.syscall.restype = [ctypes.c_long] * 6, ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def fork(namespaces: int) -> int:
    """Fork with the child in new `namespaces`, as the first process of a new pid namespace among them.

    One call instead of `unshare` and two forks: each fork copies the page tables of the whole warm image. It also
    leaves out what `os.fork` does for programs with threads; this one has none, and the handlers of `threading`,
    `random` and others would touch, and so copy, two hundred pages.
    """
    pid: int = libc.syscall(_CLONE[MACHINE], namespaces | signal.SIGCHLD, 0, 0, 0, 0)
    return _checked(pid, "clone")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """`mount(2)`."""
    call = libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode())
    _checked(call, f"mount {target}")


def prctl(option: int, value: int = 0, pointer: int | None = None) -> int:
    """`prctl(2)`."""
    return _checked(libc.prctl(option, value, pointer, 0, 0), f"prctl {option}")


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    if libc.syscall(_CLOSE_RANGE, first, 0x7FFFFFFF, 0, 0, 0) < 0:  # before Linux 5.9
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


_HEADER, _NO_CAPABILITIES = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()


def drop_capabilities(last: int) -> None:
    """Empty the effective, permitted, inheritable, ambient and bounding sets; `last` is from `last_capability`."""
    for capability in range(last + 1):
        prctl(PR_CAPBSET_DROP, capability)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    _checked(libc.capset(_HEADER, _NO_CAPABILITIES), "capset")


def last_capability() -> int:
    """The highest capability that this kernel knows."""
    return max(number for number in range(64) if libc.prctl(PR_CAPBSET_READ, number, None, 0, 0) >= 0)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Filter:
    """A seccomp program laid out for the kernel once, to be installed in each child."""

    def __init__(self, code: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._buffer))
        self._address = ctypes.addressof(self._program)

    def install(self) -> None:
        """Bind this thread and what it creates, for ever."""
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self._address)


def die_by_own_signals(numbers: tuple[int, ...]) -> None:
    """Let signals whose default is death kill the first process of a pid namespace too.

    The kernel ignores a default action there, even `kill(getpid(), SIGTERM)`; a handler is obeyed, and libc's `abort`
    ends in a fault that no namespace shields from.
    """
    abort = ctypes.cast(libc.abort, ctypes.c_void_p).value
    for number in numbers:
        libc.signal(number, abort)


def collapse_heap() -> int:
    """Put this process' memory into huge pages where it fits; returns how many.

    A fork then copies one entry for 512, which takes a third off the cost of forking a large warm image.
    """
    done = 0
    with open("/proc/self/maps") as maps:
        areas = [line.split() for line in maps]
    for area in areas:
        if area[1] == "rw-p" and (len(area) < 6 or area[5] == "[heap]"):
            start, end = (int(address, 16) for address in area[0].split("-"))
            for page in range(-(-start // HUGE_PAGE) * HUGE_PAGE, end - HUGE_PAGE + 1, HUGE_PAGE):
                done += libc.madvise(page, HUGE_PAGE, MADV_COLLAPSE) == 0
    return done
