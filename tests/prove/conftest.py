"""The toy prover, and theorems for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llemma.core.registry import load_plugin
from llemma.prove.theorem import Theorem

PLUGIN = Path(__file__).parent / "toy.py"


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """The module of the toy prover, registered."""
    import sys

    load_plugin(PLUGIN)
    return sys.modules["llemma_plugin_toy"]


@pytest.fixture(scope="session")
def theorem() -> Callable[..., Theorem]:
    """A toy theorem: `theorem("t1", graph, weights={...}, refused=[...])`."""

    def make(name: str, graph: dict[str, dict[str, str]], header: str = "", **facts: Any) -> Theorem:
        return Theorem(name, header, json.dumps({"graph": graph, **facts}))

    return make
