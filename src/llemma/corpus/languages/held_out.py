"""Test problems read from their files: formal statements, names of theorems, problems and solutions in words.

Read are rows (JSON lines, JSON, Parquet; of miniF2F, ProofNet, GSM8K, MATH and the like), LeanDojo's splits, PISA's
pairs of theory and statement, files of statements (`.lean`, `.thy`, `.v`), and folders or tar archives of all these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Problem
from llemma.corpus.languages.statements import LANGUAGES, said, statements

MIN_WORDS = 8
"""Words from which on a problem or solution is looked for: shorter ones (`What is 2 + 3?`) are in innocent texts."""

_KEYS = {"lean": "lean", "isabelle": "isabelle", "rocq": "coq", "coq": "coq"}
_FORMAL = frozenset(["formal_statement", "statement", "formal", "theorem", "formal_proof"])
_WORDED = frozenset(["problem", "solution", "question", "answer", "input", "output", "informal", "informal_proof"])
_WORDED_STARTS = ("nl_", "informal_")
_ANNOTATION = re.compile(r"<<[^<>\n]{0,200}>>")
_FILES = {".lean": "lean", ".thy": "isabelle", ".v": "coq"}
_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")
_GENERIC = re.compile(r"(?i)(?:exercise|ex|lemma|theorem|thm|problem|prop|proposition|example|question|exo|test)_?\d")


class Placed(NamedTuple):
    """A theorem of a test set that is a theorem of a file: the file's path, the full name, the statement if known."""

    path: str
    name: str
    statement: str = ""


class HeldOut(msgspec.Struct, frozen=True):
    """What no training text may hold: digests of statements by language, names, theorems by place, texts."""

    said: dict[tuple[str, str], str]
    """(language, digest of what a statement says) -> the test problem."""
    names: dict[str, str]
    """Names that nothing but the test problem has, such as `amc12a_2019_p21`."""
    placed: list[Placed]
    texts: list[Problem]


def read(paths: Iterable[Path]) -> HeldOut:
    """The test problems of files, folders and archives. Raises `MissingError` or `DataError` naming the file."""
    held = HeldOut({}, {}, [], [])
    for path in paths:
        for name, content in _contents(existing(path)):
            _add(held, name, content)
    return held


def existing(path: Path) -> Path:
    """The path, or a `MissingError`."""
    if not path.exists():
        raise MissingError(f"no such file: {path}", mend="check the files of test problems in the recipe")
    return path


def _contents(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, rows or text) of every file."""
    from llemma.corpus.sources import archive, files, shards

    if path.is_dir():
        for name in files.walk(path, files.Wanted()):
            if (path / name).suffix in _FILES or name.endswith((".json", *shards.PARQUET, *shards.LINES, *_ARCHIVES)):
                yield from _contents(path / name)
    elif path.name.endswith((*shards.PARQUET, *shards.LINES)):
        rows = list(shards.rows(path))
        damaged = next((row for row in rows if isinstance(row, shards.Damage)), None)
        if damaged:
            raise DataError(f"{damaged.reason}", where=str(path), mend="a test set must be whole")
        yield _shown(path), rows
    elif path.suffix in (".json", *_FILES):
        yield _shown(path), _decoded(path.name, path.read_bytes())
    else:
        for member in archive.members(path, lambda name: PurePosixPath(name).suffix in (".json", *_FILES)):
            if member.fault:
                raise DataError(member.fault, where=f"{path}:{member.path}", mend="a test set must be whole")
            yield member.path, _decoded(member.path, member.data)


def _shown(path: Path) -> str:
    """File and folder: many test sets are a file called `test`."""
    return f"{path.absolute().parent.name}/{path.name}"


def _stem(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.partition('.')[0]}"


def _decoded(name: str, data: bytes) -> Any:
    try:
        return msgspec.json.decode(data) if name.endswith(".json") else data.decode("utf-8-sig")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"damaged test problems: {error}", where=name, mend="give the file as published") from error


def _add(held: HeldOut, name: str, content: Any) -> None:
    if isinstance(content, str):
        _formal(held, content, [_FILES[PurePosixPath(name).suffix]], _stem(name))
        return
    rows = content if isinstance(content, list) else [content]
    # PISA's files hold one pair each, or a list of pairs
    for number, row in enumerate(rows):
        if isinstance(row, list) and len(row) == 2 and all(isinstance(item, str) for item in row):
            _pair(held, *row)
        elif isinstance(row, dict):
            _row(held, row, f"{_stem(name)}/{_called(row) or number}")
        else:
            raise DataError(f"row {number} is no test problem", where=name, mend="give rows, or PISA's pairs")


def _pair(held: HeldOut, path: str, statement: str) -> None:
    found = next(statements(statement, "isabelle"), None)
    name = found.name if found else ""
    held.said[("isabelle", said(statement, "isabelle"))] = f"PISA {name or path}"
    held.placed.append(Placed(path, name, statement))


def _called(row: dict[str, Any]) -> str:
    return next((str(row[key]) for key in ("name", "id", "problem_id", "unique_id") if row.get(key)), "")


def _row(held: HeldOut, row: dict[str, Any], id: str) -> None:
    if isinstance(row.get("full_name"), str):
        held.placed.append(Placed(str(row.get("file_path", "")), row["full_name"]))
        return
    for key, value in row.items():
        if not isinstance(value, str) or "header" in key:
            continue
        language = next((known for start, known in _KEYS.items() if key.startswith(start)), "")
        if language or key in _FORMAL:
            _formal(held, value, [language] if language else list(LANGUAGES), id)
        elif key in _WORDED or key.startswith(_WORDED_STARTS):
            for text in dict.fromkeys((value, _ANNOTATION.sub("", value))):
                if len(text.split()) >= MIN_WORDS:
                    held.texts.append(Problem(id, "held-out", text, ""))


def _formal(held: HeldOut, text: str, languages: list[str], id: str) -> None:
    """Enter the statements of a text, of the first of `languages` that has any in it."""
    for language in languages:
        found = list(statements(text, language))
        for item in found:
            held.said[(language, said(text[item.start : item.said], language))] = id
            if distinctive(item.name):
                held.names[item.name] = id
        if found:
            return


def distinctive(name: str) -> bool:
    """Whether a name can only be that of the test problem: long, with a number, and not `exercise_1_2`."""
    long = len(name) >= 10 and "_" in name and any(map(str.isdigit, name))
    return long and not _GENERIC.match(name)
