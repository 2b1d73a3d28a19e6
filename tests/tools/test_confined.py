"""Confined programs: what they see, what they may write, and that nothing of them is left."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llemma.core.errors import LlemmaError, MissingError
from llemma.tools.confined import SCRATCH, Confined, Walls

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
SHELL = ["/bin/sh", "-c"]
SYSTEM = {"/usr/bin": "/usr/bin", "/bin": "/bin"}


def output(script: str, walls: Walls) -> str:
    program = Confined([*SHELL, script], walls)
    try:
        return b"".join(iter(lambda: program.stdout.read(65_536), b"")).decode()
    finally:
        program.kill()


def walls(**options: object) -> Walls:
    return Walls(readable=SYSTEM, environment={"PATH": "/usr/bin:/bin"}, **options)  # type: ignore[arg-type]


def test_it_reads_what_it_is_given_and_writes_to_its_scratch_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "a.txt").write_text("shown")
    tmp_path.chmod(0o755)
    seen = Walls(readable={**SYSTEM, "/given": str(tmp_path / "given")}, environment={"PATH": "/usr/bin"})
    script = f"""
        cat /given/a.txt; echo; pwd; ls /home /root {tmp_path} 2>/dev/null
        for place in / /given /etc {SCRATCH}; do (echo x > $place/written) 2>/dev/null && echo wrote $place; done"""
    assert output(script, seen).split("\n") == ["shown", SCRATCH, f"wrote {SCRATCH}", ""]
    assert [path.name for path in (tmp_path / "given").iterdir()] == ["a.txt"]


def test_it_has_no_network_no_other_process_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLEMMA_SECRET", "secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"env; ls -d /proc/{os.getpid()} 2>/dev/null; (exec 3<>/dev/tcp/127.0.0.1/{port}) && echo connected"
        program = Confined(["/bin/bash", "-c", script], walls())
        text = program.stdout.read(65_536).decode()
        program.kill()
    assert "secret" not in text and "connected" not in text and "/proc/" not in text
    assert "PATH=/usr/bin:/bin" in text


def test_without_walls_it_works_in_a_folder_of_its_own_that_goes_with_it() -> None:
    program = Confined([*SHELL, "echo x > left; pwd"], walls(isolation="rlimits"))
    folder = Path(program.stdout.read(4096).decode().strip())
    assert (folder / "left").is_file() and folder != Path.cwd()
    program.kill()
    assert not folder.exists()


def test_memory_is_limited() -> None:
    assert output("ulimit -v", walls(memory_mb=512)) == f"{512 << 10}\n"
    assert output("ulimit -v", walls(memory_mb=512, isolation="rlimits")) == f"{512 << 10}\n"


@pytest.mark.parametrize("isolation", ["full", "rlimits"])
def test_kill_ends_the_whole_tree(isolation: str) -> None:
    mark = f"86{os.getpid() % 10_000:04d}"
    program = Confined([*SHELL, f"sleep {mark} & sleep {mark} & echo up; wait"], walls(isolation=isolation))
    assert program.stdout.read(10) == b"up\n"
    assert waited(lambda: len(running(mark)) >= 2)
    program.kill()
    assert waited(lambda: not running(mark)) and not program.alive()
    program.kill()  # once more does no harm


def waited(done: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it came true in time, on a machine that may be busy."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done()


def running(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == f"sleep\0{mark}\0".encode():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_interrupt_and_memory_reach_the_program_behind_the_walls() -> None:
    program = Confined([*SHELL, "trap 'echo caught; exit' INT; echo up; while :; do sleep 0.05; done"], walls())
    assert program.stdout.read(10) == b"up\n"
    assert program.resident_mb() > 0.1
    timer = threading.Timer(0.1, program.interrupt)
    timer.start()
    assert program.stdout.read(10) == b"caught\n"
    timer.join()
    program.kill()
    assert program.resident_mb() == 0.0


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LlemmaError, match="not there"):
        Confined(SHELL, Walls(readable={"/x": str(tmp_path / "absent")}))
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "bwrap" else found(name))
    with pytest.raises(MissingError, match="bubblewrap"):
        Confined(SHELL, walls())
