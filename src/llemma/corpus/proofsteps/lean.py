"""Lean's proof steps from what its extraction tools write.

Three formats, told apart by how they begin: the `[GOAL]`/`[PROOFSTEP]` text and the verbose blocks of
lean-training-data's `training_data`, and the JSON of LeanDojo's benchmark. Where the format names theorems, each is a
proof of its own, so that a split by id never cuts one in two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

import msgspec

from llemma.core.errors import DataError
from llemma.corpus.proofsteps import GOAL, STEP, Proof, Step, Unread

_DECLARATION = re.compile(
    r"^(?:@\[[^\]]*\]\s*)*(?:(?:private|protected|noncomputable|nonrec|scoped|local|unsafe|partial)\s+)*"
    r"(?:theorem|lemma|def|instance|abbrev|example|structure|class|inductive|opaque)\s+([^\s:({\[⦃]+)",
    re.MULTILINE,
)
_FIELDS = 7  # of a verbose block: module, offset, declaration so far, goals, range, tactic, goals after


class _Traced(msgspec.Struct):
    tactic: str = ""
    state_before: str = ""


class _Theorem(msgspec.Struct):
    full_name: str
    file_path: str = ""
    traced_tactics: list[_Traced] = []


def read(text: str, name: str) -> Iterator[Proof | Unread]:
    """The proofs in the text of one file called `name`. Raises `DataError` for a format that is none of the three."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        yield from _blocks(start, name) if start.startswith(GOAL) else _leandojo(start, name)
    elif start.startswith("===\n"):
        yield from _verbose(start, name)
    elif start:
        raise DataError(
            "not Lean proof steps: neither [GOAL] blocks, === blocks, nor LeanDojo's JSON",
            where=name,
            mend="give the output of lean-training-data's training_data, or a split of LeanDojo's benchmark",
        )


def _blocks(text: str, name: str) -> Iterator[Proof | Unread]:
    steps = []
    for block in re.split(rf"^{re.escape(GOAL)}[ \t]*\n", text, flags=re.MULTILINE)[1:]:
        goal, mark, tactic = block.partition(f"\n{STEP}\n")
        if mark and tactic.strip():
            steps.append(Step(goal, tactic.rstrip()))
    yield Proof(name, steps) if steps else Unread(name, "no step")


def _verbose(text: str, name: str) -> Iterator[Proof | Unread]:
    blocks = [block.split("\n---\n") for block in re.split(r"^===\n", text, flags=re.MULTILINE)[1:]]
    whole = [fields for fields in blocks if len(fields) >= _FIELDS]
    if len(whole) < len(blocks):
        yield Unread(name, f"{len(blocks) - len(whole)} incomplete blocks")
    # the tool names a declaration by the line where its text begins
    for (module, offset), group in groupby(whole, key=lambda fields: (fields[0].strip(), fields[1].strip())):
        proofs = list(group)
        found = _DECLARATION.search(proofs[0][2])
        theorem = f"{module}/{found[1] if found else 'line'}@{offset}"
        steps = [Step(fields[3], fields[5]) for fields in proofs if fields[5].strip()]
        yield Proof(theorem, steps, proofs[0][2]) if steps else Unread(theorem, "no step")


def _leandojo(text: str, name: str) -> Iterator[Proof | Unread]:
    try:
        theorems = msgspec.json.decode(text, type=list[_Theorem])
    except msgspec.MsgspecError as error:
        raise DataError(f"not LeanDojo's JSON: {error}", where=name, mend="give a split of its benchmark") from error
    for theorem in theorems:
        id = f"{theorem.file_path or name}/{theorem.full_name}"
        steps = [Step(traced.state_before, traced.tactic) for traced in theorem.traced_tactics if traced.tactic.strip()]
        yield Proof(id, steps, theorem.full_name) if steps else Unread(id, "no step")
