"""Commands a stranger types: they start fast, say what they did, and end with the right code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llemma.cli.main import COMMANDS, run

Start = Callable[..., "subprocess.Popen[str]"]
TINY = Path(__file__).parents[1] / "reproduce" / "tiny.toml"


def call(start: Start, *arguments: str) -> tuple[int, str, str]:
    process = start(*arguments)
    out, errors = process.communicate(timeout=300)
    return process.returncode, out, errors


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from llemma.cli.main import run; code = run(['--help']);"
        "names = ('torch', 'numpy', 'pyarrow', 'transformers', 'lxml', 'rich', 'datatrove');"
        "heavy = [m for m in names if m in sys.modules];"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_help_answers_within_its_budget() -> None:
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "llemma", "--help"], capture_output=True, check=True)
        after = os.times()  # of the processor: a busy machine makes everything late
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(times) < 0.3


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_listed_command_exists_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: llemma {name}")


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reprodcue"]) == 2
    assert "did you mean 'reproduce'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "sources"],
        ["list", "steps"],
        ["list", "judges"],
        ["list", "backends"],
        ["list", "recipes"],
        ["recipe", "check", "mini"],
    ],
)
def test_names_and_recipes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert capsys.readouterr().out.strip()


def test_recipe_show_prints_a_recipe_that_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "show", str(TINY)]) == 0
    (tmp_path / "again.toml").write_text(capsys.readouterr().out)
    assert run(["recipe", "show", str(tmp_path / "again.toml")]) == 0
    assert capsys.readouterr().out == (tmp_path / "again.toml").read_text()
    assert run(["recipe", "show", str(TINY), "--set", "eval.k=5", "--why", "eval.k"]) == 0
    assert capsys.readouterr().out.strip() == "eval.k: --set"


def test_doctor_tells_what_is_there_and_how_to_add_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["torch"]["ok"] and "GiB" in checks["memory"]["found"]
    assert all(check["mend"] for check in checks.values() if not check["ok"])


@pytest.mark.slow
def test_corpus_stats_and_show(start: Start, undisturbed: Path) -> None:
    code, out, _ = call(start, "corpus", "stats", str(undisturbed / "corpus"))
    assert code == 0 and "algebraic-stack" in out
    code, out, _ = call(start, "corpus", "show", str(undisturbed / "corpus"), "-n", "1")
    assert code == 0 and "Problem:" in out
    code, out, _ = call(start, "corpus", "show", str(undisturbed / "corpus"), "--dropped")
    assert code == 0


@pytest.mark.slow
def test_tokenize_train_resume_export_generate(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    tokens, run_folder = tmp_path / "tokens", tmp_path / "run"
    code, out, errors = call(
        start,
        "tokenize",
        str(undisturbed / "corpus"),
        "--tokenizer",
        str(undisturbed / "tokenizer"),
        "--out",
        str(tokens),
    )
    assert code == 0 and "general/train" in out, errors
    code, out, errors = call(start, "train", str(TINY), "--set", f"data.tokens={tokens}", "--out", str(run_folder))
    assert code == 0, errors
    whole = undisturbed / "math" / "final" / "model.safetensors"
    assert (run_folder / "math" / "final" / "model.safetensors").read_bytes() == whole.read_bytes()
    code, _, errors = call(start, "train", "--resume", str(run_folder))
    assert code == 0 and "train-base: done before" in errors and "train-math: done before" in errors
    ids = tokens / "synthetic" / "train" / "tokens.bin"
    before = ids.read_bytes()
    ids.write_bytes(before[2:] + before[:2])
    code, _, errors = call(start, "train", "--resume", str(run_folder))
    assert code == 0 and "train-math ..." in errors, "other tokens behind the same path are other work"
    ids.write_bytes(before)
    code, _, errors = call(start, "export", str(run_folder / "math"), "--to", str(tmp_path / "hf"))
    assert code == 0 and not (tmp_path / "hf" / "train_state").exists()
    code, _, errors = call(start, "export", str(run_folder / "math"), "--to", str(tmp_path / "hf"))
    assert code == 2 and "exists" in errors
    code, out, _ = call(start, "generate", "-m", f"run:{tmp_path / 'hf'}", "Problem:", "--max-tokens", "5", "--n", "2")
    assert code == 0 and "---" in out


def test_train_without_data_or_recipe(start: Start) -> None:
    code, _, errors = call(start, "train", str(TINY))
    assert code == 4 and "data.tokens" in errors
    code, _, errors = call(start, "train")
    assert code == 2 and "recipe" in errors
    code, out, _ = call(start, "train", "mini", "--plan")
    assert code == 0 and "parameters" in out


def test_eval_rescore_report_of_a_users_own_problems(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(
        '{"problem": "What is 2 + 2?", "answer": "4"}\n{"problem": "Half of 6?", "answer": 3}\n'
    )
    (tmp_path / "said.jsonl").write_text(
        '{"id": "mine-1", "text": " The answer is 4."}\n{"id": "mine-2", "text": "No idea."}\n'
    )
    out = tmp_path / "eval"
    code, printed, errors = call(
        start, "eval", "-m", f"replay:{tmp_path / 'said.jsonl'}", "-t", str(tmp_path / "mine.jsonl"), "--out", str(out)
    )
    assert code == 0, errors
    assert "50.0" in printed
    code, again, _ = call(start, "rescore", str(out))
    assert code == 0 and "50.0" in again
    code, printed, errors = call(start, "report", str(out), "--out", str(tmp_path / "pages"))
    assert code == 0 and (tmp_path / "pages" / "index.html").is_file(), errors


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["eval", "-m", "rnu:x", "-t", "a.jsonl"], 3, "a.jsonl"),
        (["generate", "-m", "rnu:x", "hi"], 4, "did you mean 'run'?"),
        (["generate", "-m", "run:nowhere", "hi"], 3, "no checkpoint"),
        (["report", "nowhere"], 3, "nowhere"),
        (["view", "nowhere"], 3, "llemma report"),
        (["corpus", "stats", "nowhere"], 3, "nowhere"),
        (["corpus", "build", "nowhere"], 3, "no recipe"),
        (["list", "sorces"], 4, "did you mean"),
    ],
)
def test_wrong_input(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == code
    assert said in capsys.readouterr().err
