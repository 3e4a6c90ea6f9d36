"""The weights that a training changes: which they are, a copy of them, and setting them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from drugmon.training.loop.validation import Trainable

Weights = dict[str, Tensor]
"""Tensors by the names of their parameters."""


def trained_weights(model: Trainable) -> dict[str, nn.Parameter]:
    """The parameters that a training changes, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def copy_weights(parameters: Mapping[str, nn.Parameter]) -> Weights:
    """The values that parameters have now, which no later step changes."""
    return {name: weight.detach().clone() for name, weight in parameters.items()}


@torch.no_grad()
def set_weights(parameters: Mapping[str, nn.Parameter], weights: Mapping[str, Tensor]) -> None:
    """Give those parameters that `weights` names its values."""
    for name, weight in weights.items():
        parameters[name].copy_(weight)


def count_weights(model: Trainable) -> tuple[int, int]:
    """How many numbers are trained, and how many there are."""
    changed = sum(weight.numel() for weight in trained_weights(model).values())
    return changed, sum(weight.numel() for _, weight in model.named_parameters())
