"""What a run over theorems costs beside the prover itself: the same tactics through the runner, and without it.

python bench/proving.py [--data DIR] [theorems] [workers] [model seconds]
python bench/proving.py soak [theorems] [workers]

The runner searches the first theorems of miniF2F in Rocq with `automation:`, two expansions each; with model seconds,
each batch of proposals takes so long. Then as many threads give the same tactics of the same states to provers that do
nothing else, each thread its share of the theorems: the limit. Both are done twice, in turns.

`soak`: the same runner over many generated theorems, while every three seconds a prover's process is killed: how do
they end, does memory grow, is a process left?
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llemma.backends.base import open_backend
from llemma.core import jsonl
from llemma.core.console import Console, table
from llemma.core.registry import register
from llemma.core.types import Completion, Request
from llemma.corpus.sources.theorems import different
from llemma.prove import runner
from llemma.prove.config import ProveConfig, ProverConfig, SearchConfig
from llemma.prove.journal import read_tree
from llemma.prove.prover import State, open_prover
from llemma.prove.results import Row
from llemma.prove.search import Node
from llemma.prove.tasks import Task, open_tasks
from llemma.prove.theorem import Theorem

LIMITS = ProverConfig()
Script = tuple[Theorem, list[Node]]


class Slow:
    """`automation:` with a pause before each batch of answers, as a model has it."""

    device = "none"

    def __init__(self, name: str, **_options: object) -> None:
        self.name, self.pause = f"slow:{name}", float(name)
        self.inner = open_backend("automation:rocq")
        self.identity = f"{self.inner.identity} {name}"

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        time.sleep(self.pause)
        yield from self.inner.complete(requests)


def searched(task: Task, model: str, workers: int) -> tuple[list[str], list[Script]]:
    """The runner's numbers, and what its provers were given."""
    config = ProveConfig(
        search=SearchConfig(samples=64, expansions=2, seconds=20.0), prover=LIMITS, workers=workers, max_errors=1.0
    )
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        results = runner.prove(
            open_backend(model), task, "rocq", config, out, console=Console(quiet=True), baseline=False
        )
        rows = {row.id: row for row in jsonl.read(out / runner.PROOFS, Row)}
        scripts = [(theorem, read_tree(out / rows[theorem.id].tree)) for theorem in task.theorems]
    session = results.session
    return [
        str(session.tried),
        f"{session.seconds:.1f}",
        f"{session.steps_per_second:.1f}",
        f"{session.prover_idle:.1%}",
        f"{session.model_idle:.1%}",
    ], scripts


def alone(scripts: Sequence[Script], workers: int) -> list[str]:
    """The same tactics, by provers that wait for nothing."""
    ordered = sorted(scripts, key=lambda script: script[0].header)
    shares = [ordered[i::workers] for i in range(workers)]
    begun = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        steps = sum(pool.map(given, shares))
    seconds = time.monotonic() - begun
    return [str(steps), f"{seconds:.1f}", f"{steps / seconds:.1f}", "0 by definition", ""]


def given(scripts: Sequence[Script]) -> int:
    """One prover goes through the scripts; the number of tactics it was given."""
    prover, count = open_prover("rocq", LIMITS), 0
    for theorem, nodes in scripts:
        opened = prover.open(theorem, LIMITS.open_seconds)
        states = {0: opened} if isinstance(opened, State) else {}
        for node in nodes[1:]:
            state = states.get(node.parent)
            if state is None or node.status == "forbidden":
                continue
            result = prover.step(state, node.tactic, LIMITS.step_seconds)
            count += 1
            if isinstance(result, State):
                states[node.number] = result
            if node.status in ("proved", "rejected"):
                prover.check(theorem, prover.proof((*state.steps, node.tactic)), LIMITS.check_seconds)
    prover.close()
    return count


def soak(count: int, workers: int) -> None:
    """Print how `count` generated theorems end under a killer of provers, and what is left of them."""
    made = different(11, count)
    theorems = [Theorem(item.id, item.header, item.statement) for item in made]
    config = ProveConfig(search=SearchConfig(samples=64, expansions=2, seconds=20.0), workers=workers, max_errors=1.0)
    sizes, kills, done = [resident()], [0], threading.Event()

    def killer() -> None:
        while not done.wait(3.0):
            provers = [pid for pid in descendants() if name_of(pid) == "coqidetop.opt"]
            if provers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(provers), signal.SIGKILL)
                    kills[0] += 1
            sizes.append(resident())

    thread = threading.Thread(target=killer)
    thread.start()
    with tempfile.TemporaryDirectory() as folder:
        task, console = Task("soak", theorems, "soak"), Console(quiet=True)
        backend = open_backend("automation:rocq")
        try:
            results = runner.prove(backend, task, "rocq", config, Path(folder), console=console, baseline=False)
        finally:
            done.set()
            thread.join()
    middle = sizes[len(sizes) // 2]
    print(f"{count} theorems, {workers} workers, {kills[0]} provers killed, {results.session.seconds:.0f} s")
    print(
        f"outcomes {results.score.outcomes}; {results.tried} tactics, {results.rejected} finished proofs not accepted"
    )
    print(f"this process: {sizes[0]:.0f} MiB at the start, {middle:.0f} half way, {sizes[-1]:.0f} at the end")
    print(f"processes left: {len(descendants())}")


def resident() -> float:
    """MiB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def name_of(pid: int) -> str:
    """A process's program; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name
    return ""


def descendants() -> list[int]:
    """The processes that this one started, and those that they did."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [os.getpid()]
    while waiting:
        waiting += children.get(waiting[0], [])
        found.append(waiting.pop(0))
    return found[1:]


def main(arguments: list[str]) -> None:
    """Print the table."""
    data = None
    if "--data" in arguments:
        place = arguments.index("--data")
        data = Path(arguments[place + 1])
        arguments = arguments[:place] + arguments[place + 2 :]
    if arguments[:1] == ["soak"]:
        numbers = [int(value) for value in arguments[1:]]
        soak(*(numbers + [1000, 2][len(numbers) :]))
        return
    count, workers = int(arguments[0]) if arguments else 40, int(arguments[1]) if len(arguments) > 1 else 2
    pause = arguments[2] if len(arguments) > 2 else ""
    register("backend", "slow", Slow)
    task = open_tasks("minif2f-rocq-test", "rocq", data=data)
    task = task._replace(theorems=task.theorems[:count])
    rows = []
    for turn in (1, 2):
        numbers, scripts = searched(task, f"slow:{pause}" if pause else "automation:rocq", workers)
        rows += [[f"runner, turn {turn}", *numbers], [f"provers alone, turn {turn}", *alone(scripts, workers)]]
    print(f"{count} theorems, {workers} workers, {pause or 0} s of model a batch")
    print(table(("", "tactics", "seconds", "tactics/s", "provers idle", "model idle"), rows))


if __name__ == "__main__":
    main(sys.argv[1:])
