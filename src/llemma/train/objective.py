"""The loss of windows under a network, in one module, so that all that a step computes is inside one `forward`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llemma.core.errors import RecipeError
from llemma.model.llama import Llama, causal_mask
from llemma.train.config import TrainConfig

UNLABELLED = -100
"""In the place of an id that is not to be predicted, as in transformers and torch."""


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

    def forward(
        self, windows: Tensor, documents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`documents`, shaped as `windows`, number the documents that attention stays within; `labels` (rows, T) are
        the ids to predict, or -100 where nothing is learned."""
        ids, targets = windows[:, :-1], (windows[:, 1:] if labels is None else labels).flatten()
        where: dict[str, Any] = {} if documents is None else {"mask": document_mask(documents[:, :-1])}
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.autocast):
            if self.config.loss_chunk:
                return self._chunked(ids, targets, where)
            logits = self.network(ids, **where)
        counted = targets != UNLABELLED
        return _minimised(logits.flatten(0, 1)[counted].float(), targets[counted], self.config.z_loss)

    def _chunked(self, ids: Tensor, targets: Tensor, where: dict[str, Any]) -> tuple[Tensor, Tensor]:
        assert isinstance(self.network, Llama)
        counted = targets != UNLABELLED
        hidden, weight = self.network.hidden(ids, **where).flatten(0, 1)[counted], self.network.lm_head.weight
        targets = targets[counted]
        dtype = torch.bfloat16 if self.autocast else weight.dtype
        return chunked_loss(hidden.to(dtype), weight.to(dtype), targets, self.config.loss_chunk, self.config.z_loss)


def document_mask(documents: Tensor) -> Tensor:
    """(B, T) document numbers -> (B, 1, T, T), True where a query may look: at its own document, up to itself.

    Rotary positions need not start anew: attention depends on their differences alone.
    """
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same & causal_mask(0, documents.shape[1], documents.device)


def _minimised(logits: Tensor, targets: Tensor, z_loss: float) -> tuple[Tensor, Tensor]:
    nats = F.cross_entropy(logits, targets, reduction="sum")
    return (nats + z_loss * logits.logsumexp(-1).square().sum() if z_loss else nats), nats


def chunked_loss(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int, z_loss: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of `hidden` (N, D) under the output matrix `weight` (V, D), with logits for `chunk` rows at a time.

    Returns the sum with z-loss and without, float32. Gradients are made on the way forward, so no logits are kept and
    none are made twice.
    """
    if torch.is_grad_enabled():
        total, nats = _Chunked.apply(hidden, weight, targets, chunk, z_loss)  # type: ignore[no-untyped-call]
        return total, nats
    parts = [
        _minimised((rows @ weight.T).float(), wanted, z_loss)
        for rows, wanted in zip(torch.split(hidden, chunk), torch.split(targets, chunk), strict=True)
    ]
    return torch.stack([total for total, _ in parts]).sum(), torch.stack([nats for _, nats in parts]).sum()


class _Chunked(torch.autograd.Function):
    """The gradient of a row's cross-entropy by its logits is softmax - one-hot; with z-loss the softmax is weighted by
    1 + 2 z log-sum."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int, z_loss: float
    ) -> tuple[Tensor, Tensor]:
        by_hidden, by_weight = torch.empty_like(hidden), torch.zeros_like(weight, dtype=torch.float32)
        nats = squares = torch.zeros((), device=hidden.device)
        for start in range(0, len(hidden), chunk):
            rows, wanted = hidden[start : start + chunk], targets[start : start + chunk, None]
            logits = (rows @ weight.T).float()
            sums = logits.logsumexp(-1, keepdim=True)
            nats = nats + (sums - logits.gather(1, wanted)).sum()
            slope = logits.sub_(sums).exp_()
            if z_loss:
                squares = squares + sums.square().sum()
                slope *= 1 + 2 * z_loss * sums
            slope = slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, -1.0)).to(hidden.dtype)
            by_hidden[start : start + chunk] = slope @ weight
            by_weight += slope.T @ rows
        ctx.save_for_backward(by_hidden, by_weight.to(weight.dtype))
        ctx.mark_non_differentiable(nats)
        return nats + z_loss * squares, nats

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:  # that of `nats` is for reading only
        by_hidden, by_weight = ctx.saved_tensors
        return by_hidden * grads[0], by_weight * grads[0], None, None, None
