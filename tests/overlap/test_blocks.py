"""The search under other executors: the bytes of one process, whoever searches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llemma.cli.main import run as llemma
from llemma.core.errors import DataError, MissingError, UsageError
from llemma.overlap.blocks import elsewhere
from llemma.overlap.items import of_file
from llemma.overlap.shards import discover
from llemma.overlap.work import Scanned, Search, opened
from llemma.reproduce.searching import slurm_settings

WRITTEN = ("h.jsonl", "h.contexts.jsonl", "h.fuzzy.jsonl")


def search(corpus: Path, items: Path, folder: Path, *more: str) -> list[bytes]:
    words = ["overlap", str(corpus), "-t", str(items), "--ngram", "10,full", "--fuzzy", "0.5"]
    assert llemma([*words, "--out", str(folder / "h.jsonl"), "-q", *more]) == 0
    return [(folder / name).read_bytes() for name in WRITTEN]


def facts(folder: Path) -> dict[str, object]:
    summary = json.loads((folder / "h.summary.json").read_text())
    return {key: value for key, value in summary.items() if key != "seconds"}


def test_processes_give_the_bytes_of_one(corpus: Path, items: Path, tmp_path: Path) -> None:
    calm = search(corpus, items, tmp_path / "calm", "--workers", "1")
    assert calm == search(corpus, items, tmp_path / "two", "--workers", "2") and calm[0]
    assert facts(tmp_path / "calm") == facts(tmp_path / "two")
    assert not list((tmp_path / "two" / "h.parts").glob(".tasks-*"))


@pytest.mark.slow
def test_jobs_of_slurm_give_the_bytes_of_one(
    corpus: Path, items: Path, tmp_path: Path, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm = search(corpus, items, tmp_path / "calm", "--workers", "1")
    out = tmp_path / "a 'blank' $(touch x)"
    words = ["overlap", str(corpus), "-t", str(items), "--ngram", "10,full", "--fuzzy", "0.5", "--json"]
    slurm = ["--executor", "slurm", "--slurm", "tasks=2", "--slurm", "directives=--qos=low"]
    capsys.readouterr()
    assert llemma([*words, "--out", str(out / "h.jsonl"), *slurm]) == 0
    told = json.loads(capsys.readouterr().out)
    logs = "\n".join(path.read_text() for path in [*spool.glob("*.log"), *out.rglob("*.log")])
    assert (told["shards"], told["tasks"], told["jobs"]) == (3, 2, ["100", "101"]), logs
    assert "--dependency=afterok:100" in (spool / "101.args").read_text().splitlines()
    assert "#SBATCH --qos=low" in Path(told["script"]).with_name("units.sh").read_text()
    assert [(out / name).read_bytes() for name in WRITTEN] == calm, logs
    assert not Path("x").exists()


def test_without_sbatch_the_scripts_are_there(
    corpus: Path, items: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    out = tmp_path / "h.jsonl"
    words = ["overlap", str(corpus), "-t", str(items), "--out", str(out), "--executor", "slurm", "--workers", "2"]
    assert llemma(words) == 0
    assert "not submitted: sbatch is not on this machine" in capsys.readouterr().out
    scripts = sorted((tmp_path / "h.parts" / "slurm").rglob("*.sh"))
    assert [path.name for path in scripts] == ["merge.sh", "submit.sh", "units.sh"]
    for script in scripts:
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_shares_work_side_by_side_and_not_beside_a_whole_search(corpus: Path, items: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.jsonl"
    words = ["overlap", str(corpus), "-t", str(items), "--out", str(out), "-q"]
    with opened(out, share=True):
        assert llemma([*words, "--share", "0/2"]) == 0
        assert llemma(words) == 1
    assert not out.exists() and len(list((tmp_path / "h.parts").glob("*.json"))) == 2


@pytest.mark.parametrize("wrong", ["tasks=many", "colour=red", "time"])
def test_settings_of_slurm_are_checked(wrong: str) -> None:
    with pytest.raises(UsageError):
        slurm_settings([wrong])


def test_without_ray_it_says_how_to_add_it(
    corpus: Path, items: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["overlap", str(corpus), "-t", str(items), "--out", str(tmp_path / "h.jsonl"), "--executor", "ray"]
    assert llemma(words) == MissingError.exit_code
    assert "llemma[ray]" in capsys.readouterr().err


@pytest.mark.slow
def test_a_ray_cluster_gives_the_bytes_of_one_process(corpus: Path, items: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    calm = search(corpus, items, tmp_path / "calm", "--workers", "1")
    assert search(corpus, items, tmp_path / "ray", "--executor", "ray", "--workers", "2") == calm
    assert facts(tmp_path / "ray") == facts(tmp_path / "calm")


def test_a_shard_that_fails_keeps_no_other_from_being_searched(corpus: Path, items: Path, tmp_path: Path) -> None:
    shards, finished = discover([corpus]), dict[int, Scanned]()

    def execute(pipeline: list[Any], tasks: int, workers: int, logs: Path, done: Any) -> None:
        for rank in range(tasks):
            if rank == 1:
                done(rank, DataError("rotten"))
            else:
                pipeline[0].run(None, rank, tasks)
                done(rank, None)

    with opened(tmp_path / "h.jsonl") as parts, pytest.raises(DataError, match="rotten"):
        some = list(of_file(items))
        elsewhere(execute, shards, some, Search((10,)), parts, workers=1, finished=finished.__setitem__)
    assert sorted(finished) == [0, 2] and [finished[0].subset, finished[2].subset] == ["code", "web"]
