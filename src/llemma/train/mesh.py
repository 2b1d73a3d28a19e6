"""The processes of a run: one alone, or those that torchrun started, on one machine or many.

Processes of one run do the same at the same time. Process 0 leads: it alone writes files and talks, and it decides
where they could differ. A process alone is a mesh of size 1, in which every exchange is the identity.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from llemma.core.errors import RecipeError

T = TypeVar("T")
COMPUTING = datetime.timedelta(minutes=30)
"""How long a process waits for the others in a step; the first may compile for minutes."""
WAITING = datetime.timedelta(days=1)
"""How long the others wait for the leader, which reads a whole corpus of tokens to name the work."""


class Mesh:
    """`rank` of `size` processes; `distributed` where a launcher started them, even if it started only one."""

    def __init__(self, rank: int = 0, size: int = 1, device: str = "", *, distributed: bool = False) -> None:
        self.rank, self.size, self.distributed = rank, size, distributed
        self.tensor = 1
        """Processes that compute each window together (`arrange`)."""
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.busy = False
        """Whether a phase is being trained: then an error of one process is for the launcher to end."""
        self.control: Any = None  # a group of its own for the leader's word: it may be waited for long

    @property
    def leader(self) -> bool:
        """Whether this process writes and talks."""
        return self.rank == 0

    @property
    def readers(self) -> int:
        """Groups of processes that read different windows."""
        return self.size // self.tensor

    @property
    def reader(self) -> int:
        """The number of this process' group."""
        return self.rank // self.tensor

    def arrange(self, tensor: int) -> Mesh:
        """Let each `tensor` neighbours compute the same windows together (tensor parallelism); returns the mesh."""
        if self.size % tensor:
            raise RecipeError(
                f"{self.size} processes cannot form groups of {tensor}",
                where="train tensor_parallel",
                mend="start a multiple of that number with torchrun, or change tensor_parallel",
            )
        self.tensor = tensor
        return self

    def agree(self, value: T) -> T:
        """The leader's `value`, in all processes."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self.control)
        return box[0]

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each of `values` summed over the processes, in float64; the same bits in all of them."""
        if self.size == 1:
            return list(values)
        table = torch.tensor(list(values), dtype=torch.float64, device=self.device)
        dist.all_reduce(table)
        return table.tolist()

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank, in all of them."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self.control)
        return found

    def every(self, yes: bool) -> bool:
        """Whether all processes say yes."""
        return all(self.gather(yes))

    def devices(self, replicas: int) -> DeviceMesh:
        """The processes as `replicas` copies of the model, each in slices (FSDP; HSDP where there are several), each
        slice computed by `tensor` neighbours."""
        if self.readers % replicas:
            raise RecipeError(
                f"{self.readers} processes cannot hold {replicas} copies of the model",
                where="train replicas",
                mend="start a multiple of that number, or change replicas",
            )
        axes = {"replicate": replicas, "shard": self.readers // replicas, "tensor": self.tensor}
        used = {name: size for name, size in axes.items() if size > 1 or name == "shard"}
        return init_device_mesh(self.device.type, tuple(used.values()), mesh_dim_names=tuple(used))


_current: list[Mesh] = []


def current() -> Mesh:
    """The mesh that `opened` opened, or that of this process alone."""
    return _current[-1] if _current else Mesh()


@contextmanager
def opened() -> Iterator[Mesh]:
    """Join the processes that torchrun started; inside, `current()` is their mesh.

    Gloo carries what lies in main memory, NCCL what lies on GPUs.
    """
    cuda = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if cuda:
        torch.cuda.set_device(local)
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=COMPUTING)
    found = Mesh(dist.get_rank(), dist.get_world_size(), f"cuda:{local}" if cuda else "cpu", distributed=True)
    found.control = dist.new_group(backend="gloo", timeout=WAITING)
    _current.append(found)
    try:
        yield found
    finally:
        _current.remove(found)
    dist.destroy_process_group()  # not after an error: the others may wait in an exchange that never comes
