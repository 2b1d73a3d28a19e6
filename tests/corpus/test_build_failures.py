"""A build survives what befalls it: failing sources, dead workers, full disks, kills at any moment."""

from __future__ import annotations

import fcntl
import inspect
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llemma.core import registry
from llemma.core.errors import BusyError, DataError, LlemmaError, MissingError
from llemma.core.types import Document, Problem
from llemma.corpus import executors, layout, staging
from llemma.corpus.check import EXECUTORS
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.source import Context, Unit


class Failing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source whose second unit fails in the given way."""

    how: str

    def units(self, context: Context) -> list[Unit]:
        if self.how == "missing":
            raise MissingError("no telescope", mend="buy one")
        return [Unit(str(number), "", str(number)) for number in range(3)]

    def read(self, unit: Unit, source: str) -> Any:
        if unit.name == "1":
            raise DataError("rotten", where="here") if self.how == "data" else ZeroDivisionError("oh")
        yield Document(unit.name, f"the only text of {unit.name}", source)


def failing(small: Any, how: str, optional: bool = False) -> CorpusConfig:
    registry.register("source", "test-failing", Failing)
    sources = {
        **small.config().sources,
        "bad": SourceConfig("test-failing", "bad", [], {"how": how}, optional=optional),
    }
    return small.config(sources=sources)


@pytest.mark.parametrize(("how", "error"), [("data", DataError), ("crash", LlemmaError), ("missing", MissingError)])
def test_a_failing_source_is_an_error_and_loses_nothing(
    how: str, error: type[LlemmaError], small: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    small.run(small.config(), out)
    before = small.tree(out)
    with pytest.raises(error) as caught:
        small.run(failing(small, how), out)
    assert how != "crash" or (
        "ZeroDivisionError: oh" in caught.value.what and "source bad, unit 1" in caught.value.where
    )
    assert small.tree(out) == before
    if how != "missing":
        assert len(list((out / ".staging/units").iterdir())) == 6 + 2  # the other units of the source are kept


def test_an_optional_source_is_left_out_with_a_warning(small: Any, tmp_path: Path) -> None:
    stats, said = small.run(failing(small, "missing", optional=True), tmp_path / "out")
    assert "warning: source bad is left out: no telescope (to add it: buy one)" in said
    assert stats.sources["bad"].skipped == "no telescope (to add it: buy one)"
    assert "Left out: no telescope" in (tmp_path / "out/README.md").read_text()
    assert stats.sources["code"].kept.docs == 160


def test_names_and_texts_of_any_bytes(small: Any, tmp_path: Path) -> None:
    (small.inputs / "prose" / os.fsdecode(b"n\xffme.txt")).write_text("a text under an odd name")
    (small.inputs / "prose" / os.fsdecode(b"b\xffd.txt")).write_bytes(b"\xff")
    registry.register("step", "half", lambda document: msgspec.structs.replace(document, text=document.text + "\ud800"))
    sources = {
        "prose": SourceConfig("folder", "text", [], {"inputs": [f"{small.inputs}/prose"]}),
        "half": SourceConfig("folder", "text", ["half"], {"inputs": [f"{small.inputs}/more"]}),
    }
    stats, said = small.run(small.config(sources=sources), tmp_path / "out")
    assert stats.sources["prose"].kept.docs == 41
    assert stats.sources["half"].dropped == {"read": {"not text": 40}}
    assert "warning: source half gave no document" in said
    assert [line.id for line in layout.read_ledger(tmp_path / "out", "prose")] == ["prose/b?d.txt"]


def test_a_damaged_archive_is_told_aloud(small: Any, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(9):
            info = tarfile.TarInfo(f"{number}.txt")
            info.size = 3_000
            tar.addfile(info, io.BytesIO(f"{number:3000d}".encode()))
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: 3 * 3584 + 100])
    section = CorpusConfig(
        {"tar": SourceConfig("archive", "text", [], {"inputs": [str(tmp_path / "a.tar")]})}, workers=1
    )
    stats, said = small.run(section, tmp_path / "out")
    assert stats.kept.docs == 3
    assert "warning: source tar: damaged archive, 1 times; dropped/tar.jsonl.zst says where" in said


@pytest.mark.slow
def test_an_interrupt_ends_the_workers_and_the_build_goes_on_later(small: Any, tmp_path: Path) -> None:
    section, out = small.config(workers=2), tmp_path / "out"
    process = subprocess.Popen(command(tmp_path, section, small.problem, out), stderr=subprocess.DEVNULL)
    while process.poll() is None and not any(out.glob(".staging/units/*")):
        time.sleep(0.001)
    descendants = children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0
    assert_gone(descendants)
    small.run(section, out)
    small.run(section, tmp_path / "calm")
    assert small.tree(out) == small.tree(tmp_path / "calm")


def test_the_checked_executors_are_those_there_are() -> None:
    assert set(EXECUTORS) == set(executors.EXECUTORS)


def test_two_builds_in_one_folder(small: Any, tmp_path: Path) -> None:
    (tmp_path / "out/.staging").mkdir(parents=True)
    with open(tmp_path / "out/.staging/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError):
            small.run(small.config(), tmp_path / "out")
    small.run(small.config(), tmp_path / "out")


def test_a_failed_write_is_named(small: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands where the folder should be")
    with pytest.raises(LlemmaError, match="cannot write"):
        small.run(small.config(), tmp_path / "out")


def test_a_full_disk_is_named_and_mended_by_the_same_command(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = staging.UnitWriter.add

    def full(self: Any, *arguments: Any) -> None:
        if self.documents == 20 and self.source == "prose":
            raise OSError(28, "No space left on device")
        whole(self, *arguments)

    monkeypatch.setattr(staging.UnitWriter, "add", full)
    with pytest.raises(LlemmaError, match="the disk is full"):
        small.run(small.config(), tmp_path / "out")
    monkeypatch.undo()
    _, said = small.run(small.config(), tmp_path / "out")
    assert "read: 1 unit" in said


SCRIPT = """
import sys
from pathlib import Path
import msgspec
from llemma.core.console import Console
from llemma.core.types import Problem
from llemma.corpus import shards
from llemma.corpus.build import build
from llemma.corpus.config import CorpusConfig

