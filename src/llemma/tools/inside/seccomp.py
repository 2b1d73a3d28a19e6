"""The filter of system calls, as a BPF program built from a table.

A deny list: what can reach another process, the network, the kernel's larger attack surfaces or a new program is
refused with EPERM, and every call newer than this table with ENOSYS. Numbers are those of the kernel's `unistd.h`
(`x86_64`, and the generic table of `aarch64`); layout and actions are those of `seccomp(2)`.
"""

from __future__ import annotations

import errno
import signal
import struct

from .kernel import ALL_NAMESPACES, CLONE_THREAD

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
REFUSE, UNKNOWN = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000
NEWEST = 451  # cachestat, Linux 6.5

# name: (x86_64, aarch64); -1 where the machine has no such call
DENIED: dict[str, tuple[int, int]] = {
    # new programs and new processes (threads: see `_clone`)
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1), "uselib": (134, -1),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "personality": (135, 92),
    # sockets of every kind
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "mknod": (133, -1), "mknodat": (259, 33),
    # keys, tracing, asynchronous rings: large surfaces that no calculation needs
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "userfaultfd": (323, 282), "io_setup": (206, 0), "io_submit": (209, 2),
    "vmsplice": (278, 75), "splice": (275, 76), "tee": (276, 77), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "inotify_init": (253, -1), "inotify_init1": (294, 26), "lookup_dcookie": (212, 18),
    # shared memory and queues, which would outlive an address space and escape its limit
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the machine
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "syslog": (103, 116), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1), "create_module": (174, -1),
    "get_kernel_syms": (177, -1), "query_module": (178, -1), "nfsservctl": (180, 42), "_sysctl": (156, -1),
    "sysfs": (139, -1), "ustat": (136, -1), "vhangup": (153, 58),
    # other identities
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), (435, 435)
# call: (x86_64, aarch64, which argument is the signal)
SIGNALLING = {
    "kill": (62, 129, 1), "tkill": (200, 130, 1), "tgkill": (234, 131, 2), "rt_sigqueueinfo": (129, 138, 1),
    "rt_tgsigqueueinfo": (297, 240, 2),
}  # fmt: skip
# A program is the first process of its pid namespace, where the kernel ignores these when they come from within; it is
# also the only process there, so whoever sends one means to die.
DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP,
          signal.SIGSYS)  # fmt: skip

_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

Code = list[tuple[int, int, int, int]]


def _return(action: int) -> Code:
    return [(_RETURN, 0, 0, action)]


def _clone() -> Code:
    """Threads yes; processes and namespaces no."""
    return [
        (_LOAD, 0, 0, _ARGUMENTS),
        (_ANY_BIT, 1, 0, ALL_NAMESPACES & ~0xFF),  # the lowest byte of clone's flags is a signal, not CLONE_NEWTIME
        (_ANY_BIT, 1, 0, CLONE_THREAD),
        *_return(REFUSE),
        *_return(ALLOW),
    ]


def _signal(argument: int, others: int) -> Code:
    """A deadly signal kills its sender; `others` is the action for any other."""
    tests: Code = [(_EQUAL, len(DEADLY) - i, 0, number) for i, number in enumerate(DEADLY)]
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *tests, *_return(others), *_return(KILL)]


def _tree(cases: list[tuple[int, Code]]) -> Code:
    """Binary search: `cases` are (first number, code) in ascending order, each up to the next one's first number.

    A filter is tried on every call number when it is installed, once a program, so its depth is paid for each time.
    """
    if len(cases) == 1:
        return cases[0][1]
    middle = len(cases) // 2
    low, high = _tree(cases[:middle]), _tree(cases[middle:])
    return [(_GREATER_EQUAL, len(low), 0, cases[middle][0]), *low, *high]


def _cases(column: int, alone: bool) -> list[tuple[int, Code]]:
    special = {numbers[column]: _return(REFUSE) for numbers in DENIED.values()}
    special |= {row[column]: _signal(row[2], ALLOW if alone else REFUSE) for row in SIGNALLING.values()}
    special |= {CLONE[column]: _clone(), CLONE3[column]: _return(UNKNOWN)}  # libc falls back to clone
    special.pop(-1, None)
    cases: list[tuple[int, Code]] = []
    for number in range(NEWEST + 1):
        code = special.get(number, _return(ALLOW))
        if not cases or cases[-1][1] != code or number in (row[column] for row in SIGNALLING.values()):
            cases.append((number, code))
    return [*cases, (NEWEST + 1, _return(UNKNOWN))]


def filter_code(machine: str, *, alone: bool) -> bytes:
    """The filter for `x86_64` or `aarch64` as an array of `struct sock_filter`; another machine is a `KeyError`.

    `alone` in a pid namespace, a program may signal itself; elsewhere it might meet others, so it may signal nobody.
    """
    tree = _tree(_cases(list(AUDIT).index(machine), alone))
    code: Code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, AUDIT[machine]),
        *_return(KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER_EQUAL, 0, 1, X32),  # the x32 table repeats every call under other numbers
        *_return(KILL),
        *tree,
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
