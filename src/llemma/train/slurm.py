"""A job file for Slurm: one torchrun a node, all of them one run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

NODE = 8
"""GPUs of a node, where nobody says otherwise."""

TEMPLATE = """#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={gpus}
#SBATCH --exclusive
#SBATCH --output={name}-%j.log
#SBATCH --open-mode=append
# Before the time is over, or when the job is pushed aside, the run stops after a step, writes a checkpoint and goes on
# in the next job; `scontrol requeue` or the same sbatch starts it.
#SBATCH --signal=INT@300
#SBATCH --requeue
# Say here what your cluster asks for:
##SBATCH --partition=gpu
##SBATCH --account=ACCOUNT
##SBATCH --time=24:00:00

set -euo pipefail
cd {folder}
export GOMP_SPINCOUNT=1000
export OMP_NUM_THREADS=8
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)

srun torchrun \\
    --nnodes="$SLURM_NNODES" \\
    --nproc-per-node={gpus} \\
    --rdzv-backend=c10d \\
    --rdzv-id="$SLURM_JOB_ID" \\
    --rdzv-endpoint="$head:29400" \\
    -m llemma train {arguments}
"""


def job(name: str, arguments: Sequence[str], folder: str, gpus: int) -> str:
    """The text of a job that runs `llemma train ARGUMENTS` from `folder` on `gpus` GPUs: whole nodes of eight, or a
    part of one. The run folder and the token stores must lie where all nodes see them."""
    nodes, each = (-(-gpus // NODE), NODE) if gpus > NODE else (1, gpus)
    letters = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return TEMPLATE.format(
        name=f"llemma-{letters}", nodes=nodes, gpus=each, folder=shlex.quote(folder), arguments=shlex.join(arguments)
    )
