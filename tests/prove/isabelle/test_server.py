"""The server's life: faults, restarts, walls, a running server joined, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llemma.core.errors import LlemmaError, MissingError
from llemma.prove.config import ProverConfig
from llemma.prove.isabelle import Isabelle
from llemma.prove.theorem import Theorem

pytestmark = pytest.mark.slow  # real processes

Make = Callable[..., Isabelle]
FAKE = [os.path.realpath(sys.executable), str(Path(__file__).parent / "fake_server.py")]


def theorem(goal: str) -> Theorem:
    return Theorem("t", "theory t imports Complex_Main\nbegin", f'theorem t:\n  shows "{goal}"')


EASY = theorem("(1::nat) + 1 = 2")


def faulty(fault: str) -> Theorem:
    return Theorem("t", f"theory t imports Main\nbegin\n(* fault_{fault} *)", 'theorem t: shows "closed_by simp"')


@pytest.mark.parametrize("fault", ["cut", "crash", "garbage", "huge", "line", "shape"])
def test_a_server_that_breaks_is_a_crash_and_is_started_anew(make: Make, fault: str) -> None:
    prover = make()
    checked = prover.check(faulty(fault), "by simp", 10)
    assert not checked.accepted and checked.kind == "crash"
    assert prover.check(EASY, "by simp", 10).accepted


@pytest.mark.parametrize("fault", ["stall", "endless"])
def test_a_server_that_does_not_answer_is_a_timeout(make: Make, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llemma.prove.isabelle.server._GRACE", 0.5)
    prover = make()
    prover.open(EASY, 10)
    start = time.monotonic()
    checked = prover.check(faulty(fault), "by simp", 1.0)
    assert checked.kind == "timeout" and time.monotonic() - start < 10
    assert prover.check(EASY, "by simp", 10).accepted


@pytest.mark.parametrize("fault", ["flood", "piecewise"])
def test_many_notes_and_small_pieces_do_no_harm(make: Make, fault: str) -> None:
    assert make().check(faulty(fault), "by simp", 30).accepted


def test_a_task_that_fails_is_an_error_and_the_server_stays(make: Make) -> None:
    prover = make()
    checked = prover.check(faulty("failed"), "by simp", 10)
    assert checked.kind == "error" and "No such file" in checked.why
    assert prover.check(EASY, "by simp", 10).accepted


def test_a_theory_that_is_not_reported_is_not_accepted(make: Make) -> None:
    assert not make().check(faulty("missing"), "by simp", 10).accepted


@pytest.mark.parametrize("name", ["wrong", "silent"])
def test_a_server_that_does_not_let_us_in(make: Make, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llemma.prove.isabelle.server._START", 1.0)
    with pytest.raises(LlemmaError, match="does not start"):
        make(command=[*FAKE, "server", "-n", name]).check(EASY, "by simp", 10)


def test_a_session_that_is_not_there_is_said(make: Make) -> None:
    with pytest.raises(LlemmaError, match="Undefined session") as caught:
        make(session="Absent").check(EASY, "by simp", 10)
    assert "isabelle build" in caught.value.mend


def test_an_absent_isabelle_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLEMMA_ISABELLE", "/nowhere/isabelle")
    with pytest.raises(MissingError, match="/nowhere/isabelle") as caught:
        Isabelle(ProverConfig())
    assert "isabelle.in.tum.de" in caught.value.mend


def test_behind_the_walls_there_is_no_way_out(make: Make) -> None:
    prover = make(isolation="full")
    assert prover.check(EASY, "by simp", 30).accepted
    assert prover.check(faulty("crash"), "by simp", 30).kind == "crash"
    assert prover.check(EASY, "by simp", 30).accepted
    assert own_port(prover) is None  # its port is in a network of its own
    prover = make(isolation="rlimits")
    assert prover.check(EASY, "by simp", 30).accepted
    assert own_port(prover) is not None


def own_port(prover: Isabelle) -> int | None:
    """A loopback port of ours that the server listens at, if any."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes(prover):
            return int(fields[1].split(":")[1], 16)
    return None


def inodes(prover: Isabelle) -> set[str]:
    program = prover._server._program
    assert program is not None
    found = set()
    for pid in [program.process.pid, *descendants(program.process.pid)]:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(link.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def descendants(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


@pytest.mark.parametrize("isolation", ["rlimits", "full"])
def test_nothing_is_left_behind(make: Make, isolation: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = f"87{os.getpid() % 10_000:04d}"
    monkeypatch.setenv("MARK", mark)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    prover = make(isolation=isolation)
    for fault in ("crash", "cut"):
        prover.check(faulty(fault), "by simp", 10)
        assert prover.check(EASY, "by simp", 10).accepted
    program = prover._server._program
    assert program is not None
    started = [program.process.pid, *descendants(program.process.pid)]
    assert len(started) >= 3
    prover.close()
    prover.close()
    deadline = time.monotonic() + 5
    while (left := [pid for pid in started if alive(pid)] + sleeping(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors and not list(tmp_path.iterdir())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sleeping(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == f"sleep\0{mark}\0".encode():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_a_running_server_is_joined_and_left_running(make: Make, tmp_path: Path) -> None:
    running = subprocess.Popen([*FAKE, "server"], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        (tmp_path / "info").write_text(running.stdout.readline())
        command = [*FAKE, "server", "-s", "-n", str(tmp_path / "info")]
        prover = make(command=command)
        assert prover.check(EASY, "by simp", 10).accepted
        prover.close()
        assert running.poll() is None
        with pytest.raises(LlemmaError, match="not behind the walls"):
            make(isolation="full", command=command)
    finally:
        children = descendants(running.pid)
        running.kill()
        running.wait()
        running.stdout.close()
        for child in children:
            os.kill(child, 9)
