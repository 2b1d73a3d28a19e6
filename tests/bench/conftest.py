import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """The scripts of bench/ import one another by name, as Python does for a script's folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    yield
    for name in (
        "damage",
        "dress",
        "grader_sets",
        "grader_worker",
        "labelled",
        "perturbs",
        "reading",
        "rewrites",
        "rules",
    ):
        sys.modules.pop(name, None)
