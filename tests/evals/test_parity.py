"""The same model, prompts and settings here and in lm-evaluation-harness: see bench/parity.py.

`LLEMMA_LM_EVAL=/path/to/python` names an interpreter that has `lm_eval[hf,math]`, where this one has it not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "benchmarks"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parity() -> Iterator[Any]:
    pytest.importorskip("transformers")
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        import parity

        yield parity
    finally:
        sys.path.remove(str(ROOT / "bench"))
        sys.modules.pop("parity", None)


@pytest.fixture(scope="module")
def found(parity: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    try:
        python = parity.interpreter()
    except LookupError as error:
        pytest.skip(f"{error}; LLEMMA_LM_EVAL names a Python that has it ({os.environ.get('LLEMMA_LM_EVAL')!r})")
    data = REAL if (REAL / "gsm8k" / "test.jsonl").is_file() else None
    return parity.run(tmp_path_factory.mktemp("parity"), python, ("hf", "run"), data, 8)


def test_greedy_completions_are_identical(found: Any) -> None:
    for name, side in found.items():
        assert side.identical == side.asked, name
    # and they are no noise: the model says what it has learnt, and ends at the stop strings
    assert found["hf: own"].ended == found["hf: own"].asked == 20


def test_verdicts_differ_only_where_ours_is_right(found: Any) -> None:
    for name in ("hf: own", "run: own"):
        differences = found[name].differences
        assert all(each.ours == each.truth for each in differences), name
        assert len(differences) >= 5  # the shapes were chosen so that the harness misses some


def test_on_real_problems_the_tiny_model_is_wrong_for_both(found: Any) -> None:
    if "hf: real" not in found:
        pytest.skip(f"no GSM8K and MATH in {REAL}")
    assert found["hf: real"].asked == 16 and not found["hf: real"].differences
