"""The whole sentence: it runs, survives being killed anywhere, and refuses what it should with the right exit code."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llemma.core import jsonl
from llemma.core.files import file_digest

Start = Callable[..., "subprocess.Popen[str]"]
TINY = Path(__file__).parent / "tiny.toml"

# every stage, by the line that announces it
STAGES = {
    "problems ...",
    "corpus ...",
    "find copies",
    "tokenizer ...",
    "tokens-general-train ...",
    "tokens-synthetic-validation ...",
    "train-base ...",
    "load base",
    "train-math ...",
    "eval-base ...",
    "bits per byte",
    "eval-math ...",
    "overlap-math-problems ...",
    "overlap-math-answers ...",
    "report ...",
}


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=300)
    return process.returncode, out, errors


def numbers(run: Path) -> dict[str, Any]:
    """Everything a run found out, without times and paths."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.suffix in (".safetensors", ".bin", ".idx", ".zst") and "parts" not in name and ".staging" not in name:
            found[name] = file_digest(path)
        if path.name == "metrics.jsonl":
            rows = jsonl.read(path, dict[str, Any])
            found[name] = [{k: v for k, v in row.items() if k not in TIMED_ROWS} for row in rows]
        if path.name == "results.json":
            table = json.loads(path.read_text())
            found[name] = (table["results"], table["llemma"]["scores"])
    return {name: value for name, value in found.items() if not name.endswith(TIMED)}


TIMED_ROWS = ("seconds", "tokens_per_second", "mfu", "memory")
TIMED = ("completions.jsonl.zst", "executions.jsonl.zst", "verdicts.jsonl.zst")
"""Files whose rows say how long something took."""


def samples(run: Path) -> list[dict[str, Any]]:
    """Completions, ends of programs and verdicts, without what was measured of them."""
    files = (path for path in sorted(run.rglob("*.zst")) if path.name.endswith(TIMED))
    return [untimed(row) for path in files for row in jsonl.read(path, dict[str, Any])]


