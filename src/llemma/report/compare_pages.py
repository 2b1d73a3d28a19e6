"""The pages of a comparison: the table of all models, what flipped against the first, and every problem."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from llemma.core.errors import UsageError
from llemma.core.files import replacing, write_json
from llemma.report import compare, explorer, pages, paper, sheets
from llemma.report.changes import kind
from llemma.report.templating import page

Flips = list[tuple[str, list[compare.Flip]]]


class Line(msgspec.Struct, frozen=True):
    """A task and metric under all models: values, and the pair of each but the first with the first."""

    task: str
    metric: str
    values: list[float | None]
    pairs: list[compare.Pair | None]


def build(folders: Sequence[Path], out: Path) -> tuple[list[compare.Comparison], Path]:
    """Write the pages that compare the evaluations in `folders`; see `llemma.report.build_comparisons`."""
    if not 2 <= len(folders) <= len(string.ascii_uppercase):
        raise UsageError(f"cannot compare {len(folders)} folders", mend="name two to 26 evaluations or runs")
    sides = [compare.evaluation(folder) for folder in folders]
    marks = string.ascii_uppercase[: len(sides)]
    found = [compare.compare(sides[0], other, f"A{mark}") for mark, other in zip(marks[1:], sides[1:], strict=True)]
    pages.check_target(out)
    named = [msgspec.structs.replace(one, name=f"{mark}: {one.name}") for mark, one in zip(marks, sides, strict=True)]
    common = set.intersection(*({task.task for task in side.facts.tasks} for side in sides))
    tabular = [
        sheets.of_comparison(one, f"A{mark}", f"compare-{mark}") for one, mark in zip(found, marks[1:], strict=True)
    ]
    with replacing(out) as folder:
        folder.mkdir()
        pages.assets(folder, (*pages.ASSETS, *pages.EXPLORER))
        problems = explorer.write(named, folder, common)
        paper.write(tabular, folder / "tables")
        title = " and ".join(one.name for one in sides)
        context = {"run": {"name": title}, "home": "", "ledger": {}, "problems": problems, "theorems": False}
        context |= {"trained": False, "fed": False, "studies": [], "sheets": paper.named(tabular)}
        compared = [(mark, one, _sections(one)) for mark, one in zip(marks[1:], found, strict=True)]
        models = [(mark, one.name, one.facts.model) for mark, one in zip(marks, sides, strict=True)]
        lines = list(_lines(found))
        page(folder, "compare.html", "index.html", compared=compared, models=models, lines=lines, **context)
        page(folder, "samples.html", "samples.html", **context)
        write_json(folder / pages.MARK, pages.Mark("llemma", [one.name for one in sides]))
    return found, out / "index.html"


def _sections(found: compare.Comparison) -> list[tuple[str, list[compare.Pair], Flips]]:
    """Task by task: the pairs, and the flips by reading."""
    tasks = dict.fromkeys(pair.task for pair in found.pairs)
    return [
        (
            task,
            [pair for pair in found.pairs if pair.task == task],
            [
                (kind, flips)
                for kind in compare.KINDS
                if (flips := [flip for flip in found.flips if (flip.task, flip.kind) == (task, kind)])
            ],
        )
        for task in tasks
    ]


def _lines(found: Sequence[compare.Comparison]) -> Iterator[Line]:
    """The table of all, whole tasks only; a task that one of them lacks has a gap."""
    whole = [{(p.task, kind(p.metrics[0])): p for p in one.pairs if not p.by} for one in found]
    for key in dict.fromkeys(key for pairs in whole for key in pairs):
        pairs = [one.get(key) for one in whole]
        first = next(pair for pair in pairs if pair is not None)
        values = [first.a, *(pair.b if pair else None for pair in pairs)]
        yield Line(key[0], first.metric, values, pairs)
