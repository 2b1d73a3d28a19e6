from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "large_evaluation.py"
LIMIT = 2 * 1024  # MiB


def peaks(tmp_path: Path, *options: str) -> dict[str, float]:
    """Step -> its process's peak resident memory in MiB."""
    command = [sys.executable, str(BENCH), "--keep", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0]: float(row[1].replace(",", "")) for row in rows}


@pytest.mark.slow
def test_every_step_of_a_small_one_runs(tmp_path: Path) -> None:
    found = peaks(tmp_path, "--problems", "6", "--samples", "4")
    assert list(found) == ["evaluate", "rescore", "samples", "report", "compare"]
    assert all(0 < peak < LIMIT for peak in found.values())


@pytest.mark.slow
def test_a_thousand_problems_with_256_samples_stay_within_two_gibibytes(tmp_path: Path) -> None:
    found = peaks(tmp_path, "--steps", "evaluate,rescore,report")
    assert found["evaluate"] < LIMIT / 4 and found["rescore"] < LIMIT / 4 and found["report"] < LIMIT
