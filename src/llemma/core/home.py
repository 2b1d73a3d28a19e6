"""Where the toolkit keeps what outlives a run."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """`LLEMMA_HOME`, else `$XDG_CACHE_HOME/llemma`, else `~/.cache/llemma`."""
    given = os.environ.get("LLEMMA_HOME")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llemma"


def cache_folder() -> Path:
    """Fetched inputs: source distributions and the like. Safe to delete; everything in it is fetched again."""
    return home_folder() / "cache"


def runs_folder() -> Path:
    """Where new runs go: `LLEMMA_RUNS`, else `runs/` in the working directory."""
    return Path(os.environ.get("LLEMMA_RUNS") or "runs")
