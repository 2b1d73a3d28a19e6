"""Generated theorems: true in the real prover, and never both trained on and asked."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import RecipeError
from llemma.corpus.sources import theorems
from llemma.corpus.sources.theorems import HEADER, different, made

NAMES = {*theorems._NUMBERS, *theorems._FUNCTIONS, *theorems._PROPOSITIONS, *theorems._BITS, *"lst"}


@given(st.integers(0, 5), st.integers(0, 5_000))
def test_a_theorem_follows_from_its_seed_and_ends_with_its_full_stop(seed: int, index: int) -> None:
    item = made(seed, index)
    assert item == made(seed, index)
    assert item.statement.startswith("Theorem ") and item.statement.endswith(".") and item.header.startswith(HEADER)
    assert item.steps and all(step.endswith(".") for step in item.steps)


def facts(seed: int, *, held_out: bool) -> set[str]:
    """What theorems say, whatever names they use."""
    found = set()
    for item in different(seed, 400, held_out=held_out):
        claim = (item.header + item.statement.partition(":")[2]).replace(HEADER, "")
        words = re.findall(r"[A-Za-z]+", claim)
        for number, name in enumerate(dict.fromkeys(word for word in words if word in NAMES)):
            claim = re.sub(rf"\b{name}\b", f"v{number}", claim)
        found.add(claim)
    return found


def test_training_and_held_out_theorems_never_meet() -> None:
    assert not facts(1, held_out=False) & facts(2, held_out=True)


def test_every_family_is_there_on_both_sides() -> None:
    for held_out in (False, True):
        families = Counter(item.id.rsplit("-", 1)[1] for item in different(3, 300, held_out=held_out))
        assert families.keys() == theorems._FAMILIES.keys()


def test_more_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theorems, "_FAMILIES", {"law": theorems._law})
    monkeypatch.setattr(theorems, "_PATIENCE", 2)
    with pytest.raises(RecipeError, match="different theorems"):
        list(different(1, 5_000))


@pytest.mark.skipif(shutil.which("coqc") is None, reason="Rocq is not installed (apt-get install coq)")
@pytest.mark.slow
def test_rocq_accepts_every_proof(tmp_path: Path) -> None:
    items = [*different(4, 120), *different(5, 60, held_out=True)]
    modules = [f"Module M{i}.\n{item.source().replace(HEADER, '')}End M{i}.\n" for i, item in enumerate(items)]
    (tmp_path / "all.v").write_text(HEADER + "".join(modules))
    done = subprocess.run(["coqc", "all.v"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
