"""The global pass over staged units: copies go, splits are drawn, shards and the ledger are written.

First all that keeps documents out is found and written to files (`decide`), then every shard and every ledger is
written by itself (`shards`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from llemma.core.console import Console
from llemma.core.files import disk_error, write_bytes, write_json
from llemma.corpus import layout
from llemma.corpus.card import card
from llemma.corpus.config import CorpusConfig
from llemma.corpus.decide import StagedSource, decide
from llemma.corpus.layout import CorpusStats
from llemma.corpus.shards import write


def merge(
    sources: Sequence[StagedSource], config: CorpusConfig, out: Path, console: Console, workers: int = 1
) -> CorpusStats:
    """Write the corpus of the staged units into `out`; the old one stays readable until the new one is whole."""
    fresh, scratch = (out / layout.STAGING / name for name in ("corpus.tmp", "merge.tmp"))
    for folder in (fresh, scratch):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        decide(sources, config, scratch, console, workers)
        stats = write(sources, config, scratch, fresh, console, workers)
        _move(fresh, out, stats)
    except OSError as error:
        raise disk_error(error, out) from error
    finally:
        for folder in (fresh, scratch):
            shutil.rmtree(folder, ignore_errors=True)
    write_bytes(out / layout.CARD, card(stats, config).encode())
    write_json(out / layout.STATS, stats)
    return stats


def _move(fresh: Path, out: Path, stats: CorpusStats) -> None:
    """Put the new folders in place of the old; without `stats.json` a folder between the two is no corpus."""
    old = set(layout.subsets(out)) if (out / layout.STATS).is_file() else set()
    (out / layout.STATS).unlink(missing_ok=True)
    for name in sorted({*old, *stats.subsets, layout.DROPPED}):
        shutil.rmtree(out / name, ignore_errors=True)
        if (fresh / name).exists():
            (fresh / name).rename(out / name)
