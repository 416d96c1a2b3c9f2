"""Optimiser and learning rate, by settings."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from .settings import TrainSettings

_LAST = 0.01
"""Share of the learning rate at the end of “cosine” and “hold”."""

_SLOW_SHARE = 1e-4
"""DSPNet's own matrix learns at 1e-4 of the rate, as published (the `cal` of `prototypes.bcma`, their `cls_unit`)."""


def build_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD or AdamW over all weights that ask for a gradient."""
    slow: list[nn.Parameter] = []
    usual: list[nn.Parameter] = []
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            (slow if _is_slow(name) else usual).append(weight)
    groups = [{"params": usual, "share": 1.0}]
    if slow:
        groups.append({"params": slow, "share": _SLOW_SHARE})
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, rate, momentum=settings.momentum, weight_decay=decay)
    return torch.optim.AdamW(groups, rate, betas=(settings.momentum, 0.98), weight_decay=decay)


def _is_slow(name: str) -> bool:
    return name.rpartition(".")[2] == "cal"


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Rate of step 0, 1, …; depends on the step alone."""
    rate = settings.learning_rate
    if step < settings.warm_up:
        rate *= (step + 1) / settings.warm_up
    if settings.schedule == "steps":
        return rate * float(settings.decay ** (step // settings.decay_every))
    if settings.schedule == "cosine":
        return rate * (_LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * step / settings.iterations)))
    left, cooldown = settings.iterations - step, min(settings.cooldown, settings.iterations // 3)
    return rate * max(_LAST, min(1.0, left / max(1, cooldown)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


class MovingAverage:
    """Exponential moving average of weights, a smoother and mostly better network than the last step's.

    Buffers (batch normalisation's statistics) are taken as they are.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after step 0, 1, …; the first steps count more, or the start would linger."""
        decay = min(self.decay, (1 + step) / (10 + step))
        parameters = {name for name, _ in network.named_parameters()}
        for name, value in network.state_dict().items():
            if name in parameters and value.dtype.is_floating_point:
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


def gradient_norm(weights: Iterable[nn.Parameter], most: float) -> torch.Tensor:
    """Norm of all gradients, which are scaled down to `most` if above it (0: never)."""
    return nn.utils.clip_grad_norm_(list(weights), most or math.inf)
