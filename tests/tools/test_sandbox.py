"""What the public names promise."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import pytest

from llemma.core.errors import LlemmaError, MissingError
from llemma.tools import Sandbox, SandboxConfig, launch
from llemma.tools.config import Mode


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("6 * 7", "42"),
        ("x = 5", None),
        ("x = 5\nx", "5"),
        ("answer = 3\n4", "3"),
        ("if True:\n    answer = [1, 2]", "[1, 2]"),
        ("'text'", "text"),
        ("print(1)", None),
        ("answer = None\n4", None),
        ("import sys\nanswer = 1\nsys.exit()", "1"),
        ("answer = 2\nexit()", "2"),
        ("", None),
    ],
)
def test_the_value_is_the_answer_or_the_last_expression(box: Sandbox, program: str, value: str | None) -> None:
    result = box.run(program)
    assert (result.outcome, result.value) == ("ok", value)


def test_a_call_gives_the_value_of_a_function(box: Sandbox) -> None:
    program = "def solution():\n    return 7 / 2"
    assert box.run(program, call="solution").value == "3.5"
    assert box.run(f"answer = 1\n{program}", call="solution").value == "1"
    missing = box.run("x = 1", call="solution")
    assert (missing.outcome, missing.error) == ("error", "KeyError: 'solution'")


@pytest.mark.parametrize(
    ("program", "value", "srepr"),
    [
        ("sqrt(8)", "2*sqrt(2)", "Mul(Integer(2), Pow(Integer(2), Rational(1, 2)))"),
        ("solve(x**2 - 1, x)", "[-1, 1]", "[Integer(-1), Integer(1)]"),
        ("{x: Rational(1, 2)}", "{x: 1/2}", "{Symbol('x'): Rational(1, 2)}"),
        ("Matrix([[1, x]])", "Matrix([[1, x]])", "MutableDenseMatrix([[Integer(1), Symbol('x')]])"),
        ("[(x, 1), 'a']", "[(x, 1), 'a']", "[(Symbol('x'), 1), 'a']"),
        ("FiniteSet(1, 2)", "{1, 2}", "FiniteSet(Integer(1), Integer(2))"),
        ("[1, 2]", "[1, 2]", None),
        ("float(sqrt(2))", "1.4142135623730951", None),
    ],
)
def test_sympy_objects_come_with_their_exact_text(box: Sandbox, program: str, value: str, srepr: str | None) -> None:
    result = box.run(f"from sympy import *\nx = symbols('x')\n{program}")
    assert (result.value, result.srepr) == (value, srepr)


def test_errors_are_told_by_their_last_line(box: Sandbox) -> None:
    result = box.run("print('before')\n1 / 0")
    assert (result.outcome, result.stdout, result.error) == ("error", "before\n", "ZeroDivisionError: division by zero")
    assert box.run("x = (").error == "SyntaxError: '(' was never closed"
    assert box.run("class E(Exception):\n    def __str__(s): return 1 / 0\nraise E").outcome == "error"


def test_programs_are_ordinary_scripts(box: Sandbox) -> None:
    program = """
import dataclasses, pickle, threading, atexit, sys
@dataclasses.dataclass
class Point:
    x: int
