"""Jobs of Slurm, run by a stand-in for `sbatch` that starts the tasks of an array as processes side by side."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from llemma.cli.corpus import corpus
from llemma.core.errors import BusyError, LlemmaError, RecipeError
from llemma.core.registry import load_plugin
from llemma.corpus import build, layout
from llemma.corpus.check import open_sources
from llemma.corpus.config import CorpusConfig, SlurmConfig, SourceConfig
from llemma.corpus.slurm import Shared, Submission, submit, work


def logs(spool: Path) -> str:
    return "\n".join(f"{path.name}: {path.read_text()}" for path in spool.glob("*.log"))


def handed(small: Any, section: CorpusConfig, out: Path, **options: Any) -> Any:
    from llemma.core.console import Console

    return submit(section, out, cache=out.parent / "cache", console=Console(quiet=True), **options)


@pytest.mark.slow
def test_shares_and_their_merge_give_the_bytes_of_a_local_build(small: Any, tmp_path: Path, spool: Path) -> None:
    out = tmp_path / "a 'blank' folder"
    section = small.config(executor="slurm", slurm=SlurmConfig(tasks=3, partition="cpu", directives=["--qos=low"]))
    found = handed(small, section, out)
    assert isinstance(found, Submission) and (found.units, found.tasks, found.jobs) == (6, 3, ["100", "101"])
    assert "--dependency=afterok:100" in (spool / "101.args").read_text().splitlines(), logs(spool)
    small.run(small.config(), tmp_path / "calm", protected=[])
    assert small.tree(out) == small.tree(tmp_path / "calm"), logs(spool)
    done = handed(small, section, out)
    assert isinstance(done, layout.CorpusStats) and done == layout.read_stats(out)


def test_scripts_are_bash_that_slurm_reads(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    slurm = SlurmConfig(tasks=4, at_once=2, cpus=2, account="maths", setup=["module() { :; }", "module load python"])
    found = handed(small, small.config(slurm=slurm), tmp_path / "o ut $(touch x)", workers=5)
    assert not found.jobs and found.tasks == 3  # of two units at a time
    folder = Path(found.script).parent
    for script in folder.glob("*.sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)
    lines = (folder / "units.sh").read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    options = [line for line in lines if line.startswith("#SBATCH ")]
    assert lines[1 : 1 + len(options)] == options  # Slurm stops looking at the first command
    assert {"#SBATCH --array=0-2%2", "#SBATCH --cpus-per-task=2", "#SBATCH --account=maths"} <= set(options)
    assert lines.index("module load python") > lines.index("set -eo pipefail")
    # The words that bash makes of the last line are those of the command.
    last = lines[-1].removeprefix("exec ")
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {last}"], env={"SLURM_ARRAY_TASK_ID": "1"}, capture_output=True, text=True
    )
    assert said.stdout.splitlines()[1:] == [
        "-m", "llemma", "corpus", "work", str(folder / "job.json"), "--share", "1/3", "--workers", "2"
    ]  # fmt: skip
    assert not (tmp_path / "x").exists() and not Path("x").exists()


SLOW = """
import time
from llemma.core.registry import register
def slow(document):
    time.sleep(0.03)
    return document
register("step", "slow", slow)
"""


@pytest.mark.slow
def test_a_killed_task_holds_the_merge_back_and_is_done_again(small: Any, tmp_path: Path, spool: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    load_plugin(tmp_path / "slow.py")
    sources = {"a": SourceConfig("folder", "text", ["slow"], {"inputs": [f"{small.inputs}/[a-d]"]})}
    section, out = small.config(sources=sources, slurm=SlurmConfig(tasks=2)), tmp_path / "out"
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'plugins = ["{tmp_path}/slow.py"]\n[corpus]\nvalidation = 0.1\ntest = 0.1\nshard_bytes = 40_000\n'
        f'[corpus.slurm]\ntasks = 2\n[corpus.sources.a]\nkind = "folder"\nsubset = "text"\nsteps = ["slow"]\n'
        f'options = {{ inputs = ["{small.inputs}/[a-d]"] }}\n'
    )
    command = [sys.executable, "-m", "llemma", "corpus", "build", str(recipe), "--out", str(out)]
    command += ["--executor", "slurm", "--json", "-q"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    # both have a unit behind them or before them, and are in the middle of one
    while not (list(out.glob(".staging/units/[!.]*")) and len(list(out.glob(".staging/units/.*.tmp"))) == 2):
        assert process.poll() is None, logs(spool)
        time.sleep(0.01)
    victim = int((spool / "100-1.pid").read_text())
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(BusyError):
        small.run(section, out)  # the other share is at work
    assert json.loads(process.communicate()[0])["jobs"] == ["100", "101"]
    assert not (spool / "100.ok").exists() and not (spool / "101.ok").exists() and not (out / "stats.json").exists()
    assert list(out.glob(".staging/units/.*.tmp"))
    again = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert 0 < again["units"] < 4
    small.run(section, tmp_path / "calm", protected=[])
    assert small.tree(out) == small.tree(tmp_path / "calm"), logs(spool)
    assert not list(out.glob(".staging/units/.*.tmp"))


def test_a_refusal_is_told(small: Any, tmp_path: Path, spool: Path) -> None:
    (spool / "sbatch").write_text("#!/bin/bash\necho 'invalid partition specified: moon' >&2\nexit 1\n")
    with pytest.raises(LlemmaError, match="sbatch refused: invalid partition specified: moon"):
        handed(small, small.config(), tmp_path / "out")


def test_a_plugin_that_changed_after_the_submission_is_refused(small: Any, tmp_path: Path) -> None:
    from llemma.core.console import Console

    plugin = tmp_path / "slow.py"
    plugin.write_text(SLOW)
    load_plugin(plugin)
    found = handed(small, small.config(), tmp_path / "out")
    job = Path(found.script).with_name("job.json")
    assert set(msgspec.json.decode(job.read_bytes(), type=Shared).plugins) == {str(plugin)}
    assert work(job, (0, 6), 1, Console(quiet=True)) == 1
    assert work(job, (0, 6), 1, Console(quiet=True)) == 0
    plugin.write_text(SLOW + "\n")
    with pytest.raises(RecipeError, match="not what it was"):
        work(job, (0, 6), 1, Console(quiet=True))


@pytest.mark.parametrize(
    "wrong",
    [{"partition": "a b"}, {"time": "soon"}, {"memory": "much"}, {"tasks": 0}, {"directives": ["--x\nrm"]}],
)
def test_what_sbatch_would_not_take_is_refused_with_the_recipe(wrong: dict[str, Any], small: Any) -> None:
    with pytest.raises(RecipeError, match=f"corpus.slurm.{next(iter(wrong))}"):
        open_sources(small.config(slurm=SlurmConfig(**wrong)))


def test_names_of_executors(small: Any) -> None:
    with pytest.raises(RecipeError, match="did you mean 'slurm'"):
        open_sources(small.config(executor="slrum"))
    with pytest.raises(LlemmaError) as caught:
        build.with_executor(small.config(), "rai")
    assert caught.value.exit_code == 2 and "ray" in caught.value.mend


@pytest.mark.parametrize("share", ["3/3", "1", "-1/2", "x/2"])
def test_a_share_is_one_of_n(share: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(corpus, ["work", str(tmp_path / "job.json"), "--share", share])
    assert result.exit_code == 2 and re.search("no share", result.output)
