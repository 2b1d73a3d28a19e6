"""Servers that die or hang, commands that are killed: one program is told of it, the others never notice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llemma.tools import Execution, Sandbox, SandboxConfig


def inside(box: Sandbox) -> list[int]:
    """The servers behind the walls: the process that bubblewrap's first process started."""
    found = []
    for slot in box._all:
        for server in slot.servers.values():
            first = _children(server.process.pid)[0]
            found.append(_children(first)[0])
    return found


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def during(box: Sandbox, act: Callable[[int], None], program: str = "import time\ntime.sleep(1)") -> Execution:
    """The end of a program during which `act` is done to its server."""
    results: list[Execution] = []
    thread = threading.Thread(target=lambda: results.append(box.run(program)))
    thread.start()
    time.sleep(0.3)
    act(inside(box)[0])
    thread.join()
    return results[0]


@pytest.fixture
def single(box: Sandbox) -> Sandbox:
    """A fresh sandbox of one worker, closed by the test's end; `box` is asked for its skip."""
    return Sandbox(SandboxConfig(timeout=2.5, workers=1)).open()


def test_a_server_that_dies_is_replaced_and_its_program_told(single: Sandbox) -> None:
    with contextlib.closing(single):
        result = during(single, lambda pid: os.kill(pid, signal.SIGKILL))
        assert (result.outcome, result.error) == ("killed", "the sandbox's server died")
        assert single.run("2").value == "2"


@pytest.mark.slow
def test_a_server_that_hangs_is_replaced_and_its_program_told(single: Sandbox) -> None:
    with contextlib.closing(single):
        result = during(single, lambda pid: os.kill(pid, signal.SIGSTOP), "while True: pass")
        assert result.outcome == "timeout"
        assert result.seconds < 8
        assert single.run("2").value == "2"


def test_a_server_that_dies_between_programs_is_replaced(single: Sandbox) -> None:
    with contextlib.closing(single):
        for _ in range(3):
            os.kill(inside(single)[0], signal.SIGKILL)
            time.sleep(0.2)
            assert single.run("2").value == "2"


def test_the_other_worker_does_not_notice(box: Sandbox) -> None:
    list(box.map(["import time\ntime.sleep(0.2)"] * 2))  # both servers are there
    victim = inside(box)[0]
    results = box.map(["import time\ntime.sleep(0.6)\n1"] * 2)
    threading.Timer(0.3, os.kill, (victim, signal.SIGKILL)).start()
    assert sorted(result.outcome for result in results) == ["killed", "ok"]


@pytest.mark.slow
def test_a_session_tells_of_the_death_of_its_server(single: Sandbox) -> None:
    with contextlib.closing(single), single.session() as session:
        assert session.run("1").outcome == "ok"
        for pid in inside(single):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert session.run("1").outcome == "killed"
        assert single.run("import sympy\n2").value == "2"


def test_closing_ends_programs_that_run(single: Sandbox) -> None:
    results: list[Execution] = []
    thread = threading.Thread(target=lambda: results.append(single.run("while True: pass")))
    thread.start()
    time.sleep(0.3)
    begun = time.monotonic()
    single.close()
    thread.join()
    assert results[0].outcome == "killed"
    assert time.monotonic() - begun < 6


def _behind_walls() -> dict[str, set[int]]:
    """Processes in network namespaces other than ours, by namespace."""
    found: dict[str, set[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.setdefault(str((folder / "ns" / "net").readlink()), set()).add(int(folder.name))
    found.pop(str(Path("/proc/self/ns/net").readlink()))
    return found


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, -15)])
@pytest.mark.slow
def test_nothing_survives_the_command(
    box: Sandbox, tmp_path: Path, start: Callable[..., object], how: signal.Signals, code: int
) -> None:
    rows = [{"id": number, "program": "import time, sympy\ntime.sleep(30)"} for number in range(4)]
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = start("exec", str(tmp_path / "f.jsonl"), "--out", str(tmp_path / "r.jsonl"), "--timeout", "60")
    deadline = time.monotonic() + 20
    ours: set[str] = set()
    while len(ours) < 3 and time.monotonic() < deadline:  # the probed light server and two full ones
        pids = _descendants(process.pid)
        ours = {name for name, members in _behind_walls().items() if members & pids}
        time.sleep(0.05)
    assert len(ours) >= 3
    begun = time.monotonic()
    process.send_signal(how)
    assert process.wait(timeout=20) == code
    assert time.monotonic() - begun < 5
    deadline = time.monotonic() + 3
    while (left := ours & set(_behind_walls())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert not (tmp_path / "r.jsonl").exists()


def _descendants(pid: int) -> set[int]:
    found, new = set(), {pid}
    while new:
        found |= new
        grown = set()
        for parent in new:
            for task in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    grown |= {int(child) for child in task.read_text().split()}
        new = grown - found
    return found
