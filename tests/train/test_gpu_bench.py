"""The benchmark for a GPU runs in miniature where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "gpu_training.py"


@pytest.mark.slow
def test_the_miniature_measures_and_trains(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--tiny", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["peak"]["bf16"] > 1e8
    assert all(facts["tokens_per_second"] > 0 for facts in results["steps"].values()) and len(results["steps"]) >= 3
    assert (tmp_path / "results.md").read_text() in done.stdout
    base, after = (results["real"][phase]["validation"] for phase in ("base", "math"))
    assert base.keys() == after.keys() == {"general", "sums"} and after["sums"] < base["sums"]
    rows = (tmp_path / "curves.csv").read_text().splitlines()
    assert rows[0] == "phase,step,tokens,what,value" and any(row.startswith("math,") for row in rows)
