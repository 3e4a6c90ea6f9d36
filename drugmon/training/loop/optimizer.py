"""The optimizer: clipped AdamW in two groups, with a linear warm-up and decay of both rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from drugmon.training.recipe import Train

HEADS: Final = "heads."
"""Parameters whose name starts so learn at the head rate, all others at the adapter's."""


class Optimizer:
    """Updates `parameters` (by name) over `steps` steps as `settings` say."""

    def __init__(
        self, parameters: Mapping[str, torch.nn.Parameter], settings: Train, steps: int
    ) -> None:
        self._parameters = list(parameters.values())
        self._settings, self._steps = settings, steps
        heads = [name.startswith(HEADS) for name in parameters]
        self._rates = (settings.learning_rate, settings.head_learning_rate)
        groups = [
            {
                "params": [
                    p for p, is_head in zip(self._parameters, heads, strict=True) if is_head is head
                ]
            }
            for head in (False, True)
        ]
        self._adamw = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)

    def begin(self) -> None:
        """Forget the gradients of the step before."""
        self._adamw.zero_grad()

    def step(self, number: int) -> None:
        """Update by the gradients that are there; `number` counts the steps from 0."""
        factor = schedule(number, self._steps, self._settings.warmup)
        for group, rate in zip(self._adamw.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.max_grad_norm)
        self._adamw.step()

    def tensors(self) -> dict[str, Tensor]:
        """Return the moments and step counts as tensors named `index.field`."""
        state = self._adamw.state_dict()["state"]
        return {
            f"{i}.{field}": tensor
            for i, moments in state.items()
            for field, tensor in moments.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, _, field = name.partition(".")
            state.setdefault(int(index), {})[field] = tensor
        self._adamw.load_state_dict({**self._adamw.state_dict(), "state": state})


def schedule(step: int, steps: int, warmup: float) -> float:
    """Return the factor of the rates at `step` (from 0): linearly up, then linearly down to 0."""
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / (steps - rising)
