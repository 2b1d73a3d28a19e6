"""What a run says of itself: rows in metrics.jsonl and to trackers, rates, the share of the machine's peak, memory."""

from __future__ import annotations

import contextlib
import importlib
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from llemma.core import registry
from llemma.core.console import count
from llemma.core.errors import MissingError, UsageError
from llemma.core.files import replacing
from llemma.train import hardware
from llemma.train.config import TrainConfig

Tracker = Callable[[dict[str, Any]], None]
"""Is told each row of metrics."""
TIMED = ("tokens_per_second", "seconds", "mfu", "memory")
"""Columns that differ between two runs that compute the same."""


class Metrics:
    """`metrics.jsonl` and the trackers. Rows after the step that training resumes from are cut off first; a rollback
    stays."""

    def __init__(self, path: Path, step: int, trackers: list[Tracker]) -> None:
        self.path, self.trackers = path, trackers
        self.cut(step)

    def cut(self, step: int) -> None:
        """Remove the rows of steps after `step`, which will be done again."""
        rows = _readable_rows(self.path) if self.path.exists() else []
        kept = [row for row in rows if (step and row["step"] <= step) or row.get("event") == "rollback"]
        with replacing(self.path) as temporary:
            temporary.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in kept))

    def write(self, row: dict[str, Any]) -> None:
        """Add a row, and tell the trackers."""
        with open(self.path, "ab") as out:
            out.write(msgspec.json.encode(row) + b"\n")
        for tracker in self.trackers:
            tracker(row)


def _readable_rows(path: Path) -> list[dict[str, Any]]:
    """All whole rows; a kill may have cut the last one."""
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(msgspec.json.decode(line))
        except msgspec.DecodeError:
            break
    return rows


def open_trackers(config: TrainConfig, run: Path) -> list[Tracker]:
    """The trackers that a phase names, each opened for its folder."""
    return [registry.find("tracker", name, where="train trackers")(run) for name in config.trackers]


def tensorboard(run: Path) -> Tracker:
    """Event files in `run/tensorboard`."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise _absent("tensorboard") from error
    writer = SummaryWriter(str(run / "tensorboard"))

    def tell(row: dict[str, Any]) -> None:
        for name, value in numbers(row).items():
            writer.add_scalar(name, value, row["step"])

    return tell


def wandb(run: Path) -> Tracker:
    """A run of Weights & Biases named as the folder; its own variables say where it goes."""
    try:
        client = importlib.import_module("wandb")
    except ImportError as error:
        raise _absent("wandb") from error
    session = client.init(project="llemma", name=f"{run.parent.name}/{run.name}", dir=str(run), resume="allow")
    return lambda row: session.log(numbers(row), step=row["step"])


def numbers(row: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a row, those of inner tables as `table/name`."""
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= numbers(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name != "step":
            found[prefix + name] = float(value)
    return found


def _absent(package: str) -> MissingError:
    return MissingError(f"{package} is not installed", where="train trackers", mend=f"pip install {package}")


class Clock:
    """Seconds since the start of this process' part, and tokens a second over the last ten steps."""

    def __init__(self, tokens: int, flops: float, peak: float) -> None:
        self.tokens, self.flops, self.peak, self.started = tokens, flops, peak, time.monotonic()
        self.ticks = [self.started]

    def tick(self) -> None:
        """A step of `tokens` tokens is done."""
        self.ticks = [*self.ticks[-10:], time.monotonic()]

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self.ticks[-1] - self.started

    @property
    def rate(self) -> float:
        """Tokens a second, of all processes."""
        passed = self.ticks[-1] - self.ticks[0]
        return self.tokens * (len(self.ticks) - 1) / passed if passed else 0.0

    @property
    def mfu(self) -> float:
        """Share of the peak of all devices together (model FLOPs utilisation; PaLM, arXiv 2204.02311, appendix B)."""
        return self.rate * self.flops / self.peak

    def line(self, loss: float, lr: float, memory: int) -> str:
        """The free text of the progress line."""
        size = f"{memory / 2**30:.1f} GiB"
        return f"loss {loss:.3f} | lr {lr:.1e} | {count(self.rate)} tok/s | mfu {100 * self.mfu:.0f}% | {size}"


def memory(device: torch.device) -> int:
    """The most bytes that this process held so far: of the GPU, or else of main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak(device: torch.device, config: TrainConfig) -> float:
    """FLOP/s of one device in the precision of `config`: published for a known kind of GPU, else measured here."""
    if device.type == "cuda":
        words = torch.cuda.get_device_name(device).split()
        for end in range(len(words), 0, -1):  # "NVIDIA H100 80GB HBM3"
            with contextlib.suppress(UsageError):
                return hardware.find(" ".join(words[:end])).peak(config.precision)
    return measured_peak(device, torch.float32 if config.precision == "fp32" else torch.bfloat16)


@torch.no_grad()
def measured_peak(device: torch.device, dtype: torch.dtype, size: int = 1024) -> float:
    """FLOP/s of the best of a few matrix products."""
    one = torch.ones(size, size, dtype=dtype, device=device)
    best = 1e9
    for _ in range(4):
        started = time.perf_counter()
        float((one @ one)[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best
