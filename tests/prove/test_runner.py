"""Runs over many toy theorems: workers, crashes, kills, journals, baselines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from llemma.backends.base import open_backend
from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import BusyError, ItemsError, MissingError
from llemma.core.runs import locked
from llemma.prove import runner
from llemma.prove.config import ProveConfig, SearchConfig
from llemma.prove.journal import read_tree
from llemma.prove.results import Results, Row, text
from llemma.prove.tasks import Task
from llemma.prove.theorem import Theorem

PLUGIN = Path(__file__).parent / "toy.py"
QUIET = Console(quiet=True)
Make = Callable[..., Theorem]


def chain(length: int, last: str = "QED") -> dict[str, dict[str, str]]:
    """A proof of `length` steps with a wrong turn at each."""
    steps = {f"s{i}": {"wrong": "error", "on": f"s{i + 1}", "off": f"x{i}"} for i in range(length - 1)}
    return {**steps, f"s{length - 1}": {"on": last}}


@pytest.fixture
def many(theorem: Make) -> Task:
    """Forty theorems under four headers: proofs of one to five steps, and every kind of end."""
    found = []
    for i in range(40):
        last = ["QED", "QED", "QED", "error", "crash"][i % 5]
        found.append(theorem(f"t{i}", chain(1 + i % 7 % 5, last), header=f"h{i % 4}", refused=["on"] if i == 5 else []))
    return Task("many", found, "digest")


def prove(task: Task, out: Path, model: str = "toy:", **options: Any) -> Results:
    search = SearchConfig(**options.pop("search", {}))
    return runner.prove(
        open_backend(model), task, "toy", ProveConfig(search=search, **options), out, console=QUIET, baseline=False
    )


def rows(out: Path) -> list[Row]:
    return list(jsonl.read(out / "proofs.jsonl", Row))


def facts(out: Path) -> list[tuple[object, ...]]:
    return [(r.id, r.outcome, r.proof, r.why, r.steps, r.expansions, r.tried, r.rejected, r.tokens) for r in rows(out)]


def test_rows_scores_and_trees(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    results = prove(many, tmp_path)
    found = rows(tmp_path)
    assert [row.id for row in found] == [theorem.id for theorem in many.theorems]
    right = [row for row in found if row.outcome == "right"]
    assert len(right) == 23 and all(row.proof == "; ".join(row.steps) for row in right)
    assert results.score.n == 40 and results.score.value == 23 / 40
    assert results.score.outcomes == {"right": 23, "wrong": 17, "timeout": 0, "error": 0}
    assert results.score.low < 23 / 40 < results.score.high
    assert found[5].rejected == 1 and found[5].outcome == "wrong"
    tree = read_tree(tmp_path / found[0].tree)
    assert tree[0].status == "proved" and tree[-1].tactic == "on"
    assert results.session.theorems == 40 and results.tried == sum(row.tried for row in found)


def test_workers_do_not_change_results(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    for workers in (1, 2, 7):
        prove(many, tmp_path / str(workers), workers=workers)
    prove(many, tmp_path / "slow", model="toy:0.003", workers=3, open=40)
    assert facts(tmp_path / "1") == facts(tmp_path / "2") == facts(tmp_path / "7") == facts(tmp_path / "slow")


def test_nothing_is_left_behind(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    before = threading.active_count()
    prove(many, tmp_path, workers=4)
    assert threading.active_count() == before and toy.Toy.alive == 0


def test_a_finished_run_asks_nothing_again(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    first = prove(many, tmp_path)
    again = prove(many, tmp_path, model="toy:dead", workers=3)  # it has the same identity and would raise if asked
    assert again.score == first.score and again.session == first.session
    with pytest.raises(MissingError, match="server is gone"):
        prove(many, tmp_path, model="toy:dead", search={"expansions": 50})


def test_more_theorems_reuse_the_finished_ones(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    prove(many._replace(theorems=many.theorems[:10]), tmp_path)
    assert prove(many, tmp_path).session.theorems == 30


def test_a_damaged_journal_is_made_again(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    prove(many, tmp_path)
    before = facts(tmp_path)
    for path in sorted((tmp_path / "trees").iterdir())[:3]:
        path.write_bytes(path.read_bytes()[:20])
    assert prove(many, tmp_path).session.theorems == 3 and facts(tmp_path) == before


@pytest.mark.slow
def test_a_model_that_dies_leaves_no_false_ends(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    task = Task("t", [theorem(f"t{i}", chain(4), pause=0.02) for i in range(12)], "d")
    before = threading.active_count()
    with pytest.raises(MissingError, match="server died"):
        prove(task, tmp_path, model="toy:dying", workers=3)
    assert threading.active_count() == before and toy.Toy.alive == 0
    assert prove(task, tmp_path, workers=3).score.value == 1.0


def test_a_prover_that_breaks_down_costs_one_theorem(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    good = [theorem(f"g{i}", chain(2)) for i in range(19)]
    task = Task("t", [*good[:9], theorem("bad", {"s0": {"on": "raise"}}), *good[9:]], "d")
    results = prove(task, tmp_path, workers=3)
    assert results.score.outcomes == {"right": 19, "wrong": 0, "timeout": 0, "error": 1}
    bad = rows(tmp_path)[9]
    assert bad.id == "bad" and "RuntimeError: the pipe is broken" in bad.why and toy.Toy.alive == 0
    assert prove(task, tmp_path).session.theorems == 1  # errors are attempted again


def test_a_prover_that_breaks_down_once_costs_nothing(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    task = Task("t", [theorem("twice", {"s0": {"on": "raise once"}}), theorem("good", chain(2))], "d")
    assert prove(task, tmp_path, workers=1).score.value == 1.0 and toy.Toy.alive == 0


def test_too_many_errors_fail_after_everything_is_written(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    task = Task("t", [theorem("bad", {"s0": {"on": "raise"}}), theorem("good", chain(1))], "d")
    with pytest.raises(ItemsError, match="1 of 2"):
        prove(task, tmp_path)
    assert [row.outcome for row in rows(tmp_path)] == ["error", "right"]


def test_theorems_that_are_not_taken_are_told(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    task = Task("t", [theorem("alien", {}, unstated="error"), theorem("good", chain(1))], "d")
    results = prove(task, tmp_path)
    assert results.not_taken == 1 and results.score.outcomes["error"] == 1
    with pytest.raises(ItemsError, match="alien"):
        prove(task._replace(theorems=task.theorems[:1]), tmp_path / "all")


def test_a_model_that_gives_nothing_is_an_error(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    with pytest.raises(ItemsError, match="out of memory"):
        prove(many, tmp_path, model="toy:failing")
    assert {row.outcome for row in rows(tmp_path)} == {"error"}


def test_a_prover_that_cannot_start_is_said(
    toy: ModuleType, many: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_ABSENT", "1")
    with pytest.raises(MissingError, match="toy is not here"):
        prove(many, tmp_path)


def test_a_prover_that_cannot_start_again_ends_the_run(
    toy: ModuleType, theorem: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task("t", [theorem("bad", {"s0": {"on": "raise"}}), theorem("good", chain(3))], "d")
    opened = []

    def absent(name: str, config: object) -> Any:
        opened.append(name)
        if len(opened) > 2:  # the one whose identity is read, and the worker's first
            raise MissingError("toy is gone")
        return toy.Toy(config)

    monkeypatch.setattr(runner, "open_prover", absent)
    with pytest.raises(MissingError, match="toy is gone"):
        prove(task, tmp_path, workers=1)
    assert toy.Toy.alive == 0


def test_two_processes_do_not_share_a_folder(toy: ModuleType, many: Task, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(BusyError):
        prove(many, tmp_path)


@pytest.mark.slow
def test_provers_work_while_the_model_does(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    task = Task("t", [theorem(f"t{i}", chain(3), pause=0.03) for i in range(16)], "d")
    begun = time.monotonic()
    results = prove(task, tmp_path, model="toy:0.03", workers=2, open=8)
    alone = 16 * 3 * 0.03  # of the model, with nothing beside it
    assert results.score.value == 1.0
    assert time.monotonic() - begun < 2 * alone + 1.5  # one after the other it would be 16 * (3 + 8) * 0.03
    assert results.session.model_idle < 0.7


def write(path: Path, theorems: list[Theorem]) -> Path:
    path.write_text(
        "".join(json.dumps({"id": t.id, "header": t.header, "statement": t.statement}) + "\n" for t in theorems)
    )
    return path


def start(file: Path, out: Path, mark: str = "") -> subprocess.Popen[str]:
    options = ["--workers", "2", "--no-baseline", "--out", str(out), "--plugin", str(PLUGIN)]
    return subprocess.Popen(
        [sys.executable, "-m", "llemma", "prove", "-m", "toy:", "--prover", "toy", "-t", str(file), *options],
        env={**os.environ, **({"TOY_MARK": mark} if mark else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_theorems(out: Path, number: int) -> None:
    for _ in range(600):
        if len(list((out / "trees").glob("[!.]*"))) >= number:
            return
        time.sleep(0.05)
    raise AssertionError("no theorem was finished")


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_the_same(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    theorems = [theorem(f"t{i}", chain(1 + i % 5), header=f"h{i % 3}", pause=0.02) for i in range(40)]
    file, out = write(tmp_path / "f.jsonl", theorems), tmp_path / "out"
    process = start(file, out)
    wait_for_theorems(out, 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = len(list((out / "trees").glob("[!.]*")))
    assert 5 <= kept < 40
    process = start(file, out)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    results = json.loads((out / "results.json").read_text())
    assert results["session"]["theorems"] == 40 - kept and not list((out / "trees").glob(".*"))
    undisturbed = tmp_path / "undisturbed"
    start(file, undisturbed).communicate(timeout=60)
    assert facts(out) == facts(undisturbed)


def processes(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_ctrl_c_says_how_to_go_on_and_leaves_no_process(toy: ModuleType, theorem: Make, tmp_path: Path) -> None:
    theorems = [theorem(f"t{i}", chain(4), pause=0.05) for i in range(60)]
    file, out, mark = write(tmp_path / "f.jsonl", theorems), tmp_path / "out", f"toy-{os.getpid()}-{time.time_ns()}"
    process = start(file, out, mark)
    wait_for_theorems(out, 2)
    assert len(processes(mark)) >= 1
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "of 60 theorems" in errors and "same command" in errors
    assert processes(mark) == []


def test_the_papers_figures_stand_beside_a_run_of_the_same_prover_alone(
    toy: ModuleType, many: Task, tmp_path: Path
) -> None:
    results = prove(many, tmp_path)
    named = msgspec.structs.replace(results, task="minif2f-lean-test")
    assert "Llemma 7B" in text(named) and "26.23%" in text(named)
    assert "published" not in text(results) and "must not be compared" in text(results)
