"""A build gives the same bytes however it was run, says where every document went, and survives what befalls it."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import io
import os
import random
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

from llemma.core import jsonl, registry
from llemma.core.console import Console
from llemma.core.errors import BusyError, DataError, LlemmaError, MissingError, RecipeError, UsageError
from llemma.core.types import SPLITS, Document, Dropped, Problem
from llemma.corpus import executors, layout, staging
from llemma.corpus.build import build
from llemma.corpus.check import EXECUTORS
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.show import show, show_text, stats_text
from llemma.corpus.source import Context, Unit

PROBLEM = Problem("p1", "t", " ".join(f"token{number}" for number in range(40)), "42")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Four folders of Python files and two of prose, with copies, a leaked problem, and files of no use."""
    rng = random.Random(0)
    root = tmp_path / "inputs"
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
    return root


def config(inputs: Path, **changes: Any) -> CorpusConfig:
    sources = {
        "code": SourceConfig("folder", "code", ["not-empty", "size"], {"inputs": [f"{inputs}/[a-d]"]}, test=0.2),
        "prose": SourceConfig("folder", "text", ["not-empty"], {"inputs": [f"{inputs}/prose"]}),
        "more": SourceConfig("folder", "text", [], {"inputs": [f"{inputs}/more"]}, keep=0.5),
    }
    return CorpusConfig(
        **{"sources": sources, "validation": 0.1, "test": 0.1, "workers": 1, "shard_bytes": 40_000, **changes}
    )


def run(section: CorpusConfig, out: Path, **options: Any) -> tuple[layout.CorpusStats, str]:
    console = Console(stream=io.StringIO())
    options = {"cache": out.parent / "cache", "protected": [PROBLEM], "console": console, **options}
    stats = build(section, out, **options)
    return stats, console.stream.getvalue()  # type: ignore[attr-defined]


def tree(out: Path) -> dict[str, str]:
    """Digest of every file but those kept for a rebuild."""
    files = [path for path in out.rglob("*") if path.is_file() and layout.STAGING not in path.parts]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ledger(out: Path, source: str) -> dict[str, str]:
    return {line.id: line.step for line in layout.read_ledger(out, source)}


def test_every_document_is_kept_or_has_a_reason(inputs: Path, tmp_path: Path) -> None:
    stats, _ = run(config(inputs), tmp_path / "out")
    out = tmp_path / "out"
    assert ledger(out, "code") == {
        "b/exact.py": "exact-duplicate",
        "c/near.py": "near-duplicate",
        "d/leak.py": "decontaminate",
        "d/empty.py": "not-empty",
        "d/binary.py": "read",
    }
    reasons = {line.step: line.reason for line in layout.read_ledger(out, "code")}
    assert reasons["exact-duplicate"] == "same words as another document: a/f00.py"
    assert reasons["near-duplicate"].endswith(" a/f00.py")
    assert reasons["decontaminate"] == "shares 30 words with a problem: p1"
    assert 5 < len(ledger(out, "more")) < 35 and set(ledger(out, "more").values()) == {"sample"}
    assert layout.subsets(out) == ["code", "text"]
    kept = {
        subset: [doc for split in SPLITS for doc in layout.read_split(out, subset, split)]
        for subset in ("code", "text")
    }
    assert len(kept["code"]) == 160 and len({document.id for document in kept["code"]}) == 160
    assert {document.source for document in kept["text"]} == {"prose", "more"}
    assert stats.kept.docs == 160 + len(kept["text"])
    assert stats.kept.bytes == sum(len(document.text.encode()) for some in kept.values() for document in some)
    assert stats.dropped == 5 + len(ledger(out, "more"))
    assert stats.sources["code"].dropped["decontaminate"] == {"shares 30 words with a problem": 1}
    assert stats == layout.read_stats(out)
    assert 15 < stats.sources["code"].splits["test"].docs < 55  # its own share
    assert len([name for name in stats.shards if name.startswith("code/train/")]) > 1


