"""`llemma view` of a run that is still going on: another process writes, the pages follow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llemma.core.files import write_json
from llemma.core.types import Completion
from llemma.report import build, explorer, follow, journal, read

ROOT = Path(__file__).parents[2]

# Appends a finished batch of three problems for every line that it is sent, as a running evaluation does.
WRITER = """
import sys
from pathlib import Path
from llemma.core import jsonl
from llemma.core.types import Completion
folder, number = Path(sys.argv[1]), 0
for line in sys.stdin:
    batch = [Completion(f"p/{number + i}#greedy", 0, f"sample {number + i} says <b>$x_{i}$</b>") for i in range(3)]
    jsonl.write(folder / "parts" / f"{number:016x}.jsonl", [{"seconds": 0.1}, *batch])
    number += 3
    print("written", flush=True)
"""


def start(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.PIPE, text=True, **options
    )


@pytest.fixture
def running(made: ModuleType, tmp_path: Path) -> Path:
    """An evaluation that has begun and has no files yet but its record."""
    record = json.loads(json.dumps({"id": "x", "kind": "eval", "recipe_digest": "0", "inputs": {}, "packages": {}}))
    write_json(tmp_path / "eval-x" / "run.json", record | {"device": "cpu", "started": "now", "state": "running"})
    (tmp_path / "eval-x" / "parts").mkdir()
    return tmp_path / "eval-x"


@pytest.fixture
def writer(running: Path) -> Iterator[Callable[[], None]]:
    process = start(WRITER, str(running), stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None

    def write() -> None:
        process.stdin.write("more\n")
        process.stdin.flush()
        assert process.stdout.readline() == "written\n"

    yield write
    process.stdin.close()
    process.wait(timeout=10)


@pytest.fixture
def address(running: Path, writer: Callable[[], None]) -> Iterator[str]:
    """`llemma view` of the running evaluation, after its first batch."""
    writer()
    process = start("import sys; from llemma.cli import main; main()", "view", str(running), "--port", "0")
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(2)]
    assert "pages in" in told[0]  # it has no report of its own, and gets none
    yield told[1].strip()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 0 and not (running / "report").exists()


@pytest.mark.slow
def test_the_explorer_follows_and_the_reader_stays_where_he_is(
    address: str, writer: Callable[[], None], visit: Callable[..., Any]
) -> None:
    window = visit()
    page = window.open(f"{address}samples.html", "#p=p%2F1")
    assert page.inner_text("#count") == "3 problems" and "sample 1 says <b>" in page.inner_text(".completion")
    page.fill("#search", "says")
    page.focus("#search")
    writer()
    window.settle("document.getElementById('count').textContent === '6 problems'")
    assert page.inner_text(".permalink") == "p/1" and page.input_value("#search") == "says"
    assert page.evaluate("document.activeElement.id") == "search"
    assert "following the run" in page.inner_text(".live")
    assert window.complaints == []
    assert all(url.startswith((address, "about:blank")) for url in window.requested)


@pytest.mark.slow
def test_the_overview_follows_to_the_end(
    address: str, writer: Callable[[], None], running: Path, made: ModuleType, visit: Callable[..., Any]
) -> None:
    import random

    window = visit()
    page = window.open(f"{address}index.html")
    assert "3 completions so far" in page.inner_text("main")
    made.write_evaluation(running, made.make_problems(12, random.Random(1)), 0.5, random.Random(2))
    record = json.loads((running / "run.json").read_bytes())
    write_json(running / "run.json", record | {"state": "done", "ended": "later"})
    window.settle("document.getElementById('scores') !== null")
    window.settle("document.querySelector('.live').hidden")
    assert window.complaints == []


def test_a_report_that_is_as_new_as_its_run_is_what_is_shown(run_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.symlink_to(run_folder)
    report = build([run], tmp_path / "report").parent
    assert follow.is_fresh(run, report) and not follow.is_running(run)
    follower = follow.Follower(run, tmp_path / "cache", report)
    assert follower.folder() == report and follower.version == 0 and not (tmp_path / "cache").exists()


def test_what_did_not_change_is_not_made_again(running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llemma.core import jsonl

    monkeypatch.setattr(explorer, "CHUNK", 4)
    rows = [Completion(f"p/{i}#greedy", 0, f"text {i}") for i in range(10)]
    jsonl.write(running / "parts" / "a.jsonl", [{"seconds": 1.0}, *rows[:8]])
    made: list[int] = []
    build_chunk = explorer.chunk
    monkeypatch.setattr(explorer, "chunk", lambda part, *rest: (made.append(len(part)), build_chunk(part, *rest))[1])
    kept = explorer.Kept()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        explorer.write(read.run(running).evaluations, folder, kept=kept)
        jsonl.write(running / "parts" / "b.jsonl", [{"seconds": 1.0}, *rows[8:]])
    assert made == [4, 4, 2]
    first, again = ((tmp_path / name / "samples-000.js").read_bytes() for name in "01")
    assert first == again and (tmp_path / "1" / "samples-002.js").is_file()


def test_batches_count_until_the_evaluation_has_ended(running: Path, made: ModuleType) -> None:
    from llemma.core import jsonl

    old, new = (Completion("p/1#greedy", 0, text) for text in ("old", "new"))
    jsonl.write(running / "completions.jsonl.zst", [old])
    (running / "parts" / "b.jsonl").write_text('{"seconds":1}\n{"request":"p/1#greedy","sample":0,"text":"new"}\n{"req')
    (evaluation,) = read.run(running).evaluations
    assert list(journal.completions(evaluation)) == [new]
    record = json.loads((running / "run.json").read_bytes())
    write_json(running / "run.json", record | {"state": "done"})
    assert list(journal.completions(evaluation)) == [old]


def test_a_page_of_the_last_build_still_finds_its_files(running: Path, tmp_path: Path) -> None:
    follower = follow.Follower(running, tmp_path / "cache")
    first = follower.folder()
    for _ in range(3):
        follower._build()
    assert follower.version == 4 and not first.exists()
    assert follower.folder(3).is_dir() and follower.folder(1) == follower.folder(4) == follower.folder()


def test_other_sites_cannot_ask(address: str) -> None:
    request = urllib.request.Request(f"{address}live.json", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=5)
    begun = time.monotonic()
    with urllib.request.urlopen(f"{address}live.json", timeout=5) as answer:
        assert json.loads(answer.read()) == {"version": 1, "running": True, "note": ""}
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert time.monotonic() - begun < 5
