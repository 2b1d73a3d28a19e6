"""A build as Slurm jobs: an array that reads shares of the units, then a job that joins them.

The jobs run our own command on a file that names all units (`llemma corpus work`), so nothing is serialised but plain
records, the inputs are looked for once, and a share that was killed does only what it had not finished.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from llemma.core.console import Console
from llemma.core.errors import LlemmaError, RecipeError
from llemma.core.files import digest, file_digest, read_json, write_bytes, write_json
from llemma.core.registry import load_plugin
from llemma.corpus import build, layout
from llemma.corpus.blocks import Work, plugin_files
from llemma.corpus.check import guarded, open_sources
from llemma.corpus.config import CorpusConfig, SlurmConfig
from llemma.corpus.layout import CorpusStats
from llemma.corpus.source import Context

FOLDER = "slurm"
_KEPT = ("LLEMMA_HOME", "PYTHONPATH", "VIRTUAL_ENV")  # what a job needs of the submitter's environment


class Shared(msgspec.Struct, frozen=True):
    """`job.json`: a build, the works to be read in the order that shares are taken from, and the plug-in files with
    the digests of their content."""

    job: build.Job
    order: list[str]
    plugins: dict[str, str]


class Submission(msgspec.Struct, frozen=True):
    """What was handed to Slurm: `jobs` are its numbers, none where `sbatch` is not here; `script` submits them."""

    units: int
    tasks: int
    jobs: list[str]
    script: str


def submit(
    config: CorpusConfig,
    out: Path,
    *,
    cache: Path,
    console: Console,
    only: list[str] | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> Submission | CorpusStats:
    """Find the units of a corpus, write the job scripts and submit them where `sbatch` is; the statistics of the corpus
    where it is finished. `workers` is how many units are read at the same time."""
    config = guarded(config)
    sources = build.chosen(open_sources(config), only)
    with build.alone(out / layout.STAGING):
        job = build.plan(config, out.resolve(), sources, Context(cache, console), (), only, limit)
        missing = job.missing()
        if not missing and (stats := build.finished(job)):
            return stats
        folder, tasks = _write(job, missing, workers)
    console.say(f"{len(missing)} units to read in {tasks} tasks; scripts and logs in {folder}")
    script = folder / "submit.sh"
    jobs = submitted(script)
    return Submission(len(missing), tasks, jobs, str(script))


def submission_text(found: Submission) -> str:
    """For people: what runs now, or how to make it run."""
    again = "where a task fails, the same command again submits what is missing"
    return handed(found.jobs, found.script, f"{found.units} units in {found.tasks} tasks, then the corpus", again)


def handed(jobs: Sequence[str], script: str, what: str, again: str) -> str:
    """What was handed to Slurm, or how to hand it over where `sbatch` is not; `again`: what to do after a failure."""
    script = shlex.quote(script)
    if not jobs:
        return f"not submitted: sbatch is not on this machine\n  next: bash {script}   (on one that has it)"
    numbers = ",".join(jobs)
    return f"submitted as {' and '.join(jobs)}: {what}\n  next: squeue -j {numbers}; logs beside {script}; {again}"


def work(path: Path, share: tuple[int, int] | None, workers: int, console: Console) -> CorpusStats | int:
    """Do a share `(number, of)` of the job in a file and tell how many units were read; without one, finish it."""
    shared = read_json(path, Shared)
    for plugin, known in shared.plugins.items():
        if not Path(plugin).is_file() or file_digest(Path(plugin)) != known:
            raise RecipeError(
                f"the plug-in {plugin} is not what it was when the jobs were submitted",
                where=str(path),
                mend="submit them again",
            )
        load_plugin(Path(plugin))
    if share is None:
        return build.finish(shared.job, console, workers)
    by_digest = {work.digest: work for works in shared.job.works.values() for work in works}
    number, of = share
    return build.share(shared.job, [by_digest[name] for name in shared.order[number::of]], console, workers)


def _write(job: build.Job, missing: Sequence[Work], workers: int | None) -> tuple[Path, int]:
    """The folder of a submission, named by its work so that jobs that wait keep theirs, and the size of the array."""
    slurm, order = job.config.slurm, [work.digest for work in missing]
    wanted = -(-workers // slurm.cpus) if workers else slurm.tasks
    tasks = min(wanted, len(missing))
    plugins = {str(path.resolve()): file_digest(path) for path in plugin_files()}
    folder = job.staging / FOLDER / digest(order, tasks, slurm, plugins, job.config)
    write_json(folder / "job.json", Shared(job, order, plugins))
    if missing:
        write_bytes(folder / "units.sh", units_script(slurm, _command(folder), tasks).encode())
    write_bytes(folder / "merge.sh", merge_script(slurm, _command(folder)).encode())
    write_bytes(folder / "submit.sh", submit_script(folder, bool(missing)).encode())
    return folder, tasks


def units_script(slurm: SlurmConfig, command: str, tasks: int) -> str:
    """The array: `command` with `--share NUMBER/OF` for each task."""
    array = f"0-{tasks - 1}" + (f"%{slurm.at_once}" if slurm.at_once else "")
    options = [f"--array={array}", f"--cpus-per-task={slurm.cpus}", f"--mem={slurm.memory}", f"--time={slurm.time}"]
    share = f' --share "$SLURM_ARRAY_TASK_ID/{tasks}" --workers {slurm.cpus}'
    return _script("units", slurm, [*options, "--output=units-%a.log"], command + share)


def merge_script(slurm: SlurmConfig, command: str) -> str:
    """The job after the array: `command` in one task."""
    limits = [f"--cpus-per-task={slurm.merge_cpus}", f"--mem={slurm.merge_memory}", f"--time={slurm.merge_time}"]
    return _script("merge", slurm, [*limits, "--output=merge.log"], command + f" --workers {slurm.merge_cpus}")


def _script(name: str, slurm: SlurmConfig, options: Sequence[str], command: str) -> str:
    place = [f"--{key}={value}" for key in ("partition", "account") if (value := getattr(slurm, key))]
    fixed = [f"--job-name=llemma-{name}", "--ntasks=1", "--requeue", "--open-mode=append"]
    kept = [f"export {key}={shlex.quote(os.environ[key])}" for key in _KEPT if key in os.environ]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in [*fixed, *options, *place, *slurm.directives]),
        "set -eo pipefail",
        *kept,
        *slurm.setup,
        f"cd -- {shlex.quote(str(Path.cwd()))}",
        f"exec {command}",
    ]
    return "\n".join(lines) + "\n"


def _command(folder: Path) -> str:
    return shlex.join([sys.executable, "-m", "llemma", "corpus", "work", str(folder / "job.json")])


def submit_script(folder: Path, units: bool) -> str:
    """Submits the array, and the merge to run once every task of it has succeeded; prints the numbers of the jobs."""
    array = ["units=$(sbatch --parsable units.sh)", 'echo "${units%%;*}"'] if units else []
    after = ' --dependency="afterok:${units%%;*}" --kill-on-invalid-dep=yes' if units else ""
    merge = [f"merge=$(sbatch --parsable{after} merge.sh)", 'echo "${merge%%;*}"']
    return "\n".join(["#!/bin/bash", "set -euo pipefail", f"cd -- {shlex.quote(str(folder))}", *array, *merge]) + "\n"


def submitted(script: Path) -> list[str]:
    """The numbers of the jobs that a script of `submit_script` hands to Slurm; none where `sbatch` is not here."""
    if not shutil.which("sbatch"):
        return []
    answer = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False)
    jobs = answer.stdout.split()
    if answer.returncode or not jobs or not all(job.isdigit() for job in jobs):
        what = (answer.stderr or answer.stdout).strip() or f"it ended with {answer.returncode}"
        mend = "change what Slurm is asked for and run the same command again"
        if jobs:
            mend = f"cancel what was submitted (scancel {' '.join(filter(str.isdigit, jobs))}); {mend}"
        raise LlemmaError(f"sbatch refused: {what}", where=str(script), mend=mend)
    return jobs
