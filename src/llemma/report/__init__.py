"""Reports: run folders in, a folder of offline pages out. `build` loads its heavy parts only when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llemma.report.compare import Comparison


def build(runs: Sequence[Path], out: Path, every_published: bool = False) -> Path:
    """Write the report of `runs` into the folder `out` and return its `index.html`.

    A folder that is no report and not empty is refused (UsageError), a run that does not exist is a MissingError.
    Parts that a run does not have yet are named on the page. Equal runs give equal bytes. The published figures stand
    beside those of the paper's models, with `every_published` beside those of any model.
    """
    from llemma.report.pages import build as build_pages

    return build_pages(runs, out, every_published)


def build_comparison(a: Path, b: Path, out: Path) -> tuple[Comparison, Path]:
    """Compare the evaluations in the folders `a` and `b`, or the last ones of these runs, problem by problem.

    Writes pages with every problem that flipped into the folder `out`; returns what was found and the `index.html`.
    Evaluations without common tasks, or with other problems or gold answers, are refused (DataError).
    """
    (found,), page = build_comparisons([a, b], out)
    return found, page


def build_comparisons(folders: Sequence[Path], out: Path) -> tuple[list[Comparison], Path]:
    """The same of two or more folders: each but the first is compared with the first, and the pages show all together.

    Two to 26 folders, else a UsageError.
    """
    from llemma.report.compare_pages import build as build_pages

    return build_pages(folders, out)
