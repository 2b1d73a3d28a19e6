"""The loss of windows under a network, in one module, so that all that a step computes is inside one `forward`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llemma.core.errors import RecipeError
from llemma.model import packing
from llemma.model.llama import Llama
from llemma.train.config import TrainConfig

if TYPE_CHECKING:
    from llemma.train.tensor import Split  # needs DTensor, a second of imports

IGNORED = -100
"""The label of a place where nothing is asked for (torch's and transformers' convention)."""


class Objective(nn.Module):
    """Windows (rows, T + 1) -> what is minimised and the negative log-likelihood, both summed, in nats.

    They differ by the z-loss. `autocast`: products in bfloat16, all else in float32; without it, the network computes
    in the precision of its weights.
    """

    def __init__(self, network: nn.Module, config: TrainConfig, *, autocast: bool) -> None:
        super().__init__()
        if not isinstance(network, Llama) and (config.loss_chunk or config.document_mask):
            raise RecipeError(
                "loss_chunk and document_mask need our own network, and transformers' computes this checkpoint",
                where="train",
                mend="leave them out, or choose a checkpoint of a family that is covered",
            )
        self.network, self.config, self.autocast = network, config, autocast
        self.split: Split | None = None
        """How tensor parallelism divides the logits; None without it."""

    def forward(
        self, windows: Tensor, documents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`documents`, shaped as `windows`, number the documents that attention stays within (on the host, so that
        nothing waits for a GPU); `labels` (rows, T), aligned with the windows from their second id on, say what is
        asked for at each place, `IGNORED` where nothing is; None: every next id."""
        ids, targets = windows[:, :-1], (windows[:, 1:] if labels is None else labels).flatten()
        where = {} if documents is None else {"mask": self._within(documents[:, :-1], ids.device)}
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.autocast):
            if self.config.loss_chunk or self.split is not None:
                return self._chunked(ids, targets, where)
            logits = self.network(ids, **where)
        return _minimised(logits.float().flatten(0, 1), targets, self.config.z_loss)

    def _within(self, documents: Tensor, device: torch.device) -> Any:
        """What keeps attention within `documents` (B, T)."""
        assert isinstance(self.network, Llama)
        how = packing.way(device, half=self.config.precision != "fp32", slides=self.network.config.slides)
        return packing.seen(documents, device, how)

    def _chunked(self, ids: Tensor, targets: Tensor, where: dict[str, Any]) -> tuple[Tensor, Tensor]:
        assert isinstance(self.network, Llama)
        hidden, weight = self.network.hidden(ids, **where), self.network.lm_head.weight
        if self.split is not None:
            hidden, weight = self.split.whole(hidden), self.split.mine(weight)
        dtype = torch.bfloat16 if self.autocast else weight.dtype
        chunk = self.config.loss_chunk or targets.numel()
        flat = hidden.flatten(0, 1).to(dtype)
        return chunked_loss(flat, weight.to(dtype), targets, chunk, self.config.z_loss, self.split)


def _minimised(logits: Tensor, targets: Tensor, z_loss: float) -> tuple[Tensor, Tensor]:
    nats = F.cross_entropy(logits, targets, reduction="sum", ignore_index=IGNORED)
    if not z_loss:
        return nats, nats
    return nats + z_loss * logits.logsumexp(-1).square().masked_fill(targets == IGNORED, 0).sum(), nats


def chunked_loss(
    hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int, z_loss: float, split: Split | None = None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of `hidden` (N, D) under the output matrix `weight` (V, D), with logits for `chunk` rows at a time.

    Returns the sum with z-loss and without, float32. Gradients are made on the way forward, so no logits are kept and
    none are made twice. With `split`, `weight` is this process' rows of the matrix, and the gradient of `hidden` its
    part of the sum.
    """
    if torch.is_grad_enabled():
        total, nats = _Chunked.apply(hidden, weight, targets, chunk, z_loss, split)  # type: ignore[no-untyped-call]
        return total, nats
    parts = [
        _judged((rows @ weight.T).float(), wanted, z_loss, split)
        for rows, wanted in zip(torch.split(hidden, chunk), torch.split(targets, chunk), strict=True)
    ]
    return torch.stack([total for total, _ in parts]).sum(), torch.stack([nats for _, nats in parts]).sum()


def _judged(logits: Tensor, targets: Tensor, z_loss: float, split: Split | None) -> tuple[Tensor, Tensor]:
    if split is None:
        return _minimised(logits, targets, z_loss)
    counted = targets != IGNORED
    sums, asked = split.log_sums(logits.logsumexp(-1)), split.asked(logits, targets)
    nats = ((sums - asked) * counted).sum()
    return nats + z_loss * (sums.square() * counted).sum(), nats


class _Chunked(torch.autograd.Function):
    """The gradient of a row's cross-entropy by its logits is softmax - one-hot; with z-loss the softmax is weighted by
    1 + 2 z log-sum."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int, z_loss: float, split: Split | None
    ) -> tuple[Tensor, Tensor]:
        by_hidden, by_weight = torch.empty_like(hidden), torch.zeros_like(weight, dtype=torch.float32)
        nats = squares = torch.zeros((), device=hidden.device)
        for start in range(0, len(hidden), chunk):
            rows, wanted = hidden[start : start + chunk], targets[start : start + chunk]
            counted = (wanted != IGNORED)[:, None]
            logits = (rows @ weight.T).float()
            sums = logits.logsumexp(-1, keepdim=True)
            if split is None:
                inside, asked = counted, logits.gather(1, wanted.clamp(min=0)[:, None])
            else:
                sums, asked, inside = split.log_sums(sums), split.asked(logits, wanted)[:, None], split.inside(wanted)
            nats = nats + ((sums - asked) * counted).sum()
            slope = logits.sub_(sums).exp_()
            if z_loss:
                squares = squares + (sums.square() * counted).sum()
                slope *= 1 + 2 * z_loss * sums
            place = (wanted if split is None else wanted - split.first)[:, None].clamp(0, len(weight) - 1)
            slope = slope.scatter_add_(1, place, -inside.to(slope.dtype)).to(hidden.dtype)
            by_hidden[start : start + chunk] = (slope @ weight) * counted
            by_weight += slope.T @ (rows * counted)
        ctx.save_for_backward(by_hidden, by_weight.to(weight.dtype))
        ctx.mark_non_differentiable(nats)
        return nats + z_loss * squares, nats

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:  # that of `nats` is for reading only
        by_hidden, by_weight = ctx.saved_tensors
        return by_hidden * grads[0], by_weight * grads[0], None, None, None, None
