"""Runs of the tiny recipe through the real command line, and a stand-in for Slurm."""

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


# The tasks of a job are processes side by side. They write to their own logs and get their number in the environment,
# as under Slurm; a job waits for the one it depends on, and does not run where that failed.
SBATCH = r"""#!{python}
import os, re, subprocess, sys
from pathlib import Path
spool = Path(os.environ["SPOOL"])
script = Path(sys.argv[-1])
number = str(100 + len(list(spool.glob("*.args"))))
(spool / f"{{number}}.args").write_text("\n".join(sys.argv[1:]))
text = script.read_text()
after = [arg.rpartition(":")[2] for arg in sys.argv if arg.startswith("--dependency=afterok:")]
if all((spool / f"{{job}}.ok").exists() for job in after):
    found = re.search(r"^#SBATCH --array=(\d+)-(\d+)", text, re.M)
    tasks = range(int(found[1]), int(found[2]) + 1) if found else [None]
    running = []
    for task in tasks:
        env = dict(os.environ, **({{}} if task is None else {{"SLURM_ARRAY_TASK_ID": str(task)}}))
        running.append(subprocess.Popen(["bash", str(script)], env=env, stdout=subprocess.DEVNULL,
                                        stderr=open(spool / f"{{number}}-{{task}}.log", "w")))
        (spool / f"{{number}}-{{task}}.pid").write_text(str(running[-1].pid))
    if all([process.wait() == 0 for process in running]):
        (spool / f"{{number}}.ok").touch()
print(number + ";cluster")
"""


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster: `sbatch` on the path, and a folder of what it did."""
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "sbatch").write_text(SBATCH.format(python=sys.executable))
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SPOOL", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
    return folder
