"""The client against recorded sessions and against a server that misbehaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llemma.prove.lean.messages import (
    Command,
    CommandReply,
    Failure,
    File,
    ForCommand,
    PickleEnv,
    PickleState,
    Request,
    Tactic,
    TacticReply,
    UnpickleEnv,
    UnpickleState,
)
from llemma.prove.lean.repl import Repl, Stopped
from llemma.prove.lean.verdict import after_tactic
from llemma.prove.prover import Proved, Refused, State

pytestmark = pytest.mark.slow  # real processes

KINDS: tuple[type[Request], ...] = (Command, File, Tactic, PickleEnv, PickleState, UnpickleEnv, UnpickleState)
SESSION = [
    {"request": {"cmd": "def f : Nat := 37"}, "response": {"env": 0}},
    {
        "request": {"cmd": "theorem t (ℝ : Nat) : ℝ = ℝ := by sorry", "env": 0},
        "response": {
            "sorries": [{"proofState": 0, "goal": "ℝ : Nat\n⊢ ℝ = ℝ\n\nx"}],
            "messages": [{"severity": "warning", "data": "declaration uses `sorry`"}],
            "env": 1,
        },
    },
    {
        "request": {"tactic": "skip", "proofState": 0},
        "response": {"proofState": 1, "goals": ["⊢ a"], "proofStatus": ""},
    },
    {"request": {"tactic": "rfl", "proofState": 1}, "response": {"message": "Lean error:\nno"}},
    {
        "request": {"tactic": "rfl", "proofState": 0},
        "response": {"proofState": 2, "goals": [], "proofStatus": "Completed", "traces": ["{\n\n}"]},
    },
]


@pytest.fixture
def session(tmp_path: Path) -> tuple[str, str]:
    path = tmp_path / "session.jsonl"
    rows = [{"suite": "own", "session": "s", **row} for row in SESSION]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path), "own/s"


def request(fields: dict[str, Any]) -> Request:
    fitting = [kind for kind in KINDS if _fits(kind, fields)]
    assert len(fitting) == 1
    return msgspec.convert(fields, fitting[0])


def _fits(kind: type[Request], fields: dict[str, Any]) -> bool:
    try:
        msgspec.convert(fields, kind)
    except msgspec.ValidationError:
        return False
    return True


def asked(repl: Repl, fields: dict[str, Any], seconds: float = 20.0) -> Any:
    wanted = request(fields)
    if isinstance(wanted, ForCommand):
        return repl.command(wanted, seconds)
    return repl.tactic(wanted, seconds)


def run(repl: Repl, rows: list[dict[str, Any]], seconds: float = 20.0) -> None:
    for row in rows:
        reply = asked(repl, row["request"], seconds)
        said = json.loads(msgspec.json.encode(reply))
        wanted = dict(row["response"])
        if wanted.get("proofStatus") == "":
            del wanted["proofStatus"]
        assert said == wanted


def test_every_recorded_session_passes_through_unchanged(transcripts: Path, replay: Callable[..., Repl]) -> None:
    rows = [json.loads(line) for line in transcripts.read_text().splitlines()]
    sessions: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        sessions.setdefault(f"{row['suite']}/{row['session']}", []).append(row)
    assert (len(sessions), len(rows)) == (71, 217)
    for number, (name, pairs) in enumerate(sessions.items()):
        fault = ("", "dribble", "noise", "late-noise")[number % 4]
        repl = replay(transcripts, name, fault)
        run(repl, pairs)
        repl.close()


def test_every_recorded_status_is_told_apart(transcripts: Path) -> None:
    rows = [json.loads(line) for line in transcripts.read_text().splitlines()]
    found: dict[str, int] = {}
    for row in rows:
        response = row["response"]
        if "tactic" not in row["request"]:
            continue
        kind = Failure if response.keys() == {"message"} else TacticReply
        result = after_tactic(msgspec.convert(response, kind), "t", ())
        status = response.get("proofStatus", "failure")
        clean = not response.get("sorries") and not any(m["severity"] == "error" for m in response.get("messages", []))
        expected: type = Refused
        if clean and status == "Completed" and not response["goals"]:
            expected = Proved
        elif clean and status == "Incomplete: open goals remain":
            expected = State
            assert isinstance(result, State) and result.text == "\n\n".join(response["goals"])
        assert type(result) is expected, response
        found[expected.__name__] = found.get(expected.__name__, 0) + 1
    assert found == {"Proved": 15, "State": 25, "Refused": 31}


@pytest.mark.parametrize("fault", ["", "delay", "dribble", "noise", "late-noise"])
def test_what_is_slow_cut_or_noisy_is_read_all_the_same(
    fault: str, session: tuple[str, str], replay: Callable[..., Repl]
) -> None:
    run(replay(*session, fault), SESSION)


def test_numbers_may_jump(session: tuple[str, str], replay: Callable[..., Repl]) -> None:
    repl = replay(*session, "jump")
    first = asked(repl, {"cmd": "def f : Nat := 37"})
    second = asked(repl, {"cmd": "theorem t (ℝ : Nat) : ℝ = ℝ := by sorry", "env": first.env})
    assert isinstance(second, CommandReply) and second.env > first.env
    third = asked(repl, {"tactic": "skip", "proofState": second.sorries[0].proof_state})
    assert isinstance(third, TacticReply) and third.proof_state == 10


@pytest.mark.parametrize(
    ("fault", "kind", "why"),
    [
        ("crash", "crash", "code 3: uncaught exception: the roof came down"),
        ("eof", "crash", "ended with code 0"),
        ("stall", "timeout", "no answer in time"),
        ("half-stall", "timeout", "no answer in time"),
        ("flood", "crash", "wrote more than 64 MiB"),
        ("flood-blocks", "crash", "wrote more than 64 MiB"),
        ("flood-open", "crash", "wrote more than 64 MiB"),
        ("damaged", "crash", "damaged reply"),
        ("list", "crash", "damaged reply"),
        ("twice", "crash", "out of step"),
        ("stale", "crash", "out of step"),
        ("oom", "memory", "out of memory"),
        ("hog", "memory", ""),
    ],
)
@pytest.mark.parametrize("at", [1, 2])
def test_what_goes_wrong_ends_the_process_with_its_reason(
    fault: str, kind: str, why: str, at: int, session: tuple[str, str], replay: Callable[..., Repl]
) -> None:
    if fault == "twice":
        at += 1  # the second of two may only be seen with the next request
    repl = replay(*session, fault, at if fault != "twice" else at - 1, memory_mb=64 if fault == "hog" else 512)
    limit = 1.0 if "stall" in fault else 20.0
    with pytest.raises(Stopped) as stopped:
        run(repl, SESSION[: at + 1], limit)
    assert stopped.value.kind == kind and why in stopped.value.why
    assert not repl.alive()
    with pytest.raises(Stopped):
        asked(repl, SESSION[0]["request"])


def test_an_answer_before_the_question_is_none(session: tuple[str, str], replay: Callable[..., Repl]) -> None:
    repl = replay(*session, "unasked")
    time.sleep(0.3)
    with pytest.raises(Stopped, match="out of step"):
        run(repl, SESSION)


def test_a_server_that_does_not_read_is_a_timeout(session: tuple[str, str], replay: Callable[..., Repl]) -> None:
    begin = time.monotonic()
    with pytest.raises(Stopped, match="in time"):
        replay(*session, "deaf").command(Command("x" * 1_000_000), 0.5)
    assert time.monotonic() - begin < 5
