"""Programs that mean harm: those of hostile.txt, and a few that no text file can hold."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

PROOF = "llemma-hostile-proof"  # the name of every file that a program tries to leave behind


class Hostile(NamedTuple):
    """A program and the outcomes that show it was held."""

    name: str
    program: str
    outcomes: set[str]
    shows: str | None = None
    """What standard output must be, where the program prints what it could see."""


def _read(path: Path) -> list[Hostile]:
    blocks = path.read_text().split("\n@@ ")[1:]
    return [_parse(block.split("\n%% ")[0]) for block in blocks]


def _parse(block: str) -> Hostile:
    head, program = block.split("\n", 1)
    name, outcomes, *shows = head.split(" | ")
    return Hostile(name, program.rstrip("\n"), set(outcomes.split()), ast.literal_eval(shows[0]) if shows else None)


HOSTILE = [
    *_read(Path(__file__).with_name("hostile.txt")),
    Hostile("deep source", "(" * 100_000, {"error", "memory"}),
    Hostile("deep expression", "-" * 100_000 + "1", {"error", "memory", "killed"}),
    Hostile("long source", "x = 1\n" * 200_000, {"ok", "memory", "timeout"}),
    Hostile("null bytes", "x = 1\x00", {"error"}),
    Hostile("half a character in the source", "x = '\ud800'", {"error"}),
]
