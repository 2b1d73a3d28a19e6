"""What this machine can do, and how to add the rest."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from pathlib import Path

import msgspec

from llemma.core import registry
from llemma.core.errors import LlemmaError
from llemma.core.home import home_folder
from llemma.core.runs import device
from llemma.prove.config import ProverConfig
from llemma.prove.prover import open_prover
from llemma.tools import Sandbox, SandboxConfig


class Check(msgspec.Struct, frozen=True):
    """One finding; `mend` says how to add what is missing."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine() -> list[Check]:
    """All checks, none of which changes anything."""
    return [
        Check("python", True, platform.python_version()),
        Check("processor", True, device()),
        _memory(),
        _disk(),
        _torch(),
        _sandbox(),
        *(_prover(name) for name in registry.names("prover")),
        _program("chromium", ["--version"], "tests of the report pages", "apt-get install chromium"),
    ]


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Check("memory", total >= 8, f"{total:.0f} GiB", "" if total >= 8 else "the mini recipe wants 8 GiB")


def _disk() -> Check:
    folder = next(path for path in (home_folder(), *home_folder().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 2**30
    return Check(
        "disk",
        free >= 2,
        f"{free:.0f} GiB free for {home_folder()}",
        "" if free >= 2 else "set LLEMMA_HOME to a larger disk",
    )


def _torch() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("torch", False, "not installed", "pip install -c constraints.txt llemma")
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    bf16 = "bf16 in hardware" if "avx512_bf16" in _cpu_flags() else "bf16 emulated: set train.PHASE.precision = 'fp32'"
    return Check("torch", True, f"{torch.__version__}, {gpu}, {bf16}")


def _cpu_flags() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""


def _sandbox() -> Check:
    """Open a sandbox with every layer and run a program in it: bubblewrap alone says nothing about namespaces."""
    try:
        with Sandbox(SandboxConfig(workers=1)):
            return Check("sandbox", True, "untrusted programs run with full isolation")
    except LlemmaError as error:
        return Check("sandbox", False, f"untrusted programs cannot be isolated: {error.what}", error.mend)


def _prover(name: str) -> Check:
    """Open the prover; its process starts with the first theorem."""
    try:
        worker = open_prover(name, ProverConfig())
    except LlemmaError as error:
        return Check(name, False, f"theorems of {name} cannot be checked: {error.what}", error.mend)
    try:
        return Check(name, True, worker.identity)
    finally:
        worker.close()


def _program(name: str, arguments: list[str], what_for: str, mend: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return Check(name, False, f"not found; for {what_for}", mend)
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, False, f"does not run: {error}", mend)
    lines = done.stdout.strip().splitlines()
    return Check(name, done.returncode == 0, lines[0] if lines else path, "" if done.returncode == 0 else mend)


def text(checks: list[Check]) -> str:
    """One line a check, and what to type for what is missing."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{'ok     ' if check.ok else 'missing'} {check.name.ljust(width)}  {check.found}")
        if check.mend:
            lines.append(f"{' ' * (9 + width)} mend: {check.mend}")
    return "\n".join(lines)
