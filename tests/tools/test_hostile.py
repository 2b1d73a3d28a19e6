"""Every hostile program ends in its class, the next program is right, and nothing is left."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from llemma.core.errors import MissingError
from llemma.tools import Execution, Sandbox, SandboxConfig

_spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
assert _spec is not None and _spec.loader is not None
hostile = importlib.util.module_from_spec(_spec)
sys.modules["hostile"] = hostile
_spec.loader.exec_module(hostile)

pytestmark = pytest.mark.slow  # minutes on a busy machine

HARMLESS = (
    "import math\nfrom sympy import *\nx = symbols('x')\nprint(len('four'), str(7 + 0))\nsolve(x - Integer(2) - 1, x)"
)


def limit(item: hostile.Hostile) -> float:
    """Wall seconds: few where only the end of time can end it, enough for a busy machine elsewhere."""
    return 0.7 if "timeout" in item.outcomes else 15


class Outcome(NamedTuple):
    """All results of one run, and what was there after it."""

    results: dict[str, tuple[Execution, Execution]]
    namespaces: set[str]
    running: int
    servers: int
    left: list[str]


def network_namespaces() -> dict[str, list[int]]:
    """Processes that are no zombies, by network namespace: what a program starts cannot leave that of its server."""
    found: dict[str, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.setdefault(str((folder / "ns" / "net").readlink()), []).append(int(folder.name))
    return found


def descendants() -> set[int]:
    """All processes that this one started, directly or not."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found, mine = set(), {os.getpid()}
    while mine := {pid for pid, parent in parents.items() if parent in mine} - found:
        found |= mine
    return found


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Run everything, with a harmless program after each, by two workers."""
    box = Sandbox(SandboxConfig(memory_mb=128, workers=2))
    try:
        box.open()
    except MissingError as error:
        pytest.skip(str(error))

    def attack(item: hostile.Hostile) -> tuple[Execution, Execution]:
        return box.run(item.program, timeout=limit(item)), box.run(HARMLESS, timeout=20)

    with contextlib.closing(box), ThreadPoolExecutor(2) as pool:
        results = dict(zip((item.name for item in hostile.HOSTILE), pool.map(attack, hostile.HOSTILE), strict=True))
        ours = {str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in ["self", *descendants()]}
        ours.remove(str(Path("/proc/self/ns/net").readlink()))
        time.sleep(0.2)  # for the children that are made ready
        running = sum(len(pids) for name, pids in network_namespaces().items() if name in ours)
        servers = sum(len(slot.servers) for slot in box._all)
    deadline = time.monotonic() + 2  # bubblewrap's zombie waits for the first process of this machine
    while (left := [name for name in network_namespaces() if name in ours]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return Outcome(results, ours, running, servers, left)


def test_there_are_more_than_a_hundred() -> None:
    names = [item.name for item in hostile.HOSTILE]
    assert len(set(names)) == len(names) > 100


def held(item: hostile.Hostile, result: Execution) -> bool:
    """Whether the program ended as it should, in its time, and saw what it should."""
    seen = item.shows is None or result.stdout == item.shows
    return result.outcome in item.outcomes and seen and result.seconds < limit(item) + 2.5


def test_every_hostile_program_ends_in_its_class(outcome: Outcome) -> None:
    # one test for all: their results come from one run, which parallel test processes would each repeat
    ends = {item.name: (item, outcome.results[item.name][0]) for item in hostile.HOSTILE}
    assert not {name: result for name, (item, result) in ends.items() if not held(item, result)}
    assert all(len(result.stdout) <= 65_536 for _, result in ends.values())


def test_the_program_after_a_hostile_one_is_right(outcome: Outcome) -> None:
    after = {name: pair[1] for name, pair in outcome.results.items()}
    wanted = ("ok", "4 7\n", "[3]")
    assert not {name: end for name, end in after.items() if (end.outcome, end.stdout, end.value) != wanted}


def test_no_process_is_left(outcome: Outcome) -> None:
    assert outcome.servers == len(outcome.namespaces)
    # while the sandbox is open: bubblewrap's first process, the server and the child it holds ready
    assert outcome.running == 3 * outcome.servers
    assert outcome.left == []


def test_no_file_is_left(outcome: Outcome) -> None:
    del outcome  # everything has run
    folders = (
        "/",
        "/tmp",
        "/var/tmp",
        "/dev",
        "/dev/shm",
        str(Path.home()),
        str(Path.cwd()),
        str(Path(os.__file__).parent),
    )
    assert not [folder for folder in folders if (Path(folder) / hostile.PROOF).exists()]


def test_a_session_beside_hostile_programs_lives_on(outcome: Outcome) -> None:
    del outcome  # skips where there is no sandbox
    signals = [item for item in hostile.HOSTILE if "signal" in item.program or "kill" in item.program]
    assert len(signals) > 10
    with contextlib.closing(Sandbox(SandboxConfig(timeout=0.3, workers=1)).open()) as box, box.session() as session:
        session.run("x = 7")
        for item in signals:
            box.run(f"import numpy\n{item.program}")  # by the server that forked the session
        assert session.run("x").value == "7"
        assert len(box._all[0].servers) == 2
