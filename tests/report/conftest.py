from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from llemma.report import build


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"report_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The builder of run folders."""
    return _load("fixture")


@pytest.fixture(scope="session")
def run_folder(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; read it only."""
    return made.write_run(tmp_path_factory.mktemp("runs") / "mini")


@pytest.fixture(scope="session")
def report(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `run_folder`; read it only."""
    return build([run_folder], tmp_path_factory.mktemp("reports") / "mini").parent


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., str]:
    """Open an address in Chromium and give back the page as it stands after its scripts have run."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")

    def dump(address: str, *, width: int = 1400, clock: str = "--virtual-time-budget=3000") -> str:
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync --disable-dev-shm-usage"
        )
        command = [
            program,
            *flags.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            *clock.split(),
        ]
        done = subprocess.run([*command, "--dump-dom", address], capture_output=True, timeout=120, check=True)
        return done.stdout.decode("utf-8")

    return dump
