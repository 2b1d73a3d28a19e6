"""Going on from another run's checkpoint under a new schedule: its weights, its optimizer, its place in the data.

The third way to begin, beside `init` (weights alone) and resuming (the same run, everything). Made for decay branches
of a run whose learning rate stays up (`schedule.decay_branch`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.core.files import digest, read_json, write_json
from llemma.train import checkpoint
from llemma.train.checkpoint import Manifest, TrainState
from llemma.train.mesh import Mesh


class Origin(msgspec.Struct, frozen=True):
    """`branch.json`: which checkpoint a run began with. It may be gone later, and the run still resumes."""

    branch: str
    folder: str
    identity: str


def identity(run: Path, named: str) -> str:
    """What names the content of the checkpoint that the run in folder `run` branches from."""
    return _origin(run, named).identity


def find(named: str, run: Path, mesh: Mesh, console: Console) -> Path:
    """The checkpoint folder, whole; raises `MissingError` and `DataError`."""
    folder = Path(mesh.agree(_origin(run, named).folder if mesh.leader else ""))
    if not (folder / "state.json").is_file():
        raise MissingError(
            f"the checkpoint {folder} is gone", where="train branch", mend="branch from one that is kept"
        )
    damage = checkpoint.damaged(folder, read_json(folder / "state.json", Manifest), mesh)
    if damage:
        raise DataError(f"the checkpoint is damaged: {damage}", where=str(folder), mend="branch from another one")
    return folder


def _origin(run: Path, named: str) -> Origin:
    path = run / "branch.json"
    if path.is_file():
        found = read_json(path, Origin)
        if found.branch == named:
            return found
    folder = Path(named).resolve()
    if not (folder / "state.json").is_file():
        among = checkpoint.saved(folder)
        if not among:
            raise MissingError(
                f"no checkpoint at {named}", where="train branch", mend="name RUN/PHASE or RUN/PHASE/checkpoints/step-N"
            )
        folder = among[-1]
    found = Origin(named, str(folder), digest(read_json(folder / "state.json", Manifest).files))
    write_json(path, found)
    return found


def state(trunk: TrainState, mine: TrainState, steps: int, folder: Path) -> TrainState:
    """Where a run of `steps` steps stands that takes over the checkpoint of `trunk`; raises `RecipeError` where their
    steps are not of one size or nothing is left to do."""
    if (trunk.batch, trunk.context) != (mine.batch, mine.context):
        raise RecipeError(
            f"the run to branch from has batches of {trunk.batch} x {trunk.context} tokens, this one of "
            f"{mine.batch} x {mine.context}",
            where=f"train branch, {folder}",
            mend="use its batch and context: steps and the place in the data count in them",
        )
    if trunk.step >= steps:
        raise RecipeError(
            f"the run to branch from has done {trunk.step} steps, and this one ends after {steps}",
            where=f"train tokens, {folder}",
            mend="tokens count from the beginning of that run; raise them",
        )
    return msgspec.structs.replace(trunk, work=mine.work, rollbacks=0)
