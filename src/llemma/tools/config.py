"""The settings of a sandbox."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Mode = Literal["full", "seccomp", "rlimits"]
Isolation = Literal["full", "rlimits"]
"""Of a confined program (`tools/confined.py`)."""
Positive = Annotated[int, msgspec.Meta(ge=1)]


class SandboxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much a program may use, and how it is kept apart."""

    timeout: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """Wall seconds a program."""

    memory_mb: Positive = 512
    """MiB a program may add to the warm image it starts from. A program is one process, so this bounds all of it."""

    workers: Positive = 2
    """Programs that run at the same time."""

    output_bytes: Positive = 65_536
    """Standard output kept; a program that writes more is ended."""

    scratch_mb: Positive = 16
    """MiB of files in its own `/tmp`, gone when it ends."""

    mode: Mode = "full"
    """`full`: all layers. `seccomp`: fork, rlimits and the filter of system calls: no protection of files. `rlimits`:
    fork and rlimits only: no protection of files, processes or network."""

    packages: list[str] | None = None
    """Folders of packages that programs may import; without it, those of this interpreter."""
