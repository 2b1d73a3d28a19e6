"""Checkpoints of a training run: whole or not at all, checksummed, the last few kept, `latest` naming the newest.

    checkpoints/step-000400/state.json              Manifest: where the run stood, and a digest of every file
    checkpoints/step-000400/*                       a Hugging Face folder; under torchrun without its weights
    checkpoints/step-000400/train_state/*           moments and counters of the optimizer; under torchrun weights, too

All numbers lie in safetensors files, so reading a checkpoint runs nothing of it. Under torchrun every process writes
its own slices (torch.distributed.checkpoint). There and on a GPU training goes on meanwhile. Any number of processes
reads what any other wrote, and so does everything that reads a Hugging Face folder with `model.stored`.
"""

from __future__ import annotations

import os
import shutil
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from llemma.core.console import Console
from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.files import disk_error, file_digest, read_json, replacing, write_json
from llemma.model import weights
from llemma.model.stored import sharded
from llemma.tokens.tokenizer import Tokenizer
from llemma.train.feed import Span
from llemma.train.guard import Journal, Seen
from llemma.train.mesh import Mesh
from llemma.train.optim import Optimizers
from llemma.train.sharding import fill, gathered

STATE = "train_state"


class TrainState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stood: `step` steps of `batch` windows of `context` tokens are done, `skipped` of them without an
    update; `rollbacks` came before; `left_out` are places of the data that it passed; `seen` and `streak` are the
    guard's."""

    work: str
    batch: int
    context: int
    step: int = 0
    skipped: int = 0
    rollbacks: int = 0
    left_out: list[Span] = []
    seen: list[Seen] = []
    streak: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """`state.json` of a checkpoint: the run's state, and the digest of each file by its path in the folder."""

    state: TrainState
    files: dict[str, str]


def saved(run: Path) -> list[Path]:
    """Checkpoint folders of a run, oldest first."""
    return sorted(path for path in (run / "checkpoints").glob("step-*") if path.is_dir())


def newest(run: Path, journal: Journal, mesh: Mesh, console: Console, *, fresh: bool = False) -> Path | None:
    """The newest whole checkpoint of a run with that `journal`, None without one; `fresh`: of those that rollbacks have
    not tried in vain.

    A damaged one is passed with a word.
    """
    for folder in reversed(mesh.agree(saved(run))):
        found = mesh.agree(_manifest(folder, console) if mesh.leader else None)
        if found is None or found.state.work != journal.work:
            continue
        if not journal.holds(found.state.step, found.state.rollbacks):
            continue
        if fresh and journal.spent(found.state.step):
            continue
        damage = damaged(folder, found, mesh)
        if not damage:
            return folder
        console.warn(f"{folder} is damaged ({damage}); the checkpoint before it is used")
    return None


def _manifest(folder: Path, console: Console) -> Manifest | None:
    try:
        return read_json(folder / "state.json", Manifest)
    except (DataError, MissingError) as error:
        console.warn(f"{folder} is damaged ({error.what}); the checkpoint before it is used")
        return None


def damaged(folder: Path, manifest: Manifest, mesh: Mesh) -> str:
    """The name of a file that is not what it was; empty for a whole checkpoint. The processes share the reading."""
    mine = list(manifest.files.items())[mesh.rank :: mesh.size]
    wrong = (name for name, wanted in mine if not (folder / name).is_file() or file_digest(folder / name) != wanted)
    return next((name for name in mesh.gather(next(wrong, "")) if name), "")


