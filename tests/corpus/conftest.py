"""A console that keeps what is said, and a corpus small enough to be built in a blink."""

from __future__ import annotations

import hashlib
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llemma.core import registry
from llemma.core.console import Console
from llemma.core.types import Problem
from llemma.corpus import layout
from llemma.corpus.build import build
from llemma.corpus.config import CorpusConfig, SourceConfig
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


PROBLEM = Problem("p1", "t", " ".join(f"token{number}" for number in range(40)), "42")


def make_inputs(root: Path) -> None:
    """Four folders of Python files and two of prose, with copies, a leaked problem, and files of no use."""
    rng = random.Random(0)
    for folder in ("a", "b", "c", "d", "prose", "more"):
        (root / folder).mkdir(parents=True)
        for number in range(40):
            ending = "txt" if folder in ("prose", "more") else "py"
            words = " ".join(f"w{rng.randrange(3_000)}" for _ in range(150))
            (root / folder / f"f{number:02d}.{ending}").write_text(f"# {folder} {number}\n{words}\n")
    original = (root / "a/f00.py").read_text()
    (root / "b/exact.py").write_text(original.replace(" ", "  "))
    (root / "c/near.py").write_text(original + "and more\n")
    (root / "d/leak.py").write_text("# tests\n" + PROBLEM.text + "\n")
    (root / "d/empty.py").write_text(" \n")
    (root / "d/binary.py").write_bytes(b"\xff\xfe")


class Small:
    """A corpus small enough to be built in a blink."""

    def __init__(self, inputs: Path) -> None:
        self.inputs, self.problem = inputs, PROBLEM

    def config(self, **changes: Any) -> CorpusConfig:
        """A section with three sources in two subsets."""
        sources = {
            "code": SourceConfig(
                "folder", "code", ["not-empty", "size"], {"inputs": [f"{self.inputs}/[a-d]"]}, test=0.2
            ),
            "prose": SourceConfig("folder", "text", ["not-empty"], {"inputs": [f"{self.inputs}/prose"]}),
            "more": SourceConfig("folder", "text", [], {"inputs": [f"{self.inputs}/more"]}, keep=0.5),
        }
        return CorpusConfig(
            **{"sources": sources, "validation": 0.1, "test": 0.1, "workers": 1, "shard_bytes": 40_000, **changes}
        )

    def run(self, section: CorpusConfig, out: Path, **options: Any) -> tuple[layout.CorpusStats, str]:
        """Build it; the statistics, and what was said meanwhile."""
        console = Console(stream=io.StringIO())
        options = {"cache": out.parent / "cache", "protected": [PROBLEM], "console": console, **options}
        stats = build(section, out, **options)
        return stats, console.stream.getvalue()  # type: ignore[attr-defined]

    def tree(self, out: Path) -> dict[str, str]:
        """Digest of every file but those kept for a rebuild."""
        files = [path for path in out.rglob("*") if path.is_file() and layout.STAGING not in path.parts]
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def small(tmp_path: Path) -> Small:
    make_inputs(tmp_path / "inputs")
    return Small(tmp_path / "inputs")