if __name__ == "__main__":
    shards._ALONE = int(sys.argv[4]) if len(sys.argv) > 4 else shards._ALONE
    section = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=CorpusConfig)
    problem = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Problem)
    build(section, Path(sys.argv[3]), cache=Path(sys.argv[3] + ".cache"), protected=[problem], console=Console())
"""


def command(tmp_path: Path, section: CorpusConfig, problem: Problem, out: Path) -> list[str]:
    (tmp_path / "build.py").write_text(SCRIPT)
    (tmp_path / "section.json").write_bytes(msgspec.json.encode(section))
    (tmp_path / "problem.json").write_bytes(msgspec.json.encode(problem))
    return [sys.executable, *(str(tmp_path / name) for name in ("build.py", "section.json", "problem.json")), str(out)]


def children(pid: int) -> set[int]:
    """The living descendants of a process."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            child = int(path.parent.name)
            found |= {child} | children(child)
    return found


def staged(out: Path) -> int:
    return len(list(out.glob(".staging/units/[!.]*")))


MOMENTS: list[Callable[[Path], bool]] = [
    lambda out: any(out.glob(".staging/units/.*.tmp")),
    lambda out: staged(out) >= 1,
    lambda out: staged(out) >= 4,
    lambda out: (out / ".staging/corpus.tmp").exists(),
    lambda out: (out / "dropped").exists(),
    lambda out: (out / "README.md").exists(),
]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_and_run_again_it_gives_the_same_bytes(workers: int, small: Any, tmp_path: Path) -> None:
    section, out = small.config(workers=workers), tmp_path / "out"
    small.run(section, tmp_path / "calm")
    arguments, kills = command(tmp_path, section, small.problem, out), 0
    for moment in MOMENTS:
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        while process.poll() is None and not moment(out):
            time.sleep(0.001)
        descendants = children(process.pid)
        kills += process.poll() is None
        process.kill()
        process.wait()
        assert_gone(descendants)
    assert kills >= 3
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL, timeout=60)
    assert small.tree(out) == small.tree(tmp_path / "calm")
    assert not list(out.rglob("*.tmp"))