def restore(folder: Path, model: nn.Module, optimizers: Optimizers) -> TrainState:
    """Load a checkpoint into model and optimizers, however either is divided; returns where its run stood."""
    try:
        if sharded(folder):
            _read(folder / STATE, dict(model.named_parameters()))
        elif hasattr(model, "inner"):  # transformers' own module has other names on disk
            cut = any(hasattr(weight, "full_tensor") for weight in model.parameters())
            weights.restore(model, folder, fill if cut else None)
        else:
            _read(folder, dict(model.named_parameters()))
        moments = _like(_sizes(folder / STATE), optimizers)
        _read(folder / STATE, moments)
        optimizers.load(moments)
        return read_json(folder / "state.json", Manifest).state
    except (DataError, OSError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(
            f"the checkpoint does not fit this network or optimizer: {error}",
            where=str(folder),
            mend="use the recipe that it was written with",
        ) from error


def _reader(folder: Path) -> Any:
    import torch.distributed.checkpoint as dcp

    return dcp.HuggingFaceStorageReader(str(folder))  # type: ignore[attr-defined]


def _sizes(folder: Path) -> dict[str, tuple[int, ...]]:
    metadata = _reader(folder).read_metadata().state_dict_metadata
    return {name: tuple(entry.size) for name, entry in metadata.items()}


def _read(folder: Path, into: dict[str, Any]) -> None:
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", UserWarning)  # that there is one process only
        tensors = {name: value.detach() for name, value in into.items()}
        dcp.load(tensors, storage_reader=_reader(folder), no_dist=not dist.is_initialized())  # type: ignore[attr-defined]


def _like(sizes: dict[str, tuple[int, ...]], optimizers: Optimizers) -> dict[str, Tensor]:
    """Room for the optimizer's stored state: divided as the weights where it has their shape."""
    found = {}
    for path, size in sizes.items():
        name, _, key = path.rpartition("/")
        if not name:
            continue  # a weight
        weight = optimizers.parameters[name]
        same = tuple(weight.shape) == size and key != "step"
        found[path] = torch.zeros_like(weight) if same else torch.zeros(size, device=weight.device)
    return found


def export(model: nn.Module, folder: Path, tokenizer: Tokenizer, mesh: Mesh) -> None:
    """Write the model as a Hugging Face folder; the leader writes, the others help it to gather the weights."""
    if mesh.leader:
        with replacing(folder) as temporary:
            _write_weights(model, temporary, tokenizer)
    else:
        gathered(model)
    mesh.agree(None)


def _write_settings(model: nn.Module, folder: Path, tokenizer: Tokenizer) -> None:
    weights.save_settings(model, folder, tokenizer=tokenizer.path.parent, bos=tokenizer.bos, eos=tokenizer.eos)


def _write_weights(
    model: nn.Module, folder: Path, tokenizer: Tokenizer, tensors: dict[str, Tensor] | None = None
) -> None:
    origin = tokenizer.path.parent
    weights.save(model, folder, tokenizer=origin, bos=tokenizer.bos, eos=tokenizer.eos, tensors=tensors)


class Writer:
    """Writes the checkpoints of a run and removes old ones; `ready` turns true when one is whole on this process."""

    def __init__(self, run: Path, mesh: Mesh, tokenizer: Tokenizer, keep: int) -> None:
        self.run, self.mesh, self.tokenizer, self.keep = run, mesh, tokenizer, max(1, keep)
        self.pool = ThreadPoolExecutor(1, "checkpoint")
        self.under_way: tuple[Future[dict[str, str]], Path, TrainState] | None = None
        self.group: Any = None
        self.beside = mesh.distributed or mesh.device.type == "cuda"
        """Whether training goes on meanwhile. On a CPU alone it would wait for the same cores, and need memory for the
        copy."""

    def save(self, model: nn.Module, optimizers: Optimizers, state: TrainState) -> None:
        """Write the checkpoint of `state`; where it is written `beside` the training this returns when its numbers are
        copied, and `finish` makes it count."""
        self.finish()
        target = self._target(state)
        folder = target.with_name(f".{target.name}.{state.work[:8]}.tmp")  # `files.sweep` knows this form
        if self.mesh.leader:
            shutil.rmtree(folder, ignore_errors=True)
            (folder / STATE).mkdir(parents=True)
        self.mesh.agree(None)
        (self._slices if self.mesh.distributed else self._whole)(model, optimizers, state, folder)
        if not self.beside:
            self.finish()

    def _target(self, state: TrainState) -> Path:
        return self.run / "checkpoints" / f"step-{state.step:06d}"

    def _whole(self, model: nn.Module, optimizers: Optimizers, state: TrainState, folder: Path) -> None:
        """Of a process alone: a Hugging Face folder."""
        tensors, moments = weights.tensors_of(model), optimizers.state()
        if self.beside:
            tensors, moments = weights.copied(tensors), weights.copied(moments)

        def written() -> dict[str, str]:
            _write_weights(model, folder, self.tokenizer, tensors)
            save_file(moments, folder / STATE / "optimizer.safetensors")
            return digests(folder, folder)

        self.under_way = self.pool.submit(written), folder, state

    def _slices(self, model: nn.Module, optimizers: Optimizers, state: TrainState, folder: Path) -> None:
        """Under torchrun: what each process holds."""
        import torch.distributed as dist
        import torch.distributed.checkpoint as dcp

        if self.mesh.leader:
            _write_settings(model, folder, self.tokenizer)
        self.group = self.group or dist.new_group(backend="gloo")  # its own: it is used beside the steps
        tensors = {**{name: weight.detach() for name, weight in model.named_parameters()}, **optimizers.state()}
        writer = dcp.HuggingFaceStorageWriter(str(folder / STATE), save_distributed=True)  # type: ignore[attr-defined]
        copied: Any = dcp.async_save(  # type: ignore[attr-defined]
            tensors, storage_writer=writer, process_group=self.group
        )
        mine = f"shard-{self.mesh.rank + 1:05d}-*"

        def finished() -> dict[str, str]:
            copied.result()
            settings = digests(folder, folder, "*") if self.mesh.leader else {}
            return settings | digests(folder / STATE, folder, mine)

        self.under_way = self.pool.submit(finished), folder, state

    @property
    def ready(self) -> bool:
        """Whether this process has written its part of the checkpoint under way."""
        return self.under_way is not None and self.under_way[0].done()

    def finish(self) -> None:
        """Make the checkpoint under way count, once all processes have written it; all call this together."""
        if self.under_way is None:
            return
        (future, folder, state), self.under_way = self.under_way, None
        parts = self.mesh.gather(_outcome(future))
        failure = next((part for part in parts if isinstance(part, str)), None)
        if failure is not None:
            raise LlemmaError(f"cannot write the checkpoint: {failure}", where=str(folder), mend="check the disk")
        if self.mesh.leader:
            files = {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}
            missing = [path.name for path in (folder / STATE).iterdir() if f"{STATE}/{path.name}" not in files]
            assert not missing, f"files of nobody: {missing}"
            write_json(folder / "state.json", Manifest(state, files))
            target = self._target(state)
            shutil.rmtree(target, ignore_errors=True)
            folder.replace(target)
            self._forget(target)
        self.mesh.agree(None)

    def _forget(self, new: Path) -> None:
        """Point `latest` to the new checkpoint, and remove all but the last `keep`."""
        link = new.parent / f".latest.{new.name[-8:]}.tmp"
        link.unlink(missing_ok=True)
        link.symlink_to(new.name)
        link.replace(new.parent / "latest")
        older = [folder for folder in saved(self.run) if folder != new]
        for folder in older[: max(0, len(older) - self.keep + 1)]:
            _remove(folder)

    def drop_after(self, step: int) -> None:
        """Remove the checkpoints after more than `step` steps: the run went back before them."""
        self.finish()
        for folder in saved(self.run) if self.mesh.leader else []:
            if int(folder.name.removeprefix("step-")) > step:
                _remove(folder)
        self.mesh.agree(None)


def _remove(folder: Path) -> None:
    """Remove a checkpoint; a kill on the way leaves nothing that looks like one."""
    hidden = folder.with_name(f".{folder.name}.00000000.tmp")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def digests(folder: Path, root: Path, pattern: str = "**/*") -> dict[str, str]:
    """The digests of a folder's files by their path below `root`; what they digest is on the disk."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        if path.is_file():
            with open(path, "rb") as handle:
                os.fsync(handle.fileno())
            found[str(path.relative_to(root))] = file_digest(path)
    return found


def _outcome(future: Future[dict[str, str]]) -> dict[str, str] | str:
    """What was written, or why it could not be."""
    try:
        return future.result()
    except OSError as error:
        return disk_error(error, Path(error.filename or ".")).what
    except Exception as error:  # torch wraps what went wrong in any process
        return f"{type(error).__name__}: {error}"
