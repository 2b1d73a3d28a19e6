"""A prover that drives the fake server, and one that drives Isabelle where it is installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llemma.prove.config import ProverConfig
from llemma.prove.isabelle import Isabelle, IsabelleConfig

FAKE = [os.path.realpath(sys.executable), str(Path(__file__).parent / "fake_server.py")]
Make = Callable[..., Isabelle]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make provers on the fake server, without walls unless asked for; all are closed in the end."""
    made: list[Isabelle] = []

    def start(isolation: str = "rlimits", command: list[str] | None = None, **options: object) -> Isabelle:
        if isolation == "full" and shutil.which("bwrap") is None:
            pytest.skip("bubblewrap is not installed")
        config = ProverConfig(command=command or FAKE, isolation=isolation)  # type: ignore[arg-type]
        made.append(Isabelle(config, IsabelleConfig(**options)))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for prover in made:
        prover.close()


@pytest.fixture(scope="module", params=["fake", "real"])
def isabelle(request: pytest.FixtureRequest) -> Iterator[Isabelle]:
    """One prover for a module, on the fake server and on Isabelle itself."""
    if request.param == "real" and not (os.environ.get("LLEMMA_ISABELLE") or shutil.which("isabelle")):
        pytest.skip("Isabelle is not installed (on the PATH, or named by LLEMMA_ISABELLE)")
    command = FAKE if request.param == "fake" else []
    options = IsabelleConfig(session=os.environ.get("LLEMMA_ISABELLE_SESSION", "HOL"), hammer_seconds=10)
    isolation = os.environ.get("LLEMMA_ISABELLE_ISOLATION", "full")
    config = ProverConfig(command=command, isolation=isolation, memory_mb=6000)  # type: ignore[arg-type]
    prover = Isabelle(config, options)
    yield prover
    prover.close()
