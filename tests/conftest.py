"""Runs of the tiny recipe through the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the command line sets it; two workers share two cores

TINY = Path(__file__).parent / "reproduce" / "tiny.toml"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def tiny() -> str:
    """The path of a recipe that runs in seconds."""
    return str(TINY)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start `llemma ARGS` with its own home; standard error can be read line by line."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        environment = {**os.environ, "LLEMMA_HOME": str(home)}
        return subprocess.Popen(
            [sys.executable, "-m", "llemma", *arguments],
            env=environment,
            cwd=cwd,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return run


@pytest.fixture(scope="session")
def undisturbed(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of one whole run of the tiny recipe; read only."""
    out = tmp_path_factory.mktemp("undisturbed") / "tiny"
    process = start("reproduce", str(TINY), "--out", str(out))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out
