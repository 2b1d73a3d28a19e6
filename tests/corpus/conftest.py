"""A console that keeps what is said, and a corpus section over a small folder."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from llemma.core.console import Console
from llemma.corpus.source import Context


@pytest.fixture
def console() -> Console:
    return Console(stream=io.StringIO())


@pytest.fixture
def context(tmp_path: Path, console: Console) -> Context:
    return Context(tmp_path / "cache", console)
