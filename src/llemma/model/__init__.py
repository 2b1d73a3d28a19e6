"""The network: `Llama`, its checkpoints and its generation."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("Llama", "LlamaConfig"):
        from llemma.model import llama

        return getattr(llama, name)
    raise AttributeError(name)
