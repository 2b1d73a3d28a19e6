"""The filter of system calls, tried call by call on a small machine of our own; and what the answers are made of."""

from __future__ import annotations

import ast
import errno
import re
import signal
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.tools.execution import Ended, conclude, parse_answer
from llemma.tools.inside import kernel, seccomp
from llemma.tools.inside.program import _failure


def program(machine: str, alone: bool = True) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("=HBBI", seccomp.filter_code(machine, alone=alone)))


PROGRAMS = {machine: program(machine) for machine in seccomp.AUDIT}
SOCIABLE = {machine: program(machine, alone=False) for machine in seccomp.AUDIT}


def decide(machine: str, number: int, *arguments: int, architecture: int | None = None, alone: bool = True) -> int:
    """What the filter answers, by the rules of classic BPF."""
    kind = seccomp.AUDIT[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, kind, 0, *arguments, *[0] * (6 - len(arguments)))
    position, register = 0, 0
    while True:
        operation, yes, no, value = (PROGRAMS if alone else SOCIABLE)[machine][position]
        position += 1
        if operation == 0x20:
            register = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[operation]
            position += yes if holds else no


MACHINES = pytest.mark.parametrize("machine", PROGRAMS)


@MACHINES
def test_every_denied_call_is_refused_and_no_other(machine: str) -> None:
    column = list(PROGRAMS).index(machine)
    denied = {numbers[column] for numbers in seccomp.DENIED.values()} - {-1}
    special = {seccomp.CLONE[column], seccomp.CLONE3[column], *(row[column] for row in seccomp.SIGNALLING.values())}
    assert not denied & special
    for number in set(range(seccomp.NEWEST + 1)) - special:
        assert decide(machine, number) == (seccomp.REFUSE if number in denied else seccomp.ALLOW), number


@MACHINES
@given(number=st.integers(seccomp.NEWEST + 1, 2**32 - 1))
def test_calls_of_tomorrow_are_unknown_and_foreign_tables_deadly(machine: str, number: int) -> None:
    wanted = seccomp.KILL if number >= seccomp.X32 else seccomp.ERRNO | errno.ENOSYS
    assert decide(machine, number) == wanted


@MACHINES
@given(number=st.integers(0, 500), architecture=st.integers(0, 2**32 - 1))
def test_foreign_architectures_are_deadly(machine: str, number: int, architecture: int) -> None:
    if architecture != seccomp.AUDIT[machine]:
        assert decide(machine, number, architecture=architecture) == seccomp.KILL


@MACHINES
@given(flags=st.integers(0, 2**64 - 1))
def test_clone_makes_threads_and_nothing_else(machine: str, flags: int) -> None:
    number = seccomp.CLONE[list(PROGRAMS).index(machine)]
    low = flags & 0xFFFFFF00
    thread = low & kernel.CLONE_THREAD and not low & kernel.ALL_NAMESPACES
    assert decide(machine, number, flags) == (seccomp.ALLOW if thread else seccomp.REFUSE)


@MACHINES
@pytest.mark.parametrize("call", seccomp.SIGNALLING)
def test_deadly_signals_are_deadly(machine: str, call: str) -> None:
    row = seccomp.SIGNALLING[call]
    for number in range(1, 65):
        arguments = [7, 7, 7]
        arguments[row[2]] = number
        for alone, others in ((True, seccomp.ALLOW), (False, seccomp.REFUSE)):
            wanted = seccomp.KILL if number in seccomp.DEADLY else others
            assert decide(machine, row[list(PROGRAMS).index(machine)], *arguments, alone=alone) == wanted


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@MACHINES
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip(f"no {HEADERS[machine]}: linux-libc-dev")
    text = HEADERS[machine].read_text()
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    column = list(PROGRAMS).index(machine)
    rows = {**seccomp.DENIED, **seccomp.SIGNALLING, "clone": seccomp.CLONE, "clone3": seccomp.CLONE3}
    wrong = {name: row[column] for name, row in rows.items() if row[column] != numbers.get(name, -1)}
    assert not wrong


def ended(answer: bytes = b"", code: int | None = 0, **more: object) -> Ended:
    return Ended(**{"stopped": None, "stdout": b"", "answer": answer, "seconds": 0.1, "code": code, **more})


@given(st.binary())
def test_no_bytes_from_a_child_break_the_reader(data: bytes) -> None:
    result = conclude(ended(data), "full", cap=100, cpu_limit=1, full_mb=100)
    assert result.outcome == ("ok" if not data else "error") or parse_answer(data)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (ended(), "ok"),
        (ended(code=256), "error"),
        (ended(code=signal.SIGSEGV), "killed"),
        (ended(code=signal.SIGKILL, cpu=2.0), "timeout"),
        (ended(code=signal.SIGKILL, peak_mb=95.0), "memory"),
        (ended(stopped="timeout"), "timeout"),
        (ended(stopped="timeout", peak_mb=95.0), "memory"),
        (ended(stopped="output_capped"), "output_capped"),
        (ended(stdout=b"x" * 101), "output_capped"),
        (ended(code=None, lost="the server died"), "killed"),
        (ended(code=None), "ok"),
        (ended(b'{"outcome": "denied", "value": null, "srepr": null, "error": "x"}\n'), "denied"),
        (ended(b'{"outcome": "ok", "value": "1"}\n', code=256), "error"),
        (ended(b'{"outcome": "setup"}\n', code=113 << 8), "error"),
        (ended(b'{"outcome": "right"}\n'), "error"),
    ],
)
def test_how_an_end_is_named(end: Ended, outcome: str) -> None:
    assert conclude(end, "full", cap=100, cpu_limit=1, full_mb=100).outcome == outcome


def test_only_standard_modules_are_imported_inside() -> None:
    for path in Path(kernel.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or str(node.module).split(".")[0] in sys.stdlib_module_names, path


def test_memory_that_c_code_ran_out_of_counts_as_memory() -> None:
    lost = SystemError("<function f at 0x7f> returned NULL without setting an exception")
    ends = [_failure(error, {})["outcome"] for error in (MemoryError(), lost, SystemError("bad call"), ValueError())]
    assert ends == ["memory", "memory", "error", "error"]
