"""`llemma exec`: rows in, rows out, in order, whatever the programs do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from llemma.cli.main import run

ROWS = [
    {"id": 1, "program": "print('a')\n6 * 7"},
    {"id": "two", "program": "while True: pass"},
    {"id": 3, "program": "import socket\nsocket.socket()"},
    {"id": None, "program": "import os\nos.kill(os.getpid(), 9)"},
    {"id": 5.5, "program": "x = bytearray(10**11)"},
    {"program": "1 / 0"},
    {"id": 7, "program": "print('x' * 10**6)"},
    {"id": 8, "program": "from sympy import *\nanswer = sqrt(8)"},
]
OUTCOMES = ["ok", "timeout", "denied", "killed", "memory", "error", "output_capped", "ok"]


def execute(tmp_path: Path, text: str, *options: str) -> list[dict[str, Any]]:
    source, out = tmp_path / "f.jsonl", tmp_path / "r.jsonl"
    source.write_text(text)
    code = run(["exec", str(source), "--out", str(out), "--timeout", "2", "-q", *options])
    if code == 3:
        pytest.skip("no sandbox on this machine")
    assert code == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.slow
def test_each_row_ends_in_its_class_in_order(tmp_path: Path, workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = execute(tmp_path, "".join(json.dumps(row) + "\n" for row in ROWS), "--workers", workers)
    assert [row["outcome"] for row in results] == OUTCOMES
    assert [row["id"] for row in results] == [row.get("id") for row in ROWS]
    assert list(results[0]) == ["id", "outcome", "stdout", "value", "seconds", "memory_mb", "srepr", "error", "mode"]
    assert (results[0]["stdout"], results[0]["value"], results[0]["mode"]) == ("a\n", "42", "full")
    assert results[7]["srepr"] == "Mul(Integer(2), Pow(Integer(2), Rational(1, 2)))"
    assert len(results[6]["stdout"]) == 65_536
    assert "8 programs (full isolation): 2 ok" in capsys.readouterr().out


def test_damaged_rows_are_error_rows_with_a_reason(tmp_path: Path) -> None:
    text = 'nonsense\n[1]\n{"id": 1}\n{"id": 2, "program": 7}\n\n{"id": {"a": 1}, "program": "1"}\n'
    text += '{"id": ' + "9" * 30 + ', "program": "1"}\n' + "[" * 5000 + "\n"
    text += '{"id": "\\ud800", "program": "x = \'\\ud800\'"}\n'
    results = execute(tmp_path, text)
    assert [row["outcome"] for row in results] == ["error"] * 4 + ["ok", "ok", "error", "error"]
    assert [row["id"] for row in results] == [None, None, 1, 2, None, "9" * 30, None, "?"]
    assert [row["error"][:20] for row in results[:4]] == [
        "the row is no JSON: ",
        "the row is list, not",
        "the row has no 'prog",
        "'program' is int, no",
    ]


def test_an_empty_file_gives_an_empty_file(tmp_path: Path) -> None:
    assert execute(tmp_path, "") == []


@pytest.mark.parametrize(("name", "write"), [("f.jsonl.gz", gzip.compress), ("f.jsonl.zst", zstandard.compress)])
def test_compressed_files(tmp_path: Path, name: str, write: Any) -> None:
    source, out = tmp_path / name, tmp_path / f"r{name}"
    source.write_bytes(write(b'{"id": 1, "program": "2"}\n'))
    code = run(["exec", str(source), "--out", str(out), "-q", "--mode", "seccomp"])
    assert code == 0
    data = (
        gzip.decompress(out.read_bytes())
        if name.endswith("gz")
        else zstandard.ZstdDecompressor().stream_reader(out.read_bytes()).read()
    )
    assert (json.loads(data)["value"], json.loads(data)["mode"]) == ("2", "seccomp")


def test_limits_are_those_of_the_command_line(tmp_path: Path) -> None:
    text = json.dumps({"id": 1, "program": "x = bytearray(200 << 20)"}) + "\n"
    assert execute(tmp_path, text, "--memory", "100")[0]["outcome"] == "memory"
    assert execute(tmp_path, text, "--memory", "300")[0]["outcome"] == "ok"


def test_what_is_missing_or_off_has_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "f.jsonl", str(tmp_path / "r.jsonl")
    assert run(["exec", str(source), "--out", out]) == 3
    source.write_text('{"id": 1, "program": "2"}\n')
    assert run(["exec", str(source), "--out", out, "--timeout", "0"]) == 2
    assert run(["exec", str(source), "--out", out, "--mode", "none"]) == 2
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(["exec", str(source), "--out", out]) == 3
    assert not Path(out).exists()
