"""Deduplicated files: kept rows as they were, every dropped row named with a keeper that was kept."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import BusyError, DataError, UsageError
from llemma.corpus.dedup_files import Counts, dedup_files

QUIET = Console(quiet=True, stream=StringIO())
WORDS = [f"w{i}" for i in range(5000)]


def text(seed: int, words: int = 200) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def edited(seed: int, edits: int) -> str:
    words, rng = text(seed).split(), random.Random(-seed)
    for _ in range(edits):
        words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def test_copies_go_and_rows_stay_as_they_were(tmp_path: Path) -> None:
    first = [{"id": i, "text": text(i), "more": {"x": [i, "é"]}} for i in range(30)]
    second = [
        *({"id": f"near-{i}", "text": edited(i, 1)} for i in range(10)),
        *({"id": f"exact-{i}", "text": "  " + text(i).replace(" ", "\n")} for i in range(10, 20)),
        *({"id": f"own-{i}", "text": text(100 + i)} for i in range(10)),
        {"id": "short", "text": "three words only"},
        {"id": "empty", "text": ""},
    ]
    jsonl.write(tmp_path / "a.jsonl", first)
    jsonl.write(tmp_path / "b.jsonl.zst", second)
    counts = dedup_files(
        [tmp_path / "a.jsonl", tmp_path / "b.jsonl.zst"], tmp_path / "out", threshold=0.8, console=QUIET
    )
    assert counts == Counts(rows=62, kept=42, exact=10, near=10)
    kept = [row for name in ("a.jsonl", "b.jsonl.zst") for row in jsonl.read(tmp_path / "out" / name, dict[str, Any])]
    assert kept == [*first, *second[20:]]
    clusters = {row["id"]: row for row in jsonl.read(tmp_path / "out" / "clusters.jsonl", dict[str, Any])}
    assert {name: row["keeper"] for name, row in clusters.items()} == {
        **{f"near-{i}": i for i in range(10)},
        **{f"exact-{i}": i for i in range(10, 20)},
    }
    assert all(row["similarity"] >= 0.8 for row in clusters.values())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jsonl", "b.jsonl.zst", "clusters.jsonl"]


def test_the_threshold_decides(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "a.jsonl", [{"id": 1, "text": text(1)}, {"id": 2, "text": edited(1, 2)}])
    kept = {
        value: dedup_files([tmp_path / "a.jsonl"], tmp_path / str(value), threshold=value, console=QUIET).kept
        for value in (0.8, 0.99)
    }
    assert kept == {0.8: 1, 0.99: 2}


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1, "text": "x"}) + "\n" + json.dumps({"id": 2}) + "\n")
    with pytest.raises(DataError) as caught:
        dedup_files([tmp_path / "a.jsonl"], tmp_path / "out", threshold=0.8, console=QUIET)
    assert caught.value.where.endswith("a.jsonl line 2") and "{id, text" in caught.value.mend
    with pytest.raises(UsageError, match="same name"):
        dedup_files([tmp_path / "a.jsonl", tmp_path / "x" / "a.jsonl"], tmp_path / "out", threshold=0.8, console=QUIET)
    with pytest.raises(UsageError, match="holds an input"):
        dedup_files([tmp_path / "a.jsonl"], tmp_path, threshold=0.8, console=QUIET)
    jsonl.write(tmp_path / "none.jsonl", [])
    assert dedup_files([tmp_path / "none.jsonl"], tmp_path / "o2", threshold=0.8, console=QUIET).rows == 0


def test_what_a_killed_run_left_goes_and_two_runs_do_not_mix(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "a.jsonl", [{"id": 1, "text": text(1)}])
    out = tmp_path / "out"
    (out / ".scratch-dead").mkdir(parents=True)
    (out / ".clusters.jsonl.0a1b2c3d.tmp").write_text("{")
    folder = os.open(out, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(BusyError):
        dedup_files([tmp_path / "a.jsonl"], out, threshold=0.8, console=QUIET)
    os.close(folder)
    dedup_files([tmp_path / "a.jsonl"], out, threshold=0.8, console=QUIET)
    assert sorted(path.name for path in out.iterdir()) == ["a.jsonl", "clusters.jsonl"]


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_an_interrupted_run_says_130_and_a_rerun_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"id": number, "text": text(number % 1500)} for number in range(3000)]
    jsonl.write(tmp_path / "a.jsonl", rows)
    whole, out = tmp_path / "whole", tmp_path / "out"
    dedup_files([tmp_path / "a.jsonl"], whole, threshold=0.8, console=QUIET)
    command = [sys.executable, "-m", "llemma", "corpus", "dedup", str(tmp_path / "a.jsonl"), "--out", str(out), "-q"]
    started = subprocess.Popen(
        command,
        start_new_session=True,
        # a shell's background job ignores the signal, and would hand that on
        preexec_fn=_interruptible,
    )
    deadline = time.monotonic() + 30
    while not list(out.glob(".scratch-*/words")) and time.monotonic() < deadline:
        time.sleep(0.002)
    started.send_signal(signal.SIGINT)
    assert started.wait(30) == 130
    assert not list(out.glob(".*"))
    assert subprocess.run(command, check=False).returncode == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in whole.iterdir()}
