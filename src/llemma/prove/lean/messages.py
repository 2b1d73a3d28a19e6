"""What is said to and heard from the Lean REPL (github.com/leanprover-community/repl, its README and `REPL/JSON.lean`).

Requests are told apart by their fields. Numbers of environments and of proof states are two counters of one process,
each from 0; all of them stay valid until it ends. A request that fails is answered by a `Failure`.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Command(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Elaborate commands: from nothing (only then may they import) or on top of environment `env`."""

    cmd: str
    env: int | None = None
    all_tactics: bool | None = None
    root_goals: bool | None = None
    infotree: str | None = None


class File(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Elaborate a file that the REPL can see."""

    path: str
    env: int | None = None
    all_tactics: bool | None = None
    root_goals: bool | None = None
    infotree: str | None = None


class Tactic(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Run a tactic on a proof state."""

    tactic: str
    proof_state: int


class PickleEnv(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Write an environment to a file; the answer repeats its number."""

    pickle_to: str
    env: int


class PickleState(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Write a proof state to a file."""

    pickle_to: str
    proof_state: int


class UnpickleEnv(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Read an environment back, in this process or another."""

    unpickle_env_from: str


class UnpickleState(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Read a proof state back, on top of `env` where it was made on one."""

    unpickle_proof_state_from: str
    env: int | None = None


ForCommand = Command | File | PickleEnv | UnpickleEnv
ForTactic = Tactic | PickleState | UnpickleState
Request = ForCommand | ForTactic


class Position(msgspec.Struct, frozen=True):
    """A place in the request's text: `line` from 1, `column` from 0; both 0 in tactic mode."""

    line: int
    column: int


class Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What Lean says about a text. `severity` is `trace`, `info`, `warning` or `error`."""

    severity: str
    data: str
    pos: Position | None = None
    end_pos: Position | None = None


class Sorry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A gap: `goal` holds its goals, separated by blank lines; `proof_state` continues there."""

    goal: str
    proof_state: int | None = None
    pos: Position | None = None
    end_pos: Position | None = None


class CommandReply(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The environment after a command. It is there also when the command failed: `messages` says so."""

    env: int
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    tactics: list[dict[str, Any]] = []
    infotree: Any = None


class TacticReply(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The proof state after a tactic. `proof_status` says how far the proof is; it is empty in REPLs before 2025."""

    proof_state: int
    goals: tuple[str, ...]
    proof_status: str = ""
    messages: tuple[Message, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    traces: tuple[str, ...] = ()


class Failure(msgspec.Struct, frozen=True):
    """The request led nowhere; nothing was made."""

    message: str


def errors(messages: tuple[Message, ...]) -> list[str]:
    """What Lean called an error, in its own words."""
    return [message.data for message in messages if message.severity == "error"]
