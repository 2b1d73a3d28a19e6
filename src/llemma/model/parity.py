"""Do the weights mean what they should? One small batch through our network and through transformers' own.

A mistake in reading a config (a RoPE base, a scaling, a bias) still gives text that looks like text, a little worse.
Compared with the reference on the same tokens it shows at once.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llemma.core.errors import DataError, LlemmaError
from llemma.model.llama import Llama

FLOPS = 4e11  # of one forward pass: seconds on a few cores
TOKENS = 512
LIMITS = {torch.float32: 1e-3, torch.bfloat16: 0.03, torch.float16: 0.03}
"""Nats a token by which the two losses may differ; rounding alone stays far below (tests/model: 2e-6 in float32)."""

BLIND = 0.8
"""A loss above this share of ln(vocabulary) is hardly better than guessing: for a trained model, something is wrong."""


class Parity(msgspec.Struct, frozen=True):
    """Loss in nats a token of our network (`ours`) and of transformers' (`theirs`; None where it was not asked)."""

    ours: float
    theirs: float | None
    tokens: int
    vocab_size: int
    why_not: str = ""

    @property
    def line(self) -> str:
        """One line for the user."""
        found = f"parity: loss {self.ours:.4f} on {self.tokens:,} tokens"
        if self.theirs is None:
            return f"{found}, not compared with transformers: {self.why_not}"
        return f"{found}, transformers {self.theirs:.4f}, difference {abs(self.ours - self.theirs):.1e}"

    @property
    def warning(self) -> str:
        """What looks wrong with the loss itself; empty where nothing does."""
        guessing = math.log(self.vocab_size)
        if self.ours < BLIND * guessing:
            return ""
        return (
            f"its loss on the training text is {self.ours:.2f} nats a token, guessing gives {guessing:.2f}; "
            "check that the tokens were made with the checkpoint's own tokenizer, and that it is trained"
        )


def check(model: nn.Module, folder: Path, windows: Tensor, *, rope_theta: float | None = None) -> Parity:
    """Compare `model`, loaded from `folder`, with transformers' on the first of `windows` (rows, T + 1).

    Both compute in the precision of the weights. Raises `LlemmaError` where the losses differ by more than rounding
    explains, `DataError` for token ids beyond the vocabulary.
    """
    weight = next(model.parameters())
    count, vocabulary = sum(part.numel() for part in model.parameters()), int(model.config.vocab_size)  # type: ignore[union-attr,arg-type]
    budget = int(min(TOKENS, max(16, FLOPS / (2 * count))))
    length = min(budget, windows.shape[1] - 1)
    batch = windows[: budget // length, : length + 1].to(weight.device)
    if int(batch.max()) >= vocabulary:
        raise DataError(
            f"token id {int(batch.max())} is beyond the checkpoint's vocabulary of {vocabulary}",
            where=str(folder),
            mend="tokenise the corpus with the checkpoint's own tokenizer",
        )
    ours, why = _loss(model, batch), _obstacle(model, count, weight)
    theirs = None if why else reference(folder, batch, weight, rope_theta)
    found = Parity(ours, theirs, batch[:, 1:].numel(), vocabulary, why)
    limit = LIMITS.get(weight.dtype, 0.03)
    if not math.isfinite(ours) or (theirs is not None and not abs(ours - theirs) <= limit):
        raise LlemmaError(
            f"the weights do not mean here what they mean in transformers: {found.line.removeprefix('parity: ')}",
            where=f"{folder}/config.json",
            mend="train with implementation = 'transformers', and report the config; parity_check = false goes on",
        )
    return found


def reference(folder: Path, batch: Tensor, like: Tensor, rope_theta: float | None) -> float:
    """The loss of transformers' own module on `batch` (rows, T + 1), loaded anew from `folder`."""
    from llemma.model.foreign import Foreign, read

    return _loss(Foreign(read(folder, rope_theta=rope_theta, dtype=like.dtype).to(like.device)), batch)


@torch.no_grad()
def _loss(model: nn.Module, batch: Tensor) -> float:
    logits = model(batch[:, :-1])
    return float(F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten()))


def _obstacle(model: nn.Module, parameters: int, weight: Tensor) -> str:
    """Why transformers' module is not loaded beside ours; empty where it can be."""
    if not isinstance(model, Llama):
        return "it is transformers' own module"
    if importlib.util.find_spec("transformers") is None:
        return "it is not installed (pip install 'llemma[hf]')"
    needed = parameters * weight.element_size()
    free = torch.cuda.mem_get_info(weight.device)[0] if weight.is_cuda else needed
    if needed > min(_free_memory() / 2, free / 2 if weight.is_cuda else math.inf):
        return "there is no room for a second copy of the weights"
    return ""


def _free_memory() -> float:
    """Bytes of main memory that can be had; infinity where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    return math.inf
