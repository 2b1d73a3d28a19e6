"""The job file is a valid script that starts one torchrun a node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llemma.train import slurm


@pytest.mark.parametrize("gpus, nodes, each", [(1, 1, 1), (8, 1, 8), (9, 2, 8), (256, 32, 8)])
def test_the_job_asks_for_whole_nodes_beyond_one(gpus: int, nodes: int, each: int) -> None:
    text = slurm.job("llemma-7b", ["llemma-7b", "--out", "a b"], "/data", gpus)
    assert f"#SBATCH --nodes={nodes}\n" in text and f"#SBATCH --gpus-per-node={each}\n" in text
    assert f"--nproc-per-node={each} " in text


def test_the_job_is_a_script_that_bash_reads_and_quotes_what_it_is_given(tmp_path: Path) -> None:
    hostile = "x; touch hacked $(touch hacked)"
    (tmp_path / "bin").mkdir()
    for name in ("srun", "scontrol"):
        tool = tmp_path / "bin" / name
        tool.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
        tool.chmod(0o755)
    job = tmp_path / "job.sh"
    job.write_text(slurm.job(hostile, [hostile, "--set", "a=[1, 2]"], str(tmp_path), 16))
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "SLURM_JOB_NODELIST": "n", "SLURM_NNODES": "2"}
    found = subprocess.run(
        ["bash", str(job)], env={**environment, "SLURM_JOB_ID": "7"}, capture_output=True, text=True, check=True
    )
    said = found.stdout.splitlines()
    assert said[0] == "torchrun" and said[-5:] == ["llemma", "train", hostile, "--set", "a=[1, 2]"]
    assert not (tmp_path / "hacked").exists()
