"""The overlap search under the corpus' executors: processes here, a Ray cluster, or jobs of Slurm."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from llemma.core.console import Console
from llemma.core.errors import UsageError, suggest
from llemma.core.files import digest, write_bytes
from llemma.corpus.config import SlurmConfig
from llemma.overlap.config import OverlapConfig
from llemma.overlap.index import checked
from llemma.overlap.items import gathered, of_run
from llemma.overlap.shards import discover
from llemma.overlap.study import study
from llemma.overlap.work import Execute, Search, beside, opened


class Submission(msgspec.Struct, frozen=True):
    """What was handed to Slurm: `jobs` are its numbers, none where `sbatch` is not here; `script` submits them."""

    shards: int
    tasks: int
    jobs: list[str]
    script: str

    def text(self) -> str:
        """For people: what runs now, or how to make it run."""
        from llemma.corpus.slurm import handed

        again = "where a task fails, the same command again does what is missing"
        return handed(self.jobs, self.script, f"{self.shards} shards in {self.tasks} tasks, then the summary", again)


def executor(name: str, shards: int, workers: int) -> Execute | None:
    """Who searches: None is the process that asks, which is enough for one shard or worker."""
    if name == "local" and min(shards, workers) <= 1:
        return None
    from llemma.corpus.executors import run

    return partial(run, name)


def search_phase(run: Path, phase: str, name: str, config: OverlapConfig, console: Console) -> dict[str, Any]:
    """What the evaluation `run/eval/<phase>` shares with the run's corpus, into `run/overlap/<phase>/<name>.jsonl.zst`;
    how many pairs of an item and a document these are."""
    evaluated, out = run / "eval" / phase, run / "overlap" / phase / f"{name}.jsonl.zst"
    search = Search(checked(config.ngram), config.tokens, config.contexts, config.fuzzy)
    items = gathered(of_run(evaluated, config.of))
    found = study(discover([run / "corpus"]), items, search, out, run=evaluated, console=console)
    shutil.rmtree(beside(out, "parts"), ignore_errors=True)  # the stage's own mark says that it is done
    return {"items": len(items), "pairs": found.pairs}


def slurm_settings(pairs: Sequence[str]) -> SlurmConfig:
    """`["time=4:00:00", "setup=module load python"]` as settings; lists are repeated. Raises `UsageError`."""
    kinds, found = get_type_hints(SlurmConfig), dict[str, Any]()
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in kinds or not equals:
            mend = f"write KEY=VALUE{suggest(key, list(kinds))}; keys: {', '.join(kinds)}"
            raise UsageError(f"'{pair}' is no setting of Slurm", where="--slurm", mend=mend)
        if kinds[key] is int and not value.isdecimal():
            raise UsageError(f"'{value}' is no number", where=f"--slurm {key}", mend="write a whole number")
        if kinds[key] in (int, str):
            found[key] = int(value) if kinds[key] is int else value
        else:
            found.setdefault(key, []).append(value)
    return SlurmConfig(**found)


def submit(command: Sequence[str], out: Path, shards: int, slurm: SlurmConfig, workers: int | None) -> Submission:
    """Write the jobs that search and then join, and submit them where `sbatch` is.

    `command` are the words after `llemma` that do the whole work; `workers` is how many shards are read at a time.
    """
    from llemma.corpus.slurm import merge_script, submit_script, submitted, units_script

    wanted = -(-workers // slurm.cpus) if workers else slurm.tasks
    tasks = max(1, min(wanted, shards))
    words = shlex.join([sys.executable, "-m", "llemma", *command])
    with opened(out) as parts:  # jobs may begin at once, and find it closed
        folder = (parts.folder / "slurm" / digest(words, tasks, slurm)).resolve()
        write_bytes(folder / "units.sh", units_script(slurm, words, tasks).encode())
        write_bytes(folder / "merge.sh", merge_script(slurm, words).encode())
        write_bytes(folder / "submit.sh", submit_script(folder, True).encode())
    script = folder / "submit.sh"
    return Submission(shards, tasks, submitted(script), str(script))
