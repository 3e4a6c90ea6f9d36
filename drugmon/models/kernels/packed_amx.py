"""The parts of `PackedBert` that CPUs with AMX have kernels for (`amx.py`)."""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional

from drugmon.models.kernels import amx
from drugmon.models.kernels.dense import Dense
from drugmon.models.kernels.ranges import WatchedLayer
from drugmon.models.kernels.relative_bias import RelativeBias

_STEP: Final = 256
"""Tokens of a batch are filled up to a multiple of it. oneDNN prepares a kernel for every number of
tokens, some 2 ms for all layers, and keeps few. And where tensors have few sizes, the memory of one
serves the next: with multiples of 64, a run came to take 90 MB more, and was no faster."""


class Packing:
    """Reviews of a batch one behind the other, without padding.

    Args:
        kept: bool (b, L), false at the end of reviews that are shorter than the longest.
        bias: added to the scores, by distance, float32 (heads, 2 * L - 1), if any.
    """

    def __init__(self, kept: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self.bias = bias
        self._shape = kept.shape
        self._places = kept.flatten().nonzero().squeeze(1)
        self.starts = functional.pad(kept.sum(dim=1).cumsum(dim=0), (1, 0))
        """The first token of each review and the one behind the last, int64 (b + 1,)."""

    @property
    def longest(self) -> int:
        """Tokens of the longest review, or more."""
        return self._shape[1]

    def pack(self, values: torch.Tensor) -> torch.Tensor:
        """Values (b, L) of the tokens (n,), behind them zeros up to a multiple of `_STEP`."""
        return functional.pad(values.flatten()[self._places], (0, -len(self._places) % _STEP))

    def unpack(self, states: torch.Tensor) -> torch.Tensor:
        """States (n, hidden) as (b, L, hidden), 0 at padding."""
        padded = states.new_zeros(self._shape.numel(), states.shape[1])
        padded[self._places] = states[: len(self._places)]
        return padded.view(*self._shape, -1)


class AmxAttend:
    """Attention within each review, all heads.

    Args:
        heads: how many.
        bias: added to the scores, if any.
    """

    def __init__(self, heads: int, bias: RelativeBias | None = None) -> None:
        self._heads, self._bias = heads, bias

    def plan(self, kept: torch.Tensor, dtype: torch.dtype = torch.bfloat16) -> Packing:
        """How the tokens `kept` (b, L) of a batch lie; the kernel knows one format."""
        del dtype
        return Packing(kept, self._bias.by_distance(kept.shape[1]) if self._bias else None)

    def __call__(self, qkv: torch.Tensor, plan: Packing) -> torch.Tensor:
        """Return bf16 (n, hidden) of queries, keys and values bf16 (n, 3 * hidden)."""
        return amx.attend(qkv, plan.starts, plan.longest, self._heads, plan.bias)


class AmxGelu:
    """A dense layer with GELU behind it, whose own fused one takes half of the layer's time."""

    def __init__(self, dense: Dense) -> None:
        self._dense = dense

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return bf16 (n, out) of x bf16 (n, in)."""
        return amx.gelu_(self._dense(x))


class AmxNorm:
    """A layer norm of what a dense layer adds to the states.

    Args:
        weight, bias: float32 (hidden,).
        eps: what is added to the variance.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, eps: float) -> None:
        self._weight, self._bias, self._eps = weight, bias, eps

    def after(
        self, dense: Dense | WatchedLayer, states: torch.Tensor, x: torch.Tensor
    ) -> torch.Tensor:
        """Return `x` (n, hidden) with what `dense` makes of `found`, normalised."""
        return amx.add_norm(dense(states), x, self._weight, self._bias, self._eps)
