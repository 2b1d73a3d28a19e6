"""Units read on a Ray cluster: the bytes of a local build, whatever dies meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.registry import load_plugin
from llemma.corpus import layout
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.ray_executor import Failure, error_of, failure_of


@pytest.mark.parametrize(
    "error",
    [DataError("rotten", where="here", mend="throw it away"), MissingError("no telescope"), LlemmaError("plain")],
)
def test_our_errors_travel_as_text_and_are_what_they_were(error: LlemmaError) -> None:
    back = error_of(msgspec.json.decode(msgspec.json.encode(failure_of(error)), type=Failure))
    assert type(back) is type(error) and str(back) == str(error)


def test_other_errors_are_quoted_and_never_made_again() -> None:
    back = error_of(failure_of(OSError(errno.ENOSPC, "No space left on device")))
    assert isinstance(back, OSError) and back.errno == errno.ENOSPC
    back = error_of(failure_of(ValueError("half \ud800")))
    assert type(back) is LlemmaError and back.what == "ValueError: half ?"
    for name in ("suggest", "Iterable", "system"):  # names that the module of errors has or has not, but no errors
        assert type(error_of(Failure(name, "x"))) is LlemmaError


def test_without_ray_it_says_how_to_add_it(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError) as caught:
        small.run(small.config(executor="ray"), tmp_path / "out")
    assert "llemma[ray]" in caught.value.mend


PLUGIN = """
import os, signal, time
from pathlib import Path
from llemma.core.errors import DataError
from llemma.core.registry import register
from llemma.core.types import Document
import msgspec
from llemma.corpus.source import Unit

class Scripted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    deeds: dict[str, str]
    folder: str

    def units(self, context):
        return [Unit(str(number), "", str(number)) for number in range(6)]

    def read(self, unit, source):
        for number in range(20):
            yield Document(f"{unit.name}/{number}", f"text {number} of {unit.name}, loud", source)
            deed = self.deeds.get(unit.name, "")
            if deed == "die once" and not (Path(self.folder) / "died").exists():
                (Path(self.folder) / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if deed == "die":
                with open(Path(self.folder) / "deaths", "a") as file:
                    file.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
            if deed == "fail":
                raise DataError("rotten")
            if deed == "slow":
                time.sleep(0.1)

register("source", "scripted", Scripted)
"""


class Scripts:
    """Builds of a source that does what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.plugin = folder, folder / "scripted.py"
        self.plugin.write_text(PLUGIN)
        load_plugin(self.plugin)

    def section(self, executor: str, **deeds: str) -> CorpusConfig:
        options = {"deeds": {name.strip("_"): deed for name, deed in deeds.items()}, "folder": str(self.folder)}
        return CorpusConfig({"s": SourceConfig("scripted", "text", [], options)}, executor=executor, workers=2)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripts]:
    pytest.importorskip("ray", reason="ray is not installed (extra 'ray')")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield Scripts(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_the_bytes_are_those_of_a_local_build(
    scripts: Scripts, small: Any, tmp_path: Path
) -> None:
    section = scripts.section("ray", _2="die once")
    small.run(section, tmp_path / "out")
    assert (tmp_path / "died").exists()
    small.run(msgspec.structs.replace(section, executor="local", workers=1), tmp_path / "calm")
    assert small.tree(tmp_path / "out") == small.tree(tmp_path / "calm")
    assert len(list(layout.read_split(tmp_path / "out", "text", "train"))) > 100


@pytest.mark.slow
def test_errors_of_units_are_told_after_the_others_are_done(scripts: Scripts, small: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rotten") as caught:
        small.run(scripts.section("ray", _1="fail", _4="die"), tmp_path / "out")
    assert caught.value.where == "source s, unit 1"
    assert (tmp_path / "deaths").read_text() == "xxx"
    assert len(list((tmp_path / "out/.staging/units").glob("[!.]*"))) == 4
    with pytest.raises(LlemmaError, match="the worker died 3 times") as caught:
        small.run(scripts.section("ray", _4="die"), tmp_path / "out", only=["s"])
    assert caught.value.where == "source s, unit 4"


SCRIPT = """
import sys
from pathlib import Path
import msgspec
from llemma.core.console import Console
from llemma.core.registry import load_plugin
from llemma.corpus.build import build
from llemma.corpus.config import CorpusConfig

load_plugin(Path(sys.argv[1]))
section = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=CorpusConfig)
build(section, Path(sys.argv[3]), cache=Path("none"), console=Console())
"""


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_stopped_leaves_no_process_and_goes_on(
    blow: signal.Signals, scripts: Scripts, small: Any, tmp_path: Path
) -> None:
    section, out = scripts.section("ray", _0="slow", _3="slow"), tmp_path / "out"
    (tmp_path / "build.py").write_text(SCRIPT)
    (tmp_path / "section.json").write_bytes(msgspec.json.encode(section))
    arguments = [sys.executable, *(str(tmp_path / name) for name in ("build.py", "scripted.py", "section.json"))]
    place = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: Ray's sockets lie below it
    environment = {**os.environ, "TMPDIR": str(place)}
    process = subprocess.Popen([*arguments, str(out)], stderr=subprocess.DEVNULL, env=environment)
    while not list(out.glob(".staging/units/[!.]*")):
        assert process.poll() is None
        time.sleep(0.01)
    mine = relatives(process.pid)
    process.send_signal(blow)
    assert process.wait(30) != 0
    deadline = time.monotonic() + 40
    while left := {pid: name for pid in mine if (name := alive(pid)) and not ends_by_itself(name, blow)}:
        assert time.monotonic() < deadline, f"processes outlive the build: {left}"
        time.sleep(0.1)
    assert blow == signal.SIGKILL or not list(place.iterdir())
    shutil.rmtree(place, ignore_errors=True)
    small.run(msgspec.structs.replace(section, executor="local"), out, protected=[])
    small.run(msgspec.structs.replace(section, executor="local"), tmp_path / "calm", protected=[])
    assert small.tree(out) == small.tree(tmp_path / "calm")
    assert not list(out.glob(".staging/units/.*.tmp"))


def alive(pid: int) -> str:
    """The command line of a living process."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return "" if state == "Z" else Path(f"/proc/{pid}/cmdline").read_text() or "?"
    except OSError:
        return ""


def ends_by_itself(name: str, blow: signal.Signals) -> bool:
    """Two idle helpers of Ray notice after a minute that all others are gone."""
    return blow == signal.SIGKILL and name.startswith(("ray::DashboardAgent", "ray::RuntimeEnvAgent"))


def relatives(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
        except (OSError, IndexError):
            continue
    found, waiting = {pid}, [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found.update(children)
        waiting += children
    return found - {os.getpid()}


def test_a_cluster_that_is_not_there(scripts: Scripts, small: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(MissingError, match="no Ray cluster answers at 127"):
        small.run(scripts.section("ray"), tmp_path / "out")
