"""Which module computes a checkpoint: our own where it covers the config, else transformers'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from llemma.core.errors import MissingError
from llemma.model import weights
from llemma.model.foreign import Foreign
from llemma.model.llama import Llama
from llemma.model.llama_config import covered

Network = Llama | Foreign
"""Both have `forward(ids) -> logits`, `config` with the sizes, `blocks`, and the checkpoint's parameter names."""

Implementation = Literal["auto", "llemma", "transformers"]


def load(
    folder: Path,
    *,
    implementation: Implementation = "auto",
    rope_theta: float | None = None,
    dtype: torch.dtype | None = torch.float32,
    device: str | torch.device = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> Network:
    """The network of a checkpoint folder; other arguments as those of `weights.load`.

    `auto` takes our own module, and for what that does not cover transformers', which `say` is told with the reason.
    Raises what the two loaders raise, and `MissingError` where transformers is needed and not installed.
    """
    options: dict[str, Any] = {"rope_theta": rope_theta, "dtype": dtype, "device": device}
    why = covered(weights.read_table(folder)) if implementation == "auto" else ""
    if implementation == "llemma" or (implementation == "auto" and not why):
        return weights.load(folder, **options)
    from llemma.model import foreign

    try:
        found = foreign.load(folder, **options)
    except MissingError as error:
        raise MissingError(f"{why}; {error.what}" if why else error.what, where=error.where, mend=error.mend) from error
    if why:
        say(f"{folder}: {why}; transformers' own module computes it")
    return found
