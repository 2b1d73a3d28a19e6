"""A prover for each module, and a skip with the reason where this machine has no Rocq."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llemma.core.errors import MissingError
from llemma.prove.config import ProverConfig
from llemma.prove.prover import open_prover
from llemma.prove.rocq import Rocq
from llemma.tools.coqidetop import Coqidetop


@pytest.fixture(scope="module")
def rocq() -> Iterator[Rocq]:
    """A worker with the default settings but little memory."""
    try:
        Coqidetop().close()
        prover = open_prover("rocq", ProverConfig(memory_mb=2000))
    except MissingError as error:
        pytest.skip(str(error))
    assert isinstance(prover, Rocq)
    yield prover
    prover.close()
