"""What isolation costs: the same programs by the sandbox in its modes, by a bare pool, and by a process each.

python bench/sandbox.py [words|symbols] [programs] [workers]    the ways in turns within one run, one table
python bench/sandbox.py soak [programs]                         one sandbox, many programs: does anything grow?
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from llemma.core.console import table
from llemma.tools import Sandbox, SandboxConfig
from llemma.tools.config import Mode
from llemma.tools.inside import program, warm
from programs import programs

Timed = tuple[float, str | None]  # wall seconds and value
Way = Callable[[list[str]], list[Timed]]
SLICE = 100


@contextmanager
def sandbox(mode: Mode, workers: int) -> Iterator[Way]:
    """Programs through a sandbox from as many threads as it has workers."""
    with Sandbox(SandboxConfig(mode=mode, workers=workers)) as box, ThreadPoolExecutor(workers) as pool:

        def one(text: str) -> Timed:
            begun = time.perf_counter()
            value = box.run(text).value
            return time.perf_counter() - begun, value

        yield lambda texts: list(pool.map(one, texts))


def bare(text: str) -> Timed:
    """A program in this very process: no isolation at all."""
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        value = program.run({"__name__": "__main__"}, text, None)["value"]
    return time.perf_counter() - begun, value


def prepare() -> None:
    """What a server of the sandbox does before it serves."""
    with contextlib.redirect_stdout(io.StringIO()):
        warm.up("full", "")


@contextmanager
def pool(workers: int) -> Iterator[Way]:
    """A warm pool of processes that run program after program without any isolation."""
    with multiprocessing.get_context("spawn").Pool(workers, prepare) as processes:
        yield lambda texts: list(processes.imap(bare, texts))


@contextmanager
def fresh(workers: int) -> Iterator[Way]:
    """A new interpreter with sympy for each program."""

    def one(text: str) -> Timed:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", f"from sympy import *\n{text}"], capture_output=True, check=False)
        return time.perf_counter() - begun, None

    with ThreadPoolExecutor(workers) as threads:
        yield lambda texts: list(threads.map(one, texts[:10]))


def processor_seconds() -> float:
    """User and system seconds of this process, its living descendants, and all that these have waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    parents, spent = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            parents[int(folder.name)] = int(fields[1])
            spent[int(folder.name)] = sum(int(field) for field in fields[11:15]) / tick
    mine = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= grown
    return sum(spent.get(pid, 0.0) for pid in mine)


def compare(kind: str, count: int, workers: int) -> None:
    """Each slice of programs goes by every way before the next slice begins, so that a busy moment hits all alike."""
    texts = programs(kind, count)
    ways: dict[str, tuple[Way, list[float], list[float]]] = {}
    with ExitStack() as stack:
        for name, way in (
            ("full isolation", sandbox("full", workers)),
            ("fork, rlimits, seccomp", sandbox("seccomp", workers)),
            ("fork and rlimits", sandbox("rlimits", workers)),
            ("warm pool, no isolation", pool(workers)),
            ("a process each, with sympy", fresh(workers)),
        ):
            run = stack.enter_context(way)
            run(programs("words", 20, 1) + programs("symbols", 20, 2))  # both images warm
            ways[name] = (run, [], [0.0, 0.0])
        values: dict[str, list[str | None]] = {name: [] for name in ways}
        for start in range(0, count, SLICE):
            for name, (run, latencies, spent) in ways.items():
                wall, processor = time.perf_counter(), processor_seconds()
                results = run(texts[start : start + SLICE])
                spent[0] += time.perf_counter() - wall
                spent[1] += processor_seconds() - processor
                latencies += [seconds for seconds, _ in results]
                values[name] += [value for _, value in results]
    same = values["full isolation"] == values["warm pool, no isolation"]
    print(f"{kind}: {count} programs, {workers} workers; values of sandbox and pool equal: {same}")
    rate = len(ways["warm pool, no isolation"][1]) / ways["warm pool, no isolation"][2][0]
    print(table(COLUMNS, [row(name, latencies, spent, rate) for name, (_, latencies, spent) in ways.items()]))


COLUMNS = ("way", "programs/s", "per CPU s", "p50 ms", "p99 ms", "max ms", "of the pool")


def row(name: str, latencies: list[float], spent: list[float], pool_rate: float) -> list[str]:
    """One line of the table."""
    rate = len(latencies) / spent[0]
    cuts = statistics.quantiles(latencies, n=100)
    times = [f"{1000 * seconds:.1f}" for seconds in (cuts[49], cuts[98], max(latencies))]
    return [
        name,
        f"{rate:.1f}",
        f"{len(latencies) / max(spent[1], 1e-9):.1f}",
        *times,
        f"{100 * rate / pool_rate:.0f} %",
    ]


def soak(count: int) -> None:
    """Latency, memory, processes and descriptors along `count` programs in one sandbox."""
    texts = programs("words", count // 2, 3) + programs("symbols", count - count // 2, 4)
    texts = [text for pair in zip(texts[: count // 2], texts[count // 2 :], strict=False) for text in pair]
    rows = []
    with Sandbox(SandboxConfig(workers=2)) as box:
        for start in range(0, count, count // 10):
            seconds = sorted(result.seconds for result in box.map(texts[start : start + count // 10]))
            memory, processes = footprint()
            descriptors = len(list(Path("/proc/self/fd").iterdir()))
            times = [f"{1000 * seconds[int(q * len(seconds))]:.1f}" for q in (0.5, 0.99)]
            rows.append([str(start + len(seconds)), *times, f"{memory:.0f}", str(processes), str(descriptors)])
    print(table(("programs", "p50 ms", "p99 ms", "MiB", "processes", "descriptors"), rows))


def footprint() -> tuple[float, int]:
    """Proportional memory of this process and its descendants in MiB, and how many they are."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            lines = (folder / "smaps_rollup").read_text().splitlines()
            sizes[int(folder.name)] = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    mine = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= grown
    return sum(sizes.get(pid, 0.0) for pid in mine), len(mine)


if __name__ == "__main__":
    arguments = sys.argv[1:] or ["words"]
    numbers = [int(argument) for argument in arguments[1:]]
    if arguments[0] == "soak":
        soak(*numbers or [10_000])
    else:
        compare(arguments[0], *(numbers + [1000, 2][len(numbers) :]))
