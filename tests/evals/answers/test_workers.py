"""Workers answer, are killed in time, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llemma.evals.answers.workers import Pool, Undecided

HERE = Path(__file__).parent
LIMIT = 0.8


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    before = processes()
    with Pool("hostile_functions") as pool:
        yield pool
    assert processes() == before


def processes() -> set[int]:
    """The children of this process."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # the thread has ended
            found.update(map(int, task.read_text().split()))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 3) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_nothing_runs_before_the_first_question_and_one_worker_answers_all(pool):
    before = processes()
    pids = {pool.ask("pid") for _ in range(20)}
    assert processes() - before == pids and len(pids) == 1
    assert pool.ask("double", 21) == 42


def test_what_a_library_prints_is_no_answer(pool):
    assert pool.ask("noise") is None
    assert pool.ask("double", 2) == 4


@pytest.mark.parametrize("endless", ["spin", "huge_power"])
def test_an_endless_question_is_killed_in_time_and_the_next_is_answered(pool, endless):
    worker = pool.ask("pid")
    begun = time.monotonic()
    with pytest.raises(Undecided, match=r"no verdict within 0\.8 s") as caught:
        pool.ask(endless, seconds=LIMIT)
    assert caught.value.outcome == "timeout"
    assert LIMIT <= time.monotonic() - begun < LIMIT + 2
    assert not alive(worker)
    assert pool.ask("double", 3) == 6


@pytest.mark.slow
def test_a_spare_starts_while_a_question_hangs(pool):
    before = processes()  # of other tests in this process
    pool.ask("pid")
    with pytest.raises(Undecided):
        pool.ask("spin", seconds=1.5)
    (spare,) = processes() - before
    assert pool.ask("pid") == spare


def test_children_of_a_worker_die_with_it(pool, tmp_path):
    note = tmp_path / "pid"
    pool.ask("pid")
    with pytest.raises(Undecided):
        pool.ask("spin_with_child", str(note), seconds=LIMIT)
    assert gone(int(note.read_text()))


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("crash", "ended by SIGSEGV"),
        ("exit", "ended with status 3"),
        ("hog", "out of memory"),
        ("fail", "ValueError: no such thing"),
        ("unknown", "KeyError"),
    ],
)
def test_a_failing_worker_is_an_error_with_a_reason(pool, question, why):
    with pytest.raises(Undecided, match=why) as caught:
        pool.ask(question)
    assert caught.value.outcome == "error"
    assert pool.ask("double", 4) == 8


def test_a_worker_that_cannot_start_says_why():
    with Pool("no_such_module") as pool, pytest.raises(Undecided, match="no_such_module"):
        pool.ask("double", 1)


def test_a_question_too_long_for_a_pipe_is_refused(pool):
    with pytest.raises(Undecided, match="too long"):
        pool.ask("double", "x" * 100_000)


def test_a_worker_killed_while_idle_is_replaced(pool):
    worker = pool.ask("pid")
    os.kill(worker, signal.SIGKILL)
    assert gone(worker)
    assert pool.ask("double", 5) == 10


def test_answers_reach_the_thread_that_asked(pool):
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda n: pool.ask("double", n), range(200))) == [2 * n for n in range(200)]


@pytest.mark.slow
def test_hanging_threads_do_not_hold_up_others(pool):
    def hang():
        with pytest.raises(Undecided):
            pool.ask("spin", seconds=2)
        return True

    pool.ask("pid")
    with ThreadPoolExecutor(2) as threads:
        hanging = [threads.submit(hang) for _ in range(2)]
        begun = time.monotonic()
        assert pool.ask("double", 6) == 12
        assert time.monotonic() - begun < 2
        assert all(future.result() for future in hanging)


def test_a_worker_outlives_the_thread_that_asked_first(pool):
    pids = []
    thread = threading.Thread(target=lambda: pids.append(pool.ask("pid")))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert pool.ask("pid") == pids[0]


def test_after_a_fork_both_sides_have_workers_of_their_own(pool):
    worker = pool.ask("pid")
    child = os.fork()
    if child == 0:
        own = pool.ask("pid")
        os._exit(7 if own != worker and pool.ask("double", 1) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert pool.ask("pid") == worker


@pytest.mark.parametrize("busy", ["spin", "huge_power", "pid"])
def test_a_killed_parent_leaves_nothing(monkeypatch, busy):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[2] / "src")]))
    script = (
        "import time; from llemma.evals.answers.workers import Pool; pool = Pool('hostile_functions');"
        f"print(pool.ask('pid'), flush=True); pool.ask({busy!r}, seconds=60); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    worker = int(parent.stdout.readline())
    time.sleep(0.2)
    assert alive(worker)
    parent.kill()
    parent.wait()
    assert gone(worker)


def test_a_parent_that_ends_closes_its_workers(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[2] / "src")]))
    script = "from llemma.evals.answers.workers import Pool; print(Pool('hostile_functions').ask('pid'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    assert gone(int(done.stdout))


def test_a_closed_pool_starts_again(pool):
    first = pool.ask("pid")
    pool.close()
    assert not alive(first)
    assert pool.ask("pid") != first
