"""A sandbox for each test module, and a skip with the reason where this machine cannot have one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llemma.core.errors import MissingError
from llemma.tools import Sandbox, SandboxConfig


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """Full isolation, two workers."""
    sandbox = Sandbox(SandboxConfig(timeout=5.0, workers=2))
    try:
        sandbox.open()
    except MissingError as error:
        pytest.skip(str(error))
    yield sandbox
    sandbox.close()
