"""What a build will take is told from a sample, and nothing is left of the sample."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llemma.core.console import Console
from llemma.core.registry import load_plugin
from llemma.corpus import layout
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.estimate import Estimate, estimate, estimate_text
from llemma.corpus.sample import picked, unit_weights
from llemma.corpus.source import Unit


def told(section: CorpusConfig, tmp_path: Path, **options: Any) -> Estimate:
    return estimate(section, cache=tmp_path / "cache", console=Console(quiet=True), **options)


@pytest.mark.slow
def test_inputs_that_are_read_whole_are_told_as_the_build_finds_them(small: Any, tmp_path: Path) -> None:
    small.run(small.config(), tmp_path / "out", protected=[])
    found = told(small.config(), tmp_path, seconds=20)
    stats = layout.read_stats(tmp_path / "out")
    for source in found.sources:
        real = stats.sources[source.source]
        copies = sum(count for step, some in real.dropped.items() if "duplicate" in step for count in some.values())
        assert (source.share, source.units, source.documents) == (1.0, real.units, real.kept.docs + copies)
        assert source.text >= real.kept.bytes > 0
    assert found.corpus == pytest.approx(sum(shard.bytes for shard in stats.shards.values()), rel=0.05)
    staged = sum(path.stat().st_size for path in (tmp_path / "out/.staging/units").rglob("*") if path.is_file())
    assert found.staging == pytest.approx(staged, rel=0.01)
    assert found.memory > 100e6 and found.seconds > 0 and not found.unknown
    assert "code" in estimate_text(found) and json.loads(msgspec.json.encode(found))["workers"] == 1


@pytest.mark.slow
def test_a_large_file_is_extrapolated_by_the_bytes_that_were_read(small: Any, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(2_000):
        (folder / f"{number:04d}.txt").write_text(f"{number} " + "a word and others " * 150)
    (tmp_path / "pause.py").write_text(
        "import time\nfrom llemma.core.registry import register\n"
        "register('step', 'pause', lambda document: time.sleep(0.002) or document)\n"
    )
    load_plugin(tmp_path / "pause.py")
    section = CorpusConfig({"l": SourceConfig("folder", "text", ["pause"], {"inputs": [str(folder)]})})
    (source,) = told(section, tmp_path, seconds=1.5).sources
    assert 0.02 < source.share < 0.9
    assert source.documents == pytest.approx(2_000, rel=0.15)
    assert source.seconds > 2_000 * 0.002
    assert source.bytes == pytest.approx(sum(file.stat().st_size for file in folder.iterdir()), rel=0.01)


@pytest.mark.slow
def test_units_that_are_no_files_are_counted(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        "import time, msgspec\nfrom llemma.core.registry import register\n"
        "from llemma.core.types import Document\nfrom llemma.corpus.source import Unit\n"
        "class Made(msgspec.Struct, frozen=True):\n    pause: float\n"
        "    def units(self, context):\n        return [Unit(str(n), str(n), str(n)) for n in range(10)]\n"
        "    def read(self, unit, source):\n"
        "        for n in range(100):\n            time.sleep(self.pause)\n"
        "            yield Document(f'{unit.name}/{n}', f'text {n} of {unit.name}', source)\n"
        "register('source', 'made', Made)\n"
    )
    load_plugin(tmp_path / "made.py")
    sources = {
        "fast": SourceConfig("made", "a", [], {"pause": 0.002}),
        "slow": SourceConfig("made", "b", [], {"pause": 1.0}),
    }
    fast, slow = told(CorpusConfig(sources), tmp_path, seconds=1.6).sources
    assert 0.1 < fast.share < 1 and fast.documents == pytest.approx(1000, rel=0.1) and not fast.note
    assert slow.note.startswith("at least") and slow.documents < 100


@pytest.mark.slow
def test_what_is_not_there_or_does_not_end_is_said_in_time(small: Any, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "import time, msgspec\nfrom llemma.core.registry import register\n"
        "class Endless(msgspec.Struct, frozen=True):\n"
        "    def units(self, context):\n        time.sleep(1000)\n"
        "register('source', 'endless', Endless)\n"
    )
    load_plugin(tmp_path / "endless.py")
    sources = {
        "absent": SourceConfig("folder", "a", [], {"inputs": [str(tmp_path / "none")]}),
        "endless": SourceConfig("endless", "b"),
        "pypi": SourceConfig("pypi", "c", [], {"packages": ["no-such-package==1.0"]}),
        "prose": small.config().sources["prose"],
    }
    started = time.monotonic()
    found = told(CorpusConfig(sources), tmp_path, seconds=2)
    assert time.monotonic() - started < 25
    assert found.unknown == ["absent", "endless", "pypi"]
    notes = {source.source: source.note for source in found.sources}
    assert notes["absent"].startswith("no such file") and "time" in notes["endless"] and not notes["prose"]
    assert not (tmp_path / "cache").exists()
    assert "without absent, endless, pypi" in estimate_text(found)


def test_of_many_large_inputs_some_are_looked_at(tmp_path: Path) -> None:
    for number in range(10):
        with open(tmp_path / f"{number}.tar", "wb") as file:
            file.truncate(100_000_000)
    config = SourceConfig("archive", "a", [], {"inputs": [f"{tmp_path}/*.tar"]})
    some, part = picked(config)
    assert len(some.options["inputs"]) == 3 and part.share == pytest.approx(0.3) and part.bytes == 1_000_000_000
    assert picked(msgspec.structs.replace(config, options={"inputs": [f"{tmp_path}/1.tar"]}))[1].share == 1


def test_units_weigh_what_is_wanted_of_them(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a").write_bytes(b"x" * 900)
    (tmp_path / "b").write_bytes(b"x" * 100)
    units = [Unit("f", str(tmp_path / "f"), ""), Unit("b", str(tmp_path / "b"), "")]
    assert unit_weights(units, 0) == ([900, 100], True)
    assert unit_weights(units, 500) == ([450, 50], True)
    assert unit_weights([*units, Unit("s", "17", "")], 500) == ([1, 1, 1], False)
