"""What `llemma overlap` found for a run, where its files lie in the run folder: the tables, and the hits by problem.

Looked for are `overlap/*.summary.json`, one folder deeper, and beside the run's own files; beside `H.summary.json` lie
`H.contexts.jsonl` and `H.fuzzy.jsonl`. Unknown fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.core.files import read_json
from llemma.report import read
from llemma.report.text import visible

ROWS = 2_000_000  # hits read of one study; what stands behind them is counted in the tables but not shown
SHOWN = 6  # hits of one kind shown with a problem
BEFORE = 280  # characters before a hit: few enough that the shared words are in sight
AFTER = 1_200
NO_HIT = "no hit"
Length = int | str


class Search(msgspec.Struct, frozen=True):
    """What was asked of a study."""

    lengths: list[Length] = []
    tokens: str = "whitespace"
    fuzzy: float = 0.0


class Coverage(msgspec.Struct, frozen=True):
    """Of the items of a kind, how many are too short to hit."""

    kind: str
    n: Length
    items: int
    short: int


class Unique(msgspec.Struct, frozen=True):
    """Items and documents of a subset that share anything, each counted once, and their pairs."""

    kind: str
    n: Length
    subset: str
    items: int = 0
    documents: int = 0
    pairs: int = 0


class Half(msgspec.Struct, frozen=True):
    """Right answers among problems, with the interval of the share."""

    right: int
    n: int
    low: float = 0.0
    high: float = 1.0

    @property
    def share(self) -> float | None:
        """None of none."""
        return self.right / self.n if self.n else None


class Split(msgspec.Struct, frozen=True):
    """Problems with hits beside the rest; `p` is Fisher's."""

    task: str
    kind: str
    n: Length
    level: str
    hits: Half
    rest: Half
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


class Adjusted(msgspec.Struct, frozen=True):
    """The difference at equal level."""

    task: str
    kind: str
    n: Length
    levels: int
    difference: float
    low: float
    high: float
    p: float


class Memory(msgspec.Struct, frozen=True):
    """Of the hits of a kind: where the document states the gold answer, and how many completions repeat it."""

    kind: str
    n: Length
    hits: int
    boxed: int = 0
    stated: int = 0
    absent: int = 0
    asked: int = 0
    repeats: int = 0
    longest: int = 0


class Summary(msgspec.Struct, frozen=True):
    """`H.summary.json`."""

    search: Search
    documents: int
    bytes: int
    pairs: int
    coverage: list[Coverage] = []
    unique: list[Unique] = []
    fuzzy: list[Unique] = []
    memory: list[Memory] = []
    run: str = ""
    accuracy: list[Split] = []
    adjusted: list[Adjusted] = []


class Study(msgspec.Struct, frozen=True):
    """One search: `name` is `H`, `folder` where its files lie."""

    name: str
    folder: Path
    summary: Summary

    @property
    def title(self) -> str:
        """`Continued` for what a reproduction found of its phase `math`, else `H`."""
        return read.label(self.folder.name) if self.name == "hits" else self.name

    @property
    def asked(self) -> str:
        """The evaluation in few words: the end of its path, which means something on another machine too."""
        return "/".join(Path(self.summary.run).parts[-2:])


class Context(msgspec.Struct, frozen=True):
    """A row of `H.contexts.jsonl`."""

    document: str
    item: str
    n: Length
    ngram: str = ""
    shared: int = 0
    run: str = ""
    before: str = ""
    after: str = ""
    item_before: str = ""
    item_after: str = ""
    kind: str = ""
    problem: str = ""
    subset: str = ""
    gold: str | None = None
    repeated: int | None = None


class Hit(msgspec.Struct, frozen=True):
    """A hit ready to show: the shared run with what stands around it in the item and in the document."""

    kind: str
    item: str
    document: str
    subset: str
    n: str
    shared: int
    run: str
    before: str
    after: str
    item_before: str
    item_after: str
    gold: str | None
    repeated: int | None


class Found(msgspec.Struct):
    """The hits of a problem: by kind of item the longest demand that was met, and for each demand how many pairs of an
    item and a document meet it (a pair that shares 30 words shares 20 too); `hits` are the first of each kind."""

    longest: dict[str, str] = {}
    pairs: dict[str, dict[str, int]] = {}
    hits: list[Hit] = []


def studies(run: Path) -> list[Study]:
    """The finished searches in a run folder, by name; damaged ones are left out."""
    paths = {path for pattern in _PLACES for path in run.glob(f"{pattern}.summary.json")}
    found = []
    for path in sorted(paths):
        try:
            found.append(Study(path.name.removesuffix(".summary.json"), path.parent, read_json(path, Summary)))
        except DataError:
            continue
    return found


_PLACES = ("*", "overlap/*", "overlap/*/*", "eval/*/overlap/*")


def by_problem(found: Sequence[Study]) -> dict[str, Found]:
    """Problem -> what was found of it, from the contexts of all studies."""
    problems: dict[str, Found] = {}
    for study in found:
        for row in _contexts(study):
            if row.problem:
                _add(problems.setdefault(row.problem, Found({}, {}, [])), row)
    return problems


def _contexts(study: Study) -> Iterator[Context]:
    for ending in ("", ".zst", ".gz"):
        path = study.folder / f"{study.name}.contexts.jsonl{ending}"
        if path.is_file():
            try:
                for number, row in enumerate(jsonl.read(path, Context)):
                    if number == ROWS:
                        return
                    yield row
            except DataError:
                return


def _add(found: Found, row: Context) -> None:
    pairs = found.pairs.setdefault(row.kind, {})
    pairs[words(row.n)] = pairs.get(words(row.n), 0) + 1
    if _demand(words(row.n)) > _demand(found.longest.get(row.kind, "")):
        found.longest[row.kind] = words(row.n)
    shown = [hit for hit in found.hits if hit.kind == row.kind]
    same = any((hit.document, hit.item) == (visible(row.document), visible(row.item)) for hit in shown)
    if len(shown) < SHOWN and not same:  # of several n, the same pair once
        found.hits.append(_hit(row))


def _hit(row: Context) -> Hit:
    return Hit(
        kind=row.kind,
        item=visible(row.item),
        document=visible(row.document),
        subset=visible(row.subset),
        n=words(row.n),
        shared=row.shared,
        run=visible(row.run or row.ngram),
        before=visible(row.before[-BEFORE:]),
        after=visible(row.after[:AFTER]),
        item_before=visible(row.item_before[-BEFORE:]),
        item_after=visible(row.item_after[:AFTER]),
        gold=row.gold,
        repeated=row.repeated,
    )


def words(n: Length) -> str:
    """`30 words`, or `whole` where the whole item stands in the document."""
    return "whole" if n == "full" else f"{n} words"


def _demand(word: str) -> int:
    return 10**9 if word == "whole" else int(word.partition(" ")[0] or 0)
