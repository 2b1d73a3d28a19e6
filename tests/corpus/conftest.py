"""A console that keeps what is said, and a corpus section over a small folder."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llemma.core import registry
from llemma.core.console import Console
from llemma.corpus.source import Context


@pytest.fixture
def console() -> Console:
    return Console(stream=io.StringIO())


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test registers."""
    monkeypatch.setattr(registry, "_TABLES", {kind: dict(table) for kind, table in registry._TABLES.items()})
    yield
    for name in [name for name in sys.modules if name.startswith("llemma_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def context(tmp_path: Path, console: Console) -> Context:
    return Context(tmp_path / "cache", console)
