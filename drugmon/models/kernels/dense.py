"""A dense layer laid out for scoring: a CPU packs weights, bias and activation into the product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch.nn import functional

from drugmon.models import internals

PLAIN: Final = "none"

ACTIVATIONS: Final[dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], tuple[str, str]]]] = {
    PLAIN: (lambda x: x, ("none", "none")),
    "gelu": (functional.gelu, ("gelu", "none")),
    "gelu_new": (lambda x: functional.gelu(x, approximate="tanh"), ("gelu", "tanh")),
    "relu": (functional.relu, ("relu", "none")),
    "silu": (functional.silu, ("swish", "none")),
}
"""By transformers' names: as a function, and as the packed product names it with its variant."""


class Dense:
    """x (n, in) -> act(x W' + b) (n, out), in the format of the weights.

    The packed operator is the one that torch's own compiler emits for such a layer on a CPU.
    `nn.Linear` copies the bias into the result first and lays the weights out anew in every call:
    6 to 11 % slower. Where it is not to be had, it is the plain product.

    Args:
        weight: (out, in), on the device that computes.
        bias: (out,), if any.
        act: one of `ACTIVATIONS`.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, act: str = PLAIN) -> None:
        self.dtype = weight.dtype
        self._bias = bias
        self._act, (name, variant) = ACTIVATIONS[act]
        self._after: internals.Activation = (name, [], variant)
        self._packed = weight.device.type == "cpu" and internals.packs_dense(weight.dtype)
        weight = weight.contiguous()
        if self._packed:
            weight = internals.pack_weight(weight)
        self._weight = weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the result for `x`, which is brought to the format of the weights."""
        x = x.to(self.dtype)
        if not self._packed:
            return self._act(functional.linear(x, self._weight, self._bias))
        return internals.dense(x, self._weight, self._bias, self._after)

    def plus(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return x W' + b + `other` (n, out), without the activation."""
        x = x.to(self.dtype)
        if not self._packed:
            return functional.linear(x, self._weight, self._bias) + other
        return internals.dense_with(x, other, self._weight, self._bias, "add")

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Return (x W' + b) * `factor` (n, out), without the activation."""
        x = x.to(self.dtype)
        if not self._packed:
            return functional.linear(x, self._weight, self._bias) * factor
        return internals.dense_with(x, factor, self._weight, self._bias, "mul")
