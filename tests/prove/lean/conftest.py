"""Where recorded sessions and stand-ins for the REPL lie, and how to start them behind the walls."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llemma.prove.config import ProverConfig
from llemma.prove.lean.install import installation
from llemma.prove.lean.repl import Repl

HERE = Path(__file__).parent
ISOLATION = "full" if shutil.which("bwrap") else "rlimits"


@pytest.fixture
def transcripts() -> Path:
    path = HERE.parents[3] / "shared/lean_repl_transcripts/transcripts.jsonl"
    if not path.exists():
        pytest.skip("the recorded sessions are not beside the repository (../shared/lean_repl_transcripts)")
    return path


@pytest.fixture
def stand_in() -> Callable[..., ProverConfig]:
    """Settings that start a script of this folder in place of the REPL."""

    def settings(script: str, *arguments: str, **options: object) -> ProverConfig:
        command = [sys.executable, str(HERE / script), *arguments]
        return ProverConfig(command=command, isolation=ISOLATION, **options)  # type: ignore[arg-type]

    return settings


@pytest.fixture
def replay(stand_in: Callable[..., ProverConfig]) -> Iterator[Callable[..., Repl]]:
    """Start a server that replays: file, session, fault, at."""
    started: list[Repl] = []

    def start(*arguments: object, most_bytes: int = 64 << 20, memory_mb: int = 512) -> Repl:
        config = stand_in("replay_server.py", *map(str, arguments), memory_mb=memory_mb)
        started.append(Repl(installation(config), most_bytes=most_bytes))
        return started[-1]

    yield start
    for repl in started:
        repl.close()
        assert not repl.alive()


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """No test leaves a process or an open file behind."""
    files = len(list(Path("/proc/self/fd").iterdir()))
    yield
    left = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = [
        Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in left if Path(f"/proc/{pid}").exists()
    ]
    assert not [name for name in names if str(HERE) in name]
    assert len(list(Path("/proc/self/fd").iterdir())) <= files + 1
