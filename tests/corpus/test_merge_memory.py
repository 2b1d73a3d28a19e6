"""The global pass takes the memory it is given, however many documents there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "corpus.py"


def peak(documents: int) -> float:
    """Bytes that a process held at most while it merged so many staged documents, 8 MB of them for its tables."""
    command = [sys.executable, str(BENCH), "one", str(documents), "8000000"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.split()[0])


@pytest.mark.slow
def test_four_times_the_documents_take_no_more_memory() -> None:
    few, many = 60_000, 240_000
    # a document's columns and its keys in the exchange are 1,000 bytes together: 180 MB more
    assert peak(many) - peak(few) < 15e6
