"""Reports: run folders in, a folder of offline pages out. `build` loads its heavy parts only when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def build(runs: Sequence[Path], out: Path) -> Path:
    """Write the report of `runs` into the folder `out` and return its `index.html`.

    A folder that is no report and not empty is refused (UsageError), a run that does not exist is a MissingError.
    Parts that a run does not have yet are named on the page. Equal runs give equal bytes.
    """
    from llemma.report.pages import build as build_pages

    return build_pages(runs, out)