@pytest.mark.slow
def test_shard_writers_killed_in_the_middle_and_run_again_give_the_same_bytes(small: Any, tmp_path: Path) -> None:
    section, out = small.config(workers=3, shard_bytes=1_500), tmp_path / "out"
    calm, _ = small.run(section, tmp_path / "calm", workers=1)
    arguments = [*command(tmp_path, section, small.problem, out), "1"]  # a process more for each byte of text
    assert len(calm.shards) > 100
    for written, victim in ((1, "build"), (25, "writer"), (70, "build")):
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE)
        while process.poll() is None and len(list(out.glob(".staging/corpus.tmp/*/*/*.zst"))) < written:
            time.sleep(0.0005)
        descendants = children(process.pid)
        busy = [pid for pid in descendants if b"corpus.tmp" in open_files(pid)]
        os.kill(busy[0] if victim == "writer" and busy else process.pid, signal.SIGKILL)
        assert process.stderr is not None and process.wait(20) != 0
        assert victim != "writer" or not busy or b"a worker process died" in process.stderr.read()
        process.stderr.close()
        assert_gone(descendants)
        assert not (out / "stats.json").exists()
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL, timeout=60)
    assert small.tree(out) == small.tree(tmp_path / "calm")
    assert not list(out.rglob("*.tmp"))


def open_files(pid: int) -> bytes:
    """The names of the files that a process has open."""
    found = b""
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found += bytes(link.readlink()) + b"\n"
    except OSError:  # it ends meanwhile
        pass
    return found


def assert_gone(pids: set[int]) -> None:
    deadline = time.monotonic() + 5
    while alive := [pid for pid in pids if not zombie(pid)]:
        assert time.monotonic() < deadline, f"processes outlive their parent: {alive}"
        time.sleep(0.02)


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class Deadly(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Kills the process that reads its second unit."""

    def units(self, context: Context) -> list[Unit]:
        return [Unit(str(number), "", str(number)) for number in range(3)]

    def read(self, unit: Unit, source: str) -> Any:
        if unit.name == "1":
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        yield Document(unit.name, f"the only text of {unit.name}", source)


def test_a_worker_that_dies_is_an_error(small: Any, tmp_path: Path) -> None:
    plugin = tmp_path / "deadly.py"
    plugin.write_text(
        "from __future__ import annotations\nimport os, signal, time\nfrom typing import Any\nimport msgspec\n"
        "from llemma.core.registry import register\nfrom llemma.core.types import Document\n"
        "from llemma.corpus.source import Context, Unit\n"
        + inspect.getsource(Deadly)
        + '\nregister("source", "deadly", Deadly)\n'
    )
    registry.load_plugin(plugin)
    section = CorpusConfig({"d": SourceConfig("deadly", "d")}, workers=2)
    with pytest.raises(LlemmaError, match="a worker process died") as caught:
        small.run(section, tmp_path / "out")
    assert "--workers" in caught.value.mend


@pytest.mark.slow
def test_a_plugin_step_works_in_every_worker_and_its_change_is_a_changed_work(small: Any, tmp_path: Path) -> None:
    plugin, out = tmp_path / "shout.py", tmp_path / "out"
    sources = {
        "p": SourceConfig("folder", "text", ["shout"], {"inputs": [f"{small.inputs}/prose", f"{small.inputs}/more"]})
    }
    for ending in ("!", "?"):
        plugin.write_text(
            "import msgspec\nfrom llemma.core.registry import register\n"
            f"def shout(document):\n    return msgspec.structs.replace(document, text=document.text + {ending!r})\n"
            "register('step', 'shout', shout)\n"
        )
        registry.load_plugin(plugin)
        small.run(small.config(sources=sources), out, workers=2)
        assert all(document.text.endswith(ending) for document in layout.read_split(out, "text", "train"))


APART = """
import time
from llemma.corpus.executors import apart

def work(number):
    print(number, flush=True)
    time.sleep(60)

if __name__ == "__main__":
    list(apart(work, [1, 2], 2))
"""


def test_writers_of_shards_end_with_the_build(tmp_path: Path) -> None:
    (tmp_path / "apart.py").write_text(APART)
    process = subprocess.Popen([sys.executable, str(tmp_path / "apart.py")], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    descendants = children(process.pid)
    process.kill()
    process.wait()
    assert descendants
    assert_gone(descendants)
