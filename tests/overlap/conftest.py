"""A small corpus, items, and an evaluation folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.core import jsonl
from llemma.core.types import Completion, Problem, Verdict

TALE = "the quick brown fox jumps over the lazy dog and runs home to sleep until the morning comes again"


def tale(start: int, stop: int) -> str:
    """Some words of the tale."""
    return " ".join(TALE.split()[start:stop])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two subsets in three shards, as a corpus build leaves them, with its ledger."""
    root = tmp_path / "corpus"
    rows = {
        "web/train/00000.jsonl.zst": [("w0", f"Once {tale(0, 12)} it was"), ("w1", "nothing of the kind")],
        "web/train/00001.jsonl.zst": [("w2", f"so {tale(0, 19)} the end so they say it all")],
        "code/validation/00000.jsonl.zst": [("c0", f"# {tale(3, 15)}\npass")],
        "dropped/web.jsonl.zst": [("x", tale(0, 19))],
    }
    for name, documents in rows.items():
        jsonl.write(root / name, [{"text": text, "meta": {"id": id, "source": "s"}} for id, text in documents])
    return root


@pytest.fixture
def items(tmp_path: Path) -> Path:
    """Three items, one of them too short for ten words."""
    path = tmp_path / "items.jsonl"
    rows = [{"id": "a", "text": tale(0, 12)}, {"id": 7, "text": tale(4, 15)}, {"id": "short", "text": tale(0, 5)}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An evaluation of four problems: the two of level 1 share words with the corpus."""
    folder = tmp_path / "eval"
    texts = {"p0": (tale(0, 11), "1"), "p1": (tale(2, 14), "1"), "p2": ("one two three " * 4, "2"), "p3": ("four", "2")}
    problems = [
        Problem(id, "t", text, "until the", {"level": level, "solution": tale(5, 17)})
        for id, (text, level) in texts.items()
    ]
    jsonl.write(folder / "problems.jsonl.zst", problems)
    completions = [Completion(f"{id}#greedy", 0, f"well {tale(9, 19)} yes") for id in texts]
    jsonl.write(folder / "completions.jsonl.zst", completions)
    right = {"p0", "p1", "p2"}
    verdicts = [Verdict(f"{id}#greedy", 0, "right" if id in right else "wrong", "x", "y", "") for id in texts]
    jsonl.write(folder / "verdicts.jsonl.zst", verdicts)
    return folder
