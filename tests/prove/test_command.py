"""`llemma prove`, with the toy prover and, where it is installed, with Rocq."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llemma.cli.main import run
from llemma.core.errors import LlemmaError
from llemma.prove.config import ProverConfig
from llemma.prove.prover import open_prover
from llemma.prove.theorem import Theorem

TOY = ["--plugin", str(Path(__file__).parent / "toy.py"), "--prover", "toy"]
GRAPH = {"s0": {"on": "s1", "wrong": "error"}, "s1": {"on": "QED"}}
FIELDS = {"id", "outcome", "proof", "why", "seconds"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "proofs.jsonl").read_text().splitlines()]


@pytest.fixture
def file(tmp_path: Path, theorem: Callable[..., Theorem]) -> str:
    """Two theorems: one with a proof of two steps, one without any."""
    made = [theorem("good", GRAPH), theorem("bad", {"s0": {"on": "s0"}})]
    return str(write(tmp_path / "f.jsonl", *({"id": t.id, "header": "", "statement": t.statement} for t in made)))


def test_a_file_of_theorems(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["prove", "-m", "toy:", "-t", file, *TOY, "--out", str(out), "-q"]) == 0
    told = capsys.readouterr()
    good, bad = rows(out)
    assert good.keys() >= FIELDS and (good["outcome"], good["proof"]) == ("right", "on; on")
    assert (bad["outcome"], bad["proof"]) == ("wrong", "") and "every way ends; states seen: 1" in bad["why"]
    assert "1/2" in told.out and "must not be compared" in told.out and "baseline" in told.out
    assert "no baseline: no list of tactics for 'toy'" in told.err


def test_recorded_candidates_make_a_search_repeatable(file: str, tmp_path: Path) -> None:
    said = write(
        tmp_path / "said.jsonl", {"id": "good", "texts": ["wrong", "vernacular", "on"]}, {"id": "bad", "text": "x"}
    )
    found = []
    for name in ("one", "two"):
        out = tmp_path / name
        assert run(["prove", "-m", f"replay:{said}", "-t", file, *TOY, "--out", str(out), "-q", "--workers", "3"]) == 0
        found.append(
            [{key: value for key, value in row.items() if key not in ("seconds", "tree")} for row in rows(out)]
        )
    assert found[0] == found[1]
    assert [(row["outcome"], row["expansions"], row["tried"]) for row in found[0]] == [("right", 2, 4), ("wrong", 1, 1)]


def test_what_was_not_recorded_is_an_error(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = write(tmp_path / "said.jsonl", {"id": "good", "texts": ["on"]})
    out = tmp_path / "out"
    assert run(["prove", "-m", f"replay:{said}", "-t", file, *TOY, "--out", str(out), "-q"]) == 5
    assert [row["outcome"] for row in rows(out)] == ["right", "error"]
    assert "the model gave no candidates: not recorded" in capsys.readouterr().err


def test_options_reach_the_search(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = [
        "--samples",
        "1",
        "--expansions",
        "1",
        "--limit",
        "1",
        "--seconds",
        "9",
        "--protocol",
        "llemma",
        "--json",
    ]
    assert run(["prove", "-m", "toy:", "-t", file, *TOY, *options, "--out", str(out), "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    search = told["settings"]["search"]
    assert (search["samples"], search["expansions"], search["seconds"]) == (1, 1, 9.0)
    assert told["protocol"] == "llemma" and told["score"]["n"] == 1 and rows(out)[0]["outcome"] == "wrong"


def test_published_limits_are_the_defaults_and_lower_for_automation(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(["prove", "-m", "run:nowhere", "-t", file, *TOY, "--plan", "--json"]) == 0
    search = json.loads(capsys.readouterr().out)["settings"]["search"]
    assert (search["samples"], search["expansions"], search["seconds"]) == (32, 100, 600.0)
    assert run(["prove", "-m", "automation:", "-t", file, *TOY, "--plan"]) == 0
    told = capsys.readouterr().out
    assert "2 theorems under 1 headers" in told and "12 expansions" in told and "nothing was asked" in told
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-t", "f.jsonl", "--prover", "roq"], 4, "did you mean 'rocq'"),
        (["-t", "nowhere.jsonl", "--prover", "rocq"], 3, "no file of theorems"),
        (["-t", "minif2f-rok", "--prover", "rocq"], 4, "did you mean 'minif2f-rocq'"),
        (["-t", "f.jsonl", "--prover", "isabelle", "--mode", "search"], 2, "whole proofs"),
        (["-t", "f.jsonl", "--prover", "rocq", "--mode", "whole", "--format", "reprover"], 2, "proposes tactics"),
        (["-t", "f.jsonl"], 2, "--prover"),
    ],
)
def test_refusals(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "-m", "toy:", *arguments]) == code
    assert said in capsys.readouterr().err


def test_whole_proofs_of_a_recording(file: str, tmp_path: Path) -> None:
    said = write(tmp_path / "said.jsonl", {"id": "good", "texts": ["on", "on; on"]}, {"id": "bad", "text": "on"})
    out = tmp_path / "out"
    options = ["--mode", "whole", "--samples", "2", "--out", str(out), "-q", "--no-baseline"]
    assert run(["prove", "-m", f"replay:{said}", "-t", file, *TOY, *options]) == 0
    assert [(row["outcome"], row["proof"], row["tried"]) for row in rows(out)] == [
        ("right", "on; on", 2),
        ("wrong", "", 1),
    ]


@pytest.fixture(scope="module")
def rocq() -> None:
    try:
        open_prover("rocq", ProverConfig()).close()
    except (LlemmaError, ImportError) as error:
        pytest.skip(f"no Rocq: {error}")


@pytest.mark.slow
@pytest.mark.usefixtures("rocq")
def test_rocq_for_real_with_its_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(
        tmp_path / "f.jsonl",
        {"id": "plain", "header": "Require Import Arith.", "statement": "Theorem plain : 2 + 2 = 4."},
        {
            "id": "steps",
            "header": "Require Import Arith.",
            "statement": "Theorem steps (P Q : Prop) : P -> Q -> P /\\ Q.",
        },
        {"id": "false", "header": "Require Import Arith.", "statement": "Theorem false : 2 + 2 = 5."},
    )
    said = write(
        tmp_path / "said.jsonl",
        {"id": "plain", "texts": ["Admitted.", "reflexivity"]},
        {"id": "steps", "texts": ["intros p q", "split", "exact p", "exact q", "admit"]},
        {"id": "false", "texts": ["admit.", "reflexivity", "Axiom cheat : False."]},
    )
    out = tmp_path / "out"
    options = ["--prover", "rocq", "--expansions", "9", "--workers", "2", "--out", str(out), "-q"]
    assert run(["prove", "-m", f"replay:{said}", "-t", str(file), *options]) == 0
    plain, steps, false = rows(out)
    assert (plain["outcome"], plain["proof"]) == ("right", "reflexivity.")
    assert steps["outcome"] == "right" and steps["proof"].splitlines()[0] == "intros p q."
    assert (false["outcome"], false["proof"]) == ("wrong", "")
    results = json.loads((out / "results.json").read_text())
    assert results["baseline"]["score"]["outcomes"]["right"] == 2 and (out / "baseline" / "proofs.jsonl").is_file()
    assert "no-model baseline" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("rocq")
@pytest.mark.parametrize("mode", ["whole", "informal"])
def test_whole_proofs_for_rocq(tmp_path: Path, mode: str) -> None:
    row = {"header": "Require Import Arith.", "informal": "n + 0 is n.", "informal_proof": "By definition."}
    file = write(tmp_path / "f.jsonl", {"id": "t", "statement": "Theorem t : forall n, n + 0 = n.", **row})
    texts = ["auto with nothing.\nQed.", "Admitted.", "intros n.\n(* so *)\nlia.\nQed.\nTheorem more : False."]
    said = write(tmp_path / "said.jsonl", {"id": "t", "texts": texts})
    out = tmp_path / "out"
    options = ["--prover", "rocq", "--mode", mode, "--samples", "3", "--out", str(out), "-q", "--no-baseline"]
    assert run(["prove", "-m", f"replay:{said}", "-t", str(file), *options]) == 0
    [found] = rows(out)
    assert (found["outcome"], found["proof"]) == ("right", "intros n.\n(* so *)\nlia.")