assert __name__ == '__main__' and pickle.loads(pickle.dumps(Point(2))) == Point(2)
atexit.register(print, 'handler')
threading.Thread(target=lambda: print('thread')).start()
print('main', file=sys.__stdout__)
"""
    result = box.run(program)
    assert (result.outcome, result.error) == ("ok", None)
    assert sorted(result.stdout.split()) == ["handler", "main", "thread"]


def test_the_same_program_has_the_same_result(box: Sandbox) -> None:
    program = "import random\nprint(random.random(), list({'a', 'b', 'c', 'd'}))"
    results = set(box.map([program] * 6))
    assert len({result.stdout for result in results}) == 1


def test_output_is_cut_at_the_cap_exactly(box: Sandbox) -> None:
    under, over = box.run("print('x' * 65535)"), box.run("print('x' * 65536)")
    assert (under.outcome, len(under.stdout)) == ("ok", 65_536)
    assert (over.outcome, len(over.stdout)) == ("output_capped", 65_536)


@pytest.mark.slow
def test_output_before_the_end_of_time_is_kept(box: Sandbox) -> None:
    result = box.run("print('so far')\nwhile True: pass", timeout=1.0)
    assert (result.outcome, result.stdout) == ("timeout", "so far\n")
    assert 1.0 <= result.seconds < 3.0


def test_large_programs_and_values_pass(box: Sandbox) -> None:
    program = f"text = {'x' * 500_000!r}\nlen(text)"
    assert box.run(program).value == "500000"
    assert box.run("'é' * 100_000").value == "é" * 65_536


def test_map_keeps_the_order_and_reads_no_further_than_needed(box: Sandbox) -> None:
    taken = []

    def programs() -> list[str]:
        for number in range(100):
            taken.append(number)
            yield f"import time\ntime.sleep({0.02 * (number % 2)})\n{number}"

    results = box.map(programs())  # type: ignore[arg-type]
    assert next(results).value == "0"
    assert len(taken) < 20
    assert [result.value for result in results] == [str(number) for number in range(1, 100)]


def test_many_threads_may_use_one_sandbox(box: Sandbox) -> None:
    found: dict[int, str | None] = {}

    def ask(number: int) -> None:
        found[number] = box.run(f"{number} * 2").value

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(2 * number) for number in range(16)}


@pytest.mark.slow
def test_programs_run_at_the_same_time(box: Sandbox) -> None:
    begun = time.monotonic()
    assert len(list(box.map(["import time\ntime.sleep(1.5)"] * 2))) == 2
    assert time.monotonic() - begun < 2.9


def test_a_session_keeps_names_and_echoes_values(box: Sandbox) -> None:
    with box.session() as session:
        assert session.run("x = 20").stdout == ""
        assert session.run("print('hm')\nx + 1").stdout == "hm\n21\n"
        assert session.run("'text'").stdout == "'text'\n"
        failed = session.run("1 / 0")
        assert (failed.outcome, failed.error) == ("error", "ZeroDivisionError: division by zero")
        assert session.run("from sympy import *\nsqrt(x)").srepr == "Mul(Integer(2), Pow(Integer(5), Rational(1, 2)))"
        assert session.run("answer = 9").value == "9"
        assert session.run("x").value == "20"


def test_sessions_share_nothing(box: Sandbox) -> None:
    with box.session() as one, box.session() as two, box.session() as three:
        one.run("x = 1\nopen('/tmp/a', 'w').close()")
        assert two.run("x").error == "NameError: name 'x' is not defined"
        assert three.run("import os\nos.listdir('/tmp')").value == "[]"
        assert box.run("1").value == "1"


@pytest.mark.parametrize(
    ("block", "outcome"),
    [
        ("while True: pass", "timeout"),
        ("import os\nos.abort()", "killed"),
        ("while True: print('x' * 1000)", "output_capped"),
        ("import os\nos._exit(0)", "ok"),
    ],
)
@pytest.mark.slow
def test_what_ends_a_session_is_told_to_later_blocks(box: Sandbox, block: str, outcome: str) -> None:
    with box.session(seconds=1.5) as session:
        assert session.run("1").outcome == "ok"
        assert session.run(block).outcome == outcome
        after = session.run("1")
        assert (after.outcome, after.error) == ("killed", f"the session ended by an earlier block: {outcome}")


@pytest.mark.slow
def test_a_session_has_one_limit_for_all_blocks(box: Sandbox) -> None:
    with box.session(seconds=2.0) as session:
        outcomes = [session.run("import time\ntime.sleep(0.8)").outcome for _ in range(4)]
    assert outcomes == ["ok", "ok", "timeout", "killed"]


@pytest.mark.parametrize("mode", ["seccomp", "rlimits"])
def test_a_weaker_mode_is_named_in_every_result(mode: Mode) -> None:
    with Sandbox(SandboxConfig(mode=mode, workers=1)) as box:
        forked = box.run("import os\nprint(os.fork() >= 0)")
        assert (forked.outcome, forked.mode) == ("denied" if mode == "seccomp" else "ok", mode)
        hog = box.run("x = bytearray(10**10)")
        assert (hog.outcome, hog.mode) == ("memory", mode)
        with box.session() as session:
            assert session.run("1").mode == mode


def test_orphans_are_killed_without_a_namespace_too() -> None:
    with Sandbox(SandboxConfig(mode="rlimits", workers=1)) as box:
        text = "import os, time\npid = os.fork()\nif pid == 0:\n    os.setsid()\n    time.sleep(60)\npid"
        pid = int(box.run(text).value or 0)
        assert pid > 0
        assert not Path(f"/proc/{pid}").exists()


def test_a_closed_sandbox_says_so() -> None:
    box = Sandbox(SandboxConfig(mode="rlimits", workers=1)).open()
    with pytest.raises(LlemmaError, match="open already"):
        box.open()
    box.close()
    box.close()
    with pytest.raises(LlemmaError, match="closed"):
        box.run("1")


def test_without_bubblewrap_the_sandbox_refuses_and_says_how_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingError, match="bubblewrap") as refusal:
        Sandbox().open()
    assert "apt-get install bubblewrap" in refusal.value.mend
    assert "rlimits" in refusal.value.mend


def test_where_namespaces_are_forbidden_the_sandbox_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingError, match="No permissions to create a new namespace"):
        Sandbox().open()


def test_a_layer_that_fails_in_the_child_is_fatal(tmp_path: Path) -> None:
    plan = launch.plan(SandboxConfig(mode="seccomp", workers=1))
    # the child of a server that is not behind walls has no /empty to cover /proc with
    broken = msgspec.structs.replace(plan, settings={**plan.settings, "mode": "full", "scratch_mb": -1})
    box = Sandbox(SandboxConfig(workers=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "plan", lambda _: broken)
        with pytest.raises(MissingError, match="the sandbox does not hold on this machine"):
            box.open()
