"""What is looked for in a corpus: problems, solutions, completions, or the rows of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError, UsageError, suggest
from llemma.core.types import Completion, Problem

Kind = Literal["problem", "solution", "completion", "row"]
KINDS: tuple[Kind, ...] = ("problem", "solution", "completion")
SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")

PROBLEMS, COMPLETIONS, VERDICTS = "problems.jsonl.zst", "completions.jsonl.zst", "verdicts.jsonl.zst"
"""Of an evaluation folder."""


class Item(msgspec.Struct, frozen=True):
    """A text that is looked for. `problem` is the id of the problem it belongs to, `task` that problem's task."""

    id: str
    text: str
    kind: Kind = "row"
    problem: str = ""
    task: str = ""
    answer: str = ""
    level: str = ""


def parse_kinds(text: str) -> tuple[Kind, ...]:
    """`problem,solution` as a tuple; raises `UsageError` for another word."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in KINDS:
            known = suggest(name, KINDS) or f"there are {', '.join(KINDS)}"
            raise UsageError(f"no items of kind '{name}'", where="--of", mend=known)
    if not names:
        raise UsageError("no kind of items", where="--of", mend=f"give some of {', '.join(KINDS)}")
    return names  # type: ignore[return-value]  # each was looked up


def of_problems(problems: Iterable[Problem], kinds: Sequence[Kind]) -> Iterator[Item]:
    """Problems and their reference solutions (`meta.solution`, where there is one) as items.

    The id of a problem's item is the problem's own, that of its solution has `#solution` behind it.
    """
    for problem in problems:
        level = str(problem.meta.get("level", ""))
        common: dict[str, Any] = {"problem": problem.id, "task": problem.task, "answer": problem.answer, "level": level}
        solution = problem.meta.get("solution")
        if "problem" in kinds:
            yield Item(problem.id, problem.text, "problem", **common)
        if "solution" in kinds and isinstance(solution, str) and solution:
            yield Item(f"{problem.id}#solution", solution, "solution", **common)


def check_run(run: Path) -> None:
    """Raise `MissingError` where there is no finished evaluation."""
    for name in (PROBLEMS, COMPLETIONS, VERDICTS):
        if not (run / name).is_file():
            what = f"no finished evaluation in '{run}'"
            raise MissingError(what, where=str(run / name), mend="give a folder that `llemma eval` wrote")


def of_run(run: Path, kinds: Sequence[Kind]) -> Iterator[Item]:
    """The problems, solutions and completions of an evaluation folder.

    The id of a completion's item is its request's with the sample's number: `<problem>#greedy/0`.
    """
    check_run(run)
    problems = {problem.id: problem for problem in jsonl.read(run / PROBLEMS, Problem)}
    yield from of_problems(problems.values(), kinds)
    for completion in jsonl.read(run / COMPLETIONS, Completion) if "completion" in kinds else ():
        name = completion.request.rpartition("#")[0]
        problem = problems.get(name)
        if problem is not None and completion.text:
            level = str(problem.meta.get("level", ""))
            id = f"{completion.request}/{completion.sample}"
            yield Item(id, completion.text, "completion", name, problem.task, problem.answer, level)


def of_file(path: Path) -> Iterator[Item]:
    """Rows `{id, text}`; `task`, `answer` and `level` of a row are kept, and in `of` the id of its problem, where that
    is not its own. A file of problems (rows with `problem` and no `text`) is taken for these. A row without an id is
    called after its file and number; one without a text is a `DataError`: items are few, and each was meant."""
    if not path.is_file():
        raise MissingError(f"no items file '{path}'", where="-t", mend="check the path")
    for number, line in enumerate(jsonl.lines(path), start=1):
        where = f"{path} row {number}"
        try:
            row = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise DataError(f"damaged row: {error}", where=where, mend="write rows {id, text}") from error
        text, id = row.get("text", row.get("problem")), row.get("id")
        if not isinstance(text, str):
            raise DataError("a row without 'text'", where=where, mend="write rows {id, text}")
        name = f"{path.name}:{number}" if id is None else str(id)
        facts = {key: str(row[key]) for key in ("answer", "level", "task") if row.get(key) is not None}
        yield Item(name, text, "row" if "text" in row else "problem", str(row.get("of") or name), **facts)


def gathered(items: Iterable[Item]) -> list[Item]:
    """All items; two of one id are a `DataError`, for a pair could not be told from another."""
    found: dict[str, Item] = {}
    for item in items:
        if item.id in found:
            raise DataError(
                f"two items have the id '{item.id}'", where="-t", mend="give each item an id of its own, or run twice"
            )
        found[item.id] = item
    if not found:
        raise DataError("nothing to look for: no items", where="-t", mend=f"check the items and --of {_kinds()}")
    return list(found.values())


def _kinds() -> str:
    return "|".join(kind for kind in get_args(Kind) if kind != "row")
