"""Optimizers."""

from __future__ import annotations

import torch
from torch import nn

from llemma.core.errors import MissingError
from llemma.train.config import TrainConfig


class Optimizers:
    """One or two torch optimizers behind one face; parameters are named, so that their state can be saved by name."""

    def __init__(self, model: nn.Module, config: TrainConfig) -> None:
        self.parameters = dict(model.named_parameters())
        self.parts = _build(self.parameters, config)

    def step(self, lr: float) -> None:
        """Update all weights with the learning rate `lr` and clear the gradients."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = lr
            part.step()
        for weight in self.parameters.values():
            weight.grad = None

    def state(self) -> dict[str, torch.Tensor]:
        """All moments and counters as `<parameter>/<key>` tensors."""
        names = {id(weight): name for name, weight in self.parameters.items()}
        return {
            f"{names[id(weight)]}/{key}": torch.as_tensor(value).contiguous()
            for part in self.parts
            for weight, values in part.state.items()
            for key, value in values.items()
        }

    def forget(self) -> None:
        """Be as new: no moments, no counters."""
        for part in self.parts:
            part.state.clear()

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what `state` returned, and nothing from before."""
        self.forget()
        owners = {name: part for part in self.parts for name in self._names(part)}
        for path, tensor in state.items():
            name, _, key = path.rpartition("/")
            owners[name].state[self.parameters[name]][key] = tensor

    def _names(self, part: torch.optim.Optimizer) -> list[str]:
        mine = {id(weight) for group in part.param_groups for weight in group["params"]}
        return [name for name, weight in self.parameters.items() if id(weight) in mine]


def _build(parameters: dict[str, nn.Parameter], config: TrainConfig) -> list[torch.optim.Optimizer]:
    muon = config.optimizer == "muon"
    hidden = [weight for name, weight in parameters.items() if muon and weight.dim() == 2 and ".layers." in name]
    taken = {id(weight) for weight in hidden}
    matrices = [weight for weight in parameters.values() if weight.dim() > 1 and id(weight) not in taken]
    vectors = [weight for weight in parameters.values() if weight.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=config.peak_lr, betas=(config.beta1, config.beta2), fused=True)
    return [_muon(hidden, config), adamw] if muon else [adamw]


def _muon(weights: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """Muon with updates of AdamW's size, so that both share one learning rate (arXiv 2502.16982, section 2.2)."""
    if not hasattr(torch.optim, "Muon"):
        raise MissingError(
            f"torch {torch.__version__} has no Muon",
            where="train optimizer",
            mend="use torch 2.9 or newer, or optimizer = 'adamw'",
        )
    return torch.optim.Muon(
        weights, lr=config.peak_lr, momentum=0.95, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