def untimed(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {key: untimed(value) for key, value in row.items() if key not in ("seconds", "memory_mb")}


def kill_at_a_new_stage(process: subprocess.Popen[str], before: set[str], delay: float) -> str | None:
    """SIGKILL `delay` seconds after the first announcement of a stage that is not in `before`; that announcement, or
    None when the run ended without one."""
    assert process.stderr is not None
    for said in process.stderr:
        stage = next((line for line in STAGES - before if said.startswith(line)), None)
        if stage is not None:
            time.sleep(delay)
            process.kill()
            process.communicate()
            return stage
    process.communicate()
    return None


@pytest.mark.slow
def test_killed_in_every_stage_it_ends_in_the_same_numbers(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    out, killed, delays = tmp_path / "tiny", set[str](), random.Random(7)
    while stage := kill_at_a_new_stage(start("reproduce", str(TINY), "--out", str(out)), killed, delays.random() / 5):
        killed.add(stage)
    # a stage of milliseconds may have passed while an earlier one was being killed; the long ones must have been hit
    assert len(killed) >= len(STAGES) - 3
    assert {"corpus ...", "load base", "train-math ...", "eval-base ..."} <= killed
    assert numbers(out) == numbers(undisturbed)
    assert samples(out) == samples(undisturbed)


@pytest.mark.slow
def test_a_second_run_does_nothing_again(start: Start, undisturbed: Path) -> None:
    before = numbers(undisturbed)
    code, out, errors = finish(start("reproduce", str(TINY), "--out", str(undisturbed)))
    assert code == 0
    assert "train-math: done before" in errors and "eval-base: done before" in errors
    begun = [line for line in errors.splitlines() if line.endswith(" ...")]
    assert begun == ["corpus ...", "report ..."]
    assert "mathematics" in out and "report:" in out
    assert numbers(undisturbed) == before


@pytest.mark.slow
def test_it_says_what_it_found_as_json(start: Start, undisturbed: Path) -> None:
    code, out, _ = finish(start("reproduce", str(TINY), "--out", str(undisturbed), "--json", "-q"))
    found = json.loads(out)
    assert code == 0 and Path(found["report"]).is_file()
    rows = {(row["task"], row["metric"]) for row in found["table"]["rows"]}
    assert {("word_problems", "greedy"), ("word_problems", "maj@2"), ("mathematics", "bits_per_byte")} <= rows


@pytest.mark.slow
def test_damaged_and_removed_files_are_made_again(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    shutil.copytree(undisturbed, out, symlinks=True)
    tokens = out / "tokens" / "general" / "train" / "tokens.bin"
    tokens.write_bytes(b"\x07" * len(tokens.read_bytes()))
    shutil.rmtree(out / "eval" / "math")
    code, _, errors = finish(start("reproduce", str(TINY), "--out", str(out)))
    assert code == 0, errors
    assert "tokens-general-train: its files were changed or removed" in errors
    assert "train-base: done before" in errors
    assert numbers(out) == numbers(undisturbed)


def test_a_changed_recipe_is_refused_and_nothing_is_lost(start: Start, undisturbed: Path) -> None:
    before = numbers(undisturbed)
    code, _, errors = finish(start("reproduce", str(TINY), "--out", str(undisturbed), "--set", "eval.k=3"))
    assert code == 4
    assert "eval.k: 2 -> 3" in errors and "--fresh" in errors
    assert numbers(undisturbed) == before


@pytest.mark.slow
def test_ctrl_c_in_training_ends_with_130_and_goes_on(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    for name in ("problems.jsonl", "examples.jsonl", "recipe.toml"):
        out.mkdir(exist_ok=True)
        shutil.copyfile(undisturbed / name, out / name)
    process = start("reproduce", str(TINY), "--out", str(out))
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("load base"):
            break
    process.send_signal(signal.SIGINT)
    code, _, errors = finish(process)
    assert code == 130, errors
    assert "the same command goes on from" in errors
    assert json.loads((out / "run.json").read_text())["state"] == "interrupted"
    code, _, errors = finish(start("reproduce", str(TINY), "--out", str(out)))
    assert code == 0, errors
    assert numbers(out) == numbers(undisturbed)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--set", "train.math.peek_lr=1"], 4, "did you mean 'peak_lr'?"),
        (["--set", "corpus.sources.web.kind=wrac"], 4, "did you mean 'warc'?"),
        (["--set", "corpus.sources.web.options.imputs=[]"], 4, "did you mean 'inputs'?"),
        (["--set", 'corpus.sources.web.options.inputs=["none.warc.gz"]'], 3, "none.warc.gz"),
        (["--set", "tokenizer.subsets=['generel']"], 4, "did you mean 'general'?"),
        (["--set", "problems.seed=1"], 4, "same seed"),
        (["--no-such-flag"], 2, "No such option"),
    ],
)
@pytest.mark.slow
def test_bad_input_is_refused_with_a_mend(
    start: Start, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    found, _, errors = finish(start("reproduce", str(TINY), "--out", str(tmp_path / "r"), *arguments))
    assert found == code, errors
    assert said in errors and "Traceback" not in errors
    # a mistake found before the work begins leaves no folder that would then belong to the wrong recipe
    assert (tmp_path / "r").exists() is ("same seed" in said)


def test_a_corrupt_archive_is_told_and_the_rest_is_kept(start: Start, tmp_path: Path) -> None:
    sample = TINY.parents[2] / "recipes" / "samples" / "web.warc.gz"
    data = sample.read_bytes()
    broken = tmp_path / "broken.warc.gz"
    broken.write_bytes(data[: len(data) // 2] + b"\x00" * 200 + data[len(data) // 2 + 200 :])
    inputs = f'corpus.sources.web.options.inputs=["{broken}"]'
    code, out, errors = finish(
        start("corpus", "build", str(TINY), "--out", str(tmp_path / "c"), "--only", "web", "--set", inputs, "--json")
    )
    assert code == 0, errors
    stats = json.loads(out)
    assert stats["sources"]["web"]["kept"]["docs"] >= 8
    assert "read" in stats["sources"]["web"]["dropped"]


def test_a_damaged_shard_names_the_file(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed / "corpus", tmp_path / "corpus")
    shard = next((tmp_path / "corpus" / "synthetic" / "train").glob("*.zst"))
    shard.write_bytes(shard.read_bytes()[:-40])
    code, _, errors = finish(
        start(
            "tokenize",
            str(tmp_path / "corpus"),
            "--tokenizer",
            str(undisturbed / "tokenizer"),
            "--out",
            str(tmp_path / "t"),
        )
    )
    assert code == 4
    assert str(shard) in errors and "mend:" in errors


@pytest.mark.slow
def test_the_plan_is_quick_and_writes_nothing(start: Start, tmp_path: Path) -> None:
    started = time.monotonic()
    code, out, errors = finish(start("reproduce", "mini", "--plan", "--out", str(tmp_path / "r"), cwd=tmp_path))
    assert code == 0, errors
    assert time.monotonic() - started < 5
    assert all(stage in out for stage in ("corpus", "train-base", "train-math", "eval-math", "report"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system smaller than the run."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a small file system needs rights that are not here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_run_goes_on_with_space(start: Start, undisturbed: Path, small_disk: Path) -> None:
    out = small_disk / "tiny"
    code, _, errors = finish(start("reproduce", str(TINY), "--out", str(out)))
    assert code == 1, errors
    assert "disk is full" in errors and "mend:" in errors and "Traceback" not in errors
    kept = {path.name for path in (out / "marks").glob("*.json")}
    assert kept
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    code, _, errors = finish(start("reproduce", str(TINY), "--out", str(out)))
    assert code == 0, errors
    assert "problems: done before" in errors
    assert numbers(out) == numbers(undisturbed)
