"""Theorems of a file of one's own, or of miniF2F in the language of a prover."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError, RecipeError, suggest
from llemma.core.files import digest
from llemma.prove.theorem import Theorem

VARIABLE = "LLEMMA_DATA"
MINIF2F = "minif2f"
SPLITS = ("test", "valid")
LEAN_HEADER = "lean4_header.lean.txt"
FAMILIES = ("mathd_algebra", "mathd_numbertheory", "algebra", "numbertheory", "induction", "amc12", "aime", "imo")
"""Where the problems of miniF2F are from, by how their names begin (Zheng et al. 2022, table 1)."""

_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")
_FIELDS = {"id", "header", "statement", "informal", "informal_proof", "meta"}
_FIELD = {"rocq": "rocq", "lean": "lean4", "isabelle": "isabelle"}

# what may stand behind a statement where its proof would begin; statements are short, and no pattern backtracks
_ENDS = {
    "lean": re.compile(r":=(?:\s*by)?(?:\s*sorry)?\s*\Z"),
    "rocq": re.compile(r"(?<=\.)(?:\s+Proof\.)?(?:\s+Admitted\.)?\s*\Z"),
    "isabelle": re.compile(r"(?<=\")\s*(?:sorry|oops)?\s*\Z"),
}


class Task(NamedTuple):
    """Theorems in a fixed order, the checksum of what was read, and what was left out of it and why."""

    name: str
    theorems: list[Theorem]
    digest: str
    left_out: dict[str, int] = {}


def open_tasks(spec: str, prover: str, *, data: Path | None = None, protocol: str = "default") -> Task:
    """The theorems of `spec` for `prover`: a file of rows `{id, header, statement}`, or `minif2f-PROVER[-SPLIT]`.

    Raises `RecipeError` for an unknown name or a name of another prover, `MissingError` where the data is not, and
    `DataError` that names file and row. The protocol `llemma` leaves out the helper lemma `sum_pairs`, as published.
    """
    if spec.endswith(_SUFFIXES):
        task = _own(Path(spec), prover)
    else:
        task = _minif2f(spec, prover, data)
    if protocol == "llemma":
        kept = [theorem for theorem in task.theorems if "sum_pairs" not in theorem.id]
        helpers = {"helper lemma": len(task.theorems) - len(kept)} if len(kept) < len(task.theorems) else {}
        task = task._replace(theorems=kept, left_out={**task.left_out, **helpers})
    if not task.theorems:
        raise DataError("no theorems", where=spec, mend="write rows {id, header, statement}")
    return task


def _own(path: Path, prover: str) -> Task:
    if not path.is_file():
        raise MissingError(f"no file of theorems '{path}'", where="-t", mend="check the path")
    theorems = _distinct(_row(row, prover, f"{path} row {number}") for number, row in _rows(path))
    return Task(path.name.split(".jsonl")[0], theorems, digest(theorems))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(jsonl.read(path, dict[str, Any]), start=1)


def _row(row: dict[str, Any], prover: str, where: str) -> tuple[str, Theorem]:
    lacking = [key for key in ("id", "header", "statement") if row.get(key) is None]
    if lacking:
        raise DataError(f"a row without '{lacking[0]}'", where=where, mend="rows are {id, header, statement}")
    if isinstance(row["id"], int) and not isinstance(row["id"], bool):
        row["id"] = str(row["id"])
    for key in ("id", "header", "statement", "informal", "informal_proof"):
        if not isinstance(row.get(key) or "", str):
            raise DataError(f"'{key}' is no text", where=where, mend="write it as a string")
    if not row["id"] or not row["statement"].strip():
        raise DataError("an empty id or statement", where=where, mend="give each row an id and a statement")
    given = row.get("meta")
    meta = {
        **{key: value for key, value in row.items() if key not in _FIELDS},
        **(given if isinstance(given, dict) else {}),
    }
    return where, Theorem(
        id=row["id"],
        header=row["header"],
        statement=bare(row["statement"], prover),
        informal=row.get("informal") or "",
        informal_proof=row.get("informal_proof") or "",
        meta=meta,
    )


def _distinct(theorems: Iterator[tuple[str, Theorem]]) -> list[Theorem]:
    found: dict[str, Theorem] = {}
    for where, theorem in theorems:
        if theorem.id in found:
            raise DataError(
                f"two theorems have the id '{theorem.id}'", where=where, mend="give each row an id of its own"
            )
        found[theorem.id] = theorem
    return list(found.values())


def bare(statement: str, prover: str) -> str:
    """A statement as it ends where its proof would begin: without `:= by sorry`, `Proof.` and the like."""
    end = _ENDS.get(prover)
    text = statement.strip()
    return end.sub("", text, count=1).rstrip() if end else text


def _names(prover: str) -> list[str]:
    return [f"{MINIF2F}-{prover}{split}" for split in ("", *(f"-{split}" for split in SPLITS))]


def _minif2f(spec: str, prover: str, data: Path | None) -> Task:
    known = [name for each in _FIELD for name in _names(each)]
    if spec not in known:
        hint = suggest(spec, known) or f"one of {', '.join(known)}, or a file F.jsonl"
        raise RecipeError(f"unknown task '{spec}'", where="-t", mend=hint)
    language, _, split = spec.removeprefix(f"{MINIF2F}-").partition("-")
    if prover in _FIELD and prover != language:
        raise RecipeError(
            f"'{spec}' is written for {language}",
            where=f"--prover {prover}",
            mend=f"write -t {spec.replace(language, prover)}",
        )
    folder = _folder(data)
    header = _read(folder / LEAN_HEADER) if language == "lean" else ""
    rows = [item for part in ([split] if split else SPLITS) for item in _split(folder, part)]
    field = _FIELD[language]
    stated = [(where, row) for where, row in rows if row.get(field) is not None]
    theorems = _distinct(
        (where, _theorem(row, language, header or row.get(f"{field}_header") or "")) for where, row in stated
    )
    without = {f"no statement for {language}": len(rows) - len(stated)} if len(rows) > len(stated) else {}
    return Task(spec, theorems, digest(theorems), without)


def _theorem(row: dict[str, Any], language: str, header: str) -> Theorem:
    family = next((name for name in FAMILIES if row["name"].startswith(name)), "other")
    return Theorem(
        id=row["name"],
        header=header.strip(),
        statement=bare(row[_FIELD[language]], language),
        informal=row.get("informal") or "",
        informal_proof=row.get("informal_proof") or "",
        meta={"split": row.get("split") or "", "family": family},
    )


def _split(folder: Path, split: str) -> list[tuple[str, dict[str, Any]]]:
    path = _exists(folder, split)
    if path is None:
        raise MissingError(f"no {split}.jsonl (or .zst, .gz) of miniF2F", where=str(folder), mend=_MEND)
    rows = [(f"{path} row {number}", row) for number, row in _rows(path)]
    for where, row in rows:
        if not isinstance(row.get("name"), str):
            raise DataError("a row without 'name'", where=where, mend="get the file again")
    return rows


_MEND = (
    f"give --data DIR or set {VARIABLE}=DIR; DIR, DIR/{MINIF2F} or DIR/../{MINIF2F} holds test.jsonl and valid.jsonl"
)


def _folder(data: Path | None) -> Path:
    """Where miniF2F is: in the data folder, the folder itself, or beside it."""
    given = data or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if given is None:
        raise MissingError("no data folder is named", where=MINIF2F, mend=_MEND)
    places: list[Callable[[], Path]] = [
        lambda: given / MINIF2F,
        lambda: given,
        lambda: given.resolve().parent / MINIF2F,
    ]
    for place in places:
        if _exists(place(), "test") or _exists(place(), "valid"):
            return place()
    raise MissingError(f"no miniF2F in '{given}' or beside it", where="--data", mend=_MEND)


def _exists(folder: Path, split: str) -> Path | None:
    paths = (folder / f"{split}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise MissingError(f"no {path.name}", where=str(path.parent), mend=_MEND) from error
