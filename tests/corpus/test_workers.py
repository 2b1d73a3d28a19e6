"""Whatever a piece of work does, it costs that piece alone; nothing outlives the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llemma.core.errors import LlemmaError
from llemma.corpus.workers import Limits, Lost, Pool, Task, run, shared

HERE = Path(__file__).parent
TASK = Task("hostile:make", ">")
LIMITS = Limits(seconds=1.0, memory_mb=256)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def results(pieces: list[bytes | None], workers: int = 2, limits: Limits = LIMITS) -> list[bytes | Lost | None]:
    found = list(run(TASK, enumerate(pieces), workers=workers, limits=limits))
    assert [key for key, _ in found] == list(range(len(pieces)))
    return [result for _, result in found]


@pytest.mark.parametrize("workers", [1, 3])
def test_order_and_pieces_that_pass_by(workers: int) -> None:
    pieces = [None if n % 7 == 0 else b"%d" % n * (n % 500) for n in range(700)]
    assert results(pieces, workers) == [None if piece is None else b">" + piece for piece in pieces]
    assert results([], workers) == []


def test_large_pieces_do_not_block_the_pipes() -> None:
    pieces: list[bytes | None] = [bytes([65 + n]) * (3_000_000 + n) for n in range(12)]
    assert results(pieces) == [b">" + (piece or b"") for piece in pieces]


@pytest.mark.parametrize(
    ("order", "step", "reason"),
    [
        (b"spin", "timeout", "more than 1 s of CPU time"),
        (b"nap 60", "timeout", "more than 4 s"),
        (b"grow", "memory", "more than 256 MB"),
        (b"crash", "crashed", "signal SIGSEGV"),
        (b"leave", "crashed", "exit code 0"),
        (b"fail", "error", "ValueError: no such thing"),
    ],
)
@pytest.mark.slow
def test_a_hostile_piece_costs_itself_alone(order: bytes, step: str, reason: str) -> None:
    found = results([b"a", b"b", order, b"c", b"d", b"e"])
    assert found[2] == Lost(step, reason)
    assert found[:2] + found[3:] == [b">a", b">b", b">c", b">d", b">e"]


def test_every_piece_may_be_hostile() -> None:
    assert [type(one) for one in results([b"crash", b"fail", b"leave"] * 3, 2)] == [Lost] * 9


def test_what_an_earlier_piece_broke_is_not_blamed_on_the_next() -> None:
    assert results([b"mark", b"once", b"x"], 1) == [b">mark", b">once", b">x"]


def test_noise_does_not_reach_the_frames() -> None:
    assert results([b"noise", b"x"]) == [b">noise", b">x"]


def test_a_worker_that_cannot_start_says_why() -> None:
    with pytest.raises(LlemmaError, match="did not start") as error:
        list(run(Task("nowhere:make"), [(0, b"x")], workers=1, limits=LIMITS))
    assert "ModuleNotFoundError" in error.value.mend


def test_an_idle_death_is_nobodys_fault() -> None:
    pool = Pool(TASK, 1, LIMITS)
    assert list(pool.map([(0, b"a")])) == [(0, b">a")]
    pool.workers[0].process.kill()
    pool.workers[0].process.wait()
    assert list(pool.map([(0, b"b"), (1, b"c")])) == [(0, b">b"), (1, b">c")]
    pool.close()


def test_a_shared_worker_stays_and_an_abandoned_one_does_not() -> None:
    from llemma.corpus import workers

    assert list(shared(TASK, [(0, b"a")], LIMITS)) == [(0, b">a")]
    (pool,) = [pool for (task, _, _), pool in workers._SHARED.items() if task == TASK]
    first = pool.workers[0].process.pid
    assert list(shared(TASK, [(0, b"b")], LIMITS)) == [(0, b">b")] and pool.workers[0].process.pid == first
    flow = shared(TASK, [(n, b"nap 0.2") for n in range(9)], LIMITS)
    next(flow)
    flow.close()  # type: ignore[attr-defined]
    assert TASK not in {task for task, _, _ in workers._SHARED} and not Path(f"/proc/{first}").exists()


PARENT = """
import sys
from llemma.corpus.workers import Limits, Task, run
def pieces():
    yield 0, b"a"
    while True:
        yield 1, b"%s"
flow = run(Task("hostile:make"), pieces(), workers=2, limits=Limits(seconds=30.0))
next(flow)
print("begun", flush=True)
next(flow)
next(flow)
"""


@pytest.mark.parametrize("busy", ["nap 60", "spin"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.slow
def test_no_worker_outlives_its_parent(how: signal.Signals, busy: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT % busy], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"begun\n"
    time.sleep(0.3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 2
    process.send_signal(how)
    process.communicate(timeout=10)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