def test_the_same_bytes_with_one_or_two_workers(inputs: Path, tmp_path: Path) -> None:
    run(config(inputs), tmp_path / "one")
    run(config(inputs), tmp_path / "two", workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_second_run_does_nothing_and_a_changed_input_only_itself(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(config(inputs), out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.zst")}
    _, said = run(config(inputs), out)
    assert "read" not in said
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*.zst")}
    units = {path.name for path in (out / ".staging/units").iterdir()}
    (inputs / "b/f01.py").write_text("something new in this file\n")
    _, said = run(config(inputs), out)
    assert "read: 1 unit" in said
    changed = {path.name for path in (out / ".staging/units").iterdir()}
    assert len(changed) == len(units) and len(changed - units) == 1
    run(config(inputs), tmp_path / "fresh")
    assert tree(out) == tree(tmp_path / "fresh")


@pytest.mark.parametrize(
    "change",
    [
        {"dedup_threshold": 0.99},
        {"validation": 0.3},
        {"shard_bytes": 10_000},
        {"decontaminate_ngram": 45},
    ],
)
def test_a_changed_recipe_gives_what_a_fresh_build_gives(change: dict[str, Any], inputs: Path, tmp_path: Path) -> None:
    run(config(inputs), tmp_path / "out")
    before = tree(tmp_path / "out")
    run(config(inputs, **change), tmp_path / "out")
    run(config(inputs, **change), tmp_path / "fresh")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh") != before


def test_a_subset_that_is_gone_leaves_nothing_behind(inputs: Path, tmp_path: Path) -> None:
    run(config(inputs), tmp_path / "out")
    sources = {"code": config(inputs).sources["code"]}
    run(config(inputs, sources=sources), tmp_path / "out")
    assert not (tmp_path / "out/text").exists()
    assert sorted(path.name for path in (tmp_path / "out/dropped").iterdir()) == ["code.jsonl.zst"]


@pytest.mark.parametrize("damage", ["cut", "remove"])
def test_damage_to_the_corpus_is_mended_by_the_same_command(damage: str, inputs: Path, tmp_path: Path) -> None:
    run(config(inputs), tmp_path / "out")
    before = tree(tmp_path / "out")
    shard = tmp_path / "out/code/train/00000.jsonl.zst"
    shard.write_bytes(shard.read_bytes()[:-100]) if damage == "cut" else shard.unlink()
    if damage == "cut":
        with pytest.raises(DataError) as caught:
            list(layout.read_split(tmp_path / "out", "code", "train"))
        assert str(shard) in caught.value.where and "line" in caught.value.where
    run(config(inputs), tmp_path / "out")
    assert tree(tmp_path / "out") == before


def test_datasets_reads_the_rows(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    odd = {"odd": SourceConfig("test-odd", "text", [], {}), **config(inputs).sources}
    registry.register("source", "test-odd", Odd)
    stats, _ = run(config(inputs, sources=odd), tmp_path / "out")
    found = datasets.load_dataset(
        "json", data_files={"train": f"{tmp_path}/out/text/train/*.jsonl.zst"}, cache_dir=str(tmp_path / "hf")
    )["train"]
    assert len(found) == stats.subsets["text"]["train"].docs
    expected = list(layout.read_split(tmp_path / "out", "text", "train"))
    assert [row["text"] for row in found] == [document.text for document in expected]
    assert {tuple(document.meta) for document in expected} == {("language", "mixed", "nested", "path", "score", "tags")}
    assert {type(document.meta["score"]) for document in expected} <= {float, type(None)}
    assert {type(document.meta["mixed"]) for document in expected} <= {str, type(None)}


class Odd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Documents whose meta has other keys and types from row to row."""

    def units(self, context: Context) -> list[Unit]:
        return [Unit("odd", "", "1")]

    def read(self, unit: Unit, source: str) -> Any:
        facts: list[dict[str, Any]] = [
            {"score": 1},
            {"score": 0.5, "mixed": 1},
            {"mixed": "x"},
            {"nested": {"a": [1]}},
            {"tags": ["a"]},
        ]
        for number in range(30):
            yield Document(f"odd/{number}", f"text number {number} is odd", source, facts[number % len(facts)])


def test_only_and_limit(inputs: Path, tmp_path: Path) -> None:
    stats, _ = run(config(inputs), tmp_path / "out", only=["code", "prose"], limit=7)
    assert {name: source.kept.docs for name, source in stats.sources.items()} == {"code": 7, "prose": 7}
    with pytest.raises(UsageError, match="no source 'cod'"):
        run(config(inputs), tmp_path / "out", only=["cod"])


def test_a_repeated_id_is_dropped(inputs: Path, tmp_path: Path) -> None:
    sources = {"one": SourceConfig("folder", "text", [], {"inputs": [f"{inputs}/prose", f"{inputs}/prose"]})}
    stats, _ = run(config(inputs, sources=sources), tmp_path / "out")
    assert stats.kept.docs == 40
    assert stats.sources["one"].dropped == {"unique-id": {"a document with this id came before": 40}}


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


def failing(inputs: Path, how: str, optional: bool = False) -> CorpusConfig:
    registry.register("source", "test-failing", Failing)
    sources = {
        **config(inputs).sources,
        "bad": SourceConfig("test-failing", "bad", [], {"how": how}, optional=optional),
    }
    return config(inputs, sources=sources)


@pytest.mark.parametrize(("how", "error"), [("data", DataError), ("crash", LlemmaError), ("missing", MissingError)])
def test_a_failing_source_is_an_error_and_loses_nothing(
    how: str, error: type[LlemmaError], inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(config(inputs), out)
    before = tree(out)
    with pytest.raises(error) as caught:
        run(failing(inputs, how), out)
    assert how != "crash" or (
        "ZeroDivisionError: oh" in caught.value.what and "source bad, unit 1" in caught.value.where
    )
    assert tree(out) == before
    if how != "missing":
        assert len(list((out / ".staging/units").iterdir())) == 6 + 2  # the other units of the source are kept


def test_an_optional_source_is_left_out_with_a_warning(inputs: Path, tmp_path: Path) -> None:
    stats, said = run(failing(inputs, "missing", optional=True), tmp_path / "out")
    assert "warning: source bad is left out: no telescope (to add it: buy one)" in said
    assert stats.sources["bad"].skipped == "no telescope"
    assert "Left out: no telescope" in (tmp_path / "out/README.md").read_text()
    assert stats.sources["code"].kept.docs == 160


def test_names_and_texts_of_any_bytes(inputs: Path, tmp_path: Path) -> None:
    (inputs / "prose" / os.fsdecode(b"n\xffme.txt")).write_text("a text under an odd name")
    (inputs / "prose" / os.fsdecode(b"b\xffd.txt")).write_bytes(b"\xff")
    registry.register("step", "half", lambda document: msgspec.structs.replace(document, text=document.text + "\ud800"))
    sources = {
        "prose": SourceConfig("folder", "text", [], {"inputs": [f"{inputs}/prose"]}),
        "half": SourceConfig("folder", "text", ["half"], {"inputs": [f"{inputs}/more"]}),
    }
    stats, said = run(config(inputs, sources=sources), tmp_path / "out")
    assert stats.sources["prose"].kept.docs == 41
    assert stats.sources["half"].dropped == {"read": {"not text": 40}}
    assert "warning: source half gave no document" in said
    assert [line.id for line in layout.read_ledger(tmp_path / "out", "prose")] == ["prose/b?d.txt"]


def test_a_damaged_archive_is_told_aloud(tmp_path: Path) -> None:
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
    stats, said = run(section, tmp_path / "out")
    assert stats.kept.docs == 3
    assert "warning: source tar: damaged archive, 1 times; dropped/tar.jsonl.zst says where" in said


def test_an_interrupt_ends_the_workers_and_the_build_goes_on_later(inputs: Path, tmp_path: Path) -> None:
    section, out = config(inputs, workers=2), tmp_path / "out"
    process = subprocess.Popen(command(tmp_path, section, out), stderr=subprocess.DEVNULL)
    while process.poll() is None and not any(out.glob(".staging/units/*")):
        time.sleep(0.001)
    descendants = children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0
    assert_gone(descendants)
    run(section, out)
    run(section, tmp_path / "calm")
    assert tree(out) == tree(tmp_path / "calm")


def test_the_checked_executors_are_those_there_are() -> None:
    assert set(EXECUTORS) == set(executors.EXECUTORS)


def test_two_builds_in_one_folder(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "out/.staging").mkdir(parents=True)
    with open(tmp_path / "out/.staging/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError):
            run(config(inputs), tmp_path / "out")
    run(config(inputs), tmp_path / "out")


def test_a_failed_write_is_named(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands where the folder should be")
    with pytest.raises(LlemmaError, match="cannot write"):
        run(config(inputs), tmp_path / "out")


def test_a_full_disk_is_named_and_mended_by_the_same_command(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = staging.UnitWriter.add

    def full(self: Any, *arguments: Any) -> None:
        if self.documents == 20 and self.source == "prose":
            raise OSError(28, "No space left on device")
        whole(self, *arguments)

    monkeypatch.setattr(staging.UnitWriter, "add", full)
    with pytest.raises(LlemmaError, match="the disk is full"):
        run(config(inputs), tmp_path / "out")
    monkeypatch.undo()
    _, said = run(config(inputs), tmp_path / "out")
    assert "read: 1 unit" in said


SCRIPT = """
import sys
from pathlib import Path
import msgspec
from llemma.core.console import Console
from llemma.core.types import Problem
from llemma.corpus.build import build
from llemma.corpus.config import CorpusConfig

if __name__ == "__main__":
    section = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=CorpusConfig)
    problem = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Problem)
    build(section, Path(sys.argv[3]), cache=Path(sys.argv[3] + ".cache"), protected=[problem], console=Console())
"""


def command(tmp_path: Path, section: CorpusConfig, out: Path) -> list[str]:
    (tmp_path / "build.py").write_text(SCRIPT)
    (tmp_path / "section.json").write_bytes(msgspec.json.encode(section))
    (tmp_path / "problem.json").write_bytes(msgspec.json.encode(PROBLEM))
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


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_and_run_again_it_gives_the_same_bytes(workers: int, inputs: Path, tmp_path: Path) -> None:
    section, out = config(inputs, workers=workers), tmp_path / "out"
    run(section, tmp_path / "calm")
    arguments, kills = command(tmp_path, section, out), 0
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
    assert tree(out) == tree(tmp_path / "calm")
    assert not list(out.rglob("*.tmp"))


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


def test_a_worker_that_dies_is_an_error(tmp_path: Path) -> None:
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
        run(section, tmp_path / "out")
    assert "--workers" in caught.value.mend


def test_a_plugin_step_works_in_every_worker_and_its_change_is_a_changed_work(inputs: Path, tmp_path: Path) -> None:
    plugin, out = tmp_path / "shout.py", tmp_path / "out"
    sources = {"p": SourceConfig("folder", "text", ["shout"], {"inputs": [f"{inputs}/prose", f"{inputs}/more"]})}
    for ending in ("!", "?"):
        plugin.write_text(
            "import msgspec\nfrom llemma.core.registry import register\n"
            f"def shout(document):\n    return msgspec.structs.replace(document, text=document.text + {ending!r})\n"
            "register('step', 'shout', shout)\n"
        )
        registry.load_plugin(plugin)
        run(config(inputs, sources=sources), out, workers=2)
        assert all(document.text.endswith(ending) for document in layout.read_split(out, "text", "train"))


def test_a_wrong_section_is_refused_all_at_once(tmp_path: Path) -> None:
    sources = {
        "a": SourceConfig("foldr", "code"),
        "b": SourceConfig("folder", "dropped", ["not-emtpy"], {"input": ["x"], "include": "*.py"}),
        "c d": SourceConfig("pypi", "x", [], {"packages": ["sympy"]}, keep=0),
    }
    with pytest.raises(RecipeError) as caught:
        run(CorpusConfig(sources, validation=0.7, test=0.4, workers=0, executor="moon"), tmp_path / "out")
    for part in (
        "corpus.sources.a.kind: unknown source 'foldr'; did you mean 'folder'?",
        "corpus.sources.b.steps[0]: unknown step 'not-emtpy'; did you mean 'not-empty'?",
        "corpus.sources.b.options.input: unknown key; did you mean 'inputs'?",
        "corpus.sources.b.options.include: Expected `array`, got `str`",
        "corpus.sources.b.options.inputs: missing",
        "corpus.sources.b.subset: 'dropped' cannot name a folder",
        "corpus.sources.c d: a name may only have",
        "corpus.sources.c d.options: packages must be pinned",
        "corpus.sources.c d.keep: must be above 0",
        "corpus.sources.a: validation 0.7 and test 0.4",
        "corpus.workers: must be at least 1",
        "corpus.executor: unknown executor 'moon'",
    ):
        assert part in caught.value.what
    assert not (tmp_path / "out").exists()


def test_show_and_stats(inputs: Path, tmp_path: Path) -> None:
    stats, _ = run(config(inputs), tmp_path / "out")
    documents = show(tmp_path / "out", 2)
    assert [document.source in ("prose", "more") for document in documents] == [False, False, True, True]
    assert documents[0].id in show_text(documents)
    drops = show(tmp_path / "out", 3, dropped=True)
    assert all(isinstance(item, Dropped) for item in drops) and "sample: not in the sample" in show_text(drops)
    text = stats_text(stats)
    assert "code / train" in text and "code / python" in text and "near-duplicate" in text
    with pytest.raises(MissingError, match="no corpus"):
        show(tmp_path / "nowhere")


def test_a_damaged_line_is_named(inputs: Path, tmp_path: Path) -> None:
    run(config(inputs), tmp_path / "out")
    shard = tmp_path / "out/text/test/00000.jsonl.zst"
    rows = list(jsonl.read(shard, dict[str, Any]))
    jsonl.write(shard, [*rows[:2], {"text": 7}])
    with pytest.raises(DataError) as caught:
        list(layout.read_split(tmp_path / "out", "text", "test"))
    assert caught.value.where == f"{shard} line 3"
