"""Training: `Trainer` runs one phase; `plan` says before what it costs."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "Trainer":
        from llemma.train.loop import Trainer

        return Trainer
    raise AttributeError(name)
