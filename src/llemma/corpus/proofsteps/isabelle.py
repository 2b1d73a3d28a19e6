"""Isabelle's proof steps from the JSON that PISA's extraction writes: `translations`, a list of (state, step, ...).

A statement begins where no proof is open (the state before it is empty). Statements of PISA's test set are left out:
as published wherever one occurs as it stands, by default also where only white space differs.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.errors import DataError
from llemma.corpus.proofsteps import Proof, Step, Unread

STATEMENTS = ("lemma ", "theorem ")
"""How statements that are kept begin (as published; `corollary`, `definition` and the rest are not)."""


class _Extraction(msgspec.Struct):
    translations: list[list[Any]] = []


def read(text: str, name: str, protected: Iterable[str] = ()) -> Iterator[Proof | Unread]:
    """The proofs of one extraction called `name`, without those whose statement holds one of `protected` (normalised
    by `squeezed`). Raises `DataError` for anything but PISA's JSON."""
    try:
        rows = msgspec.json.decode(text, type=_Extraction).translations
    except msgspec.MsgspecError as error:
        raise DataError(f"not a PISA extraction: {error}", where=name, mend="give files with 'translations'") from error
    held = [statement for statement in protected if statement]
    proof: list[Step] = []
    statement, number = "", 0
    for row in [*rows, ["", ""]]:
        state, step = (str(part) for part in (*row, "", "")[:2])
        if state.strip():
            proof.append(Step(state, step))
            continue
        if statement.startswith(STATEMENTS):
            yield _judged(f"{name}/{number}", statement, proof, held)
            number += 1
        statement, proof = step.strip(), []


def _judged(id: str, statement: str, steps: list[Step], protected: list[str]) -> Proof | Unread:
    plain = squeezed(statement)
    if any(held in plain for held in protected):
        return Unread(id, "a statement of PISA's test set")
    return Proof(id, steps, statement) if steps else Unread(id, "no step")


def squeezed(statement: str) -> str:
    """The statement without any white space."""
    return "".join(statement.split())


def statements(inputs: Iterable[Path]) -> list[str]:
    """The test statements, squeezed, in files of rows (theory, statement), folders of them, or tar archives of them."""
    found: dict[str, None] = {}
    for path in inputs:
        for name, data in _files(path):
            try:
                rows = msgspec.json.decode(data, type=list[tuple[str, str]])
            except msgspec.MsgspecError as error:
                what = f"not a list of (theory, statement): {error}"
                raise DataError(what, where=name, mend="give PISA's files of test theorems") from error
            found.update(dict.fromkeys(squeezed(statement) for _, statement in rows))
    return list(found)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        yield from ((str(file), file.read_bytes()) for file in sorted(path.rglob("*.json")))
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                handle = archive.extractfile(member) if member.isfile() and member.name.endswith(".json") else None
                if handle is not None:
                    yield f"{path}:{member.name}", handle.read()
    else:
        yield str(path), path.read_bytes()
