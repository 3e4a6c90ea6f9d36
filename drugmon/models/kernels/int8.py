"""int8 products for scoring on a CPU whose VNNI or AMX units multiply them twice as fast as bf16.

Weights get a scale for each output. What goes into them is 8 bits wide too, so its range has to be
known: training records it and writes it beside the weights (`ranges.py`). A few inputs are far
larger than the others, and would leave those no steps:

* behind a layer norm and behind attention, each input is shifted to the middle of its range, and
  inputs and weights share the burden (Xiao et al., "SmoothQuant", 2023);
* behind GELU, the widest inputs go through a small product of their own in the wider format
  (Dettmers et al., "LLM.int8()", 2022).

The operators are those that torch's own compiler emits for quantised layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import torch

from drugmon.errors import AdapterError
from drugmon.models import internals
from drugmon.models.files import RANGES
from drugmon.models.kernels.dense import PLAIN, Dense
from drugmon.models.kernels.ranges import ActivationRange

MARGIN: Final = 1.05
"""How far beyond the recorded range inputs are told apart; those further out are taken for it."""

SHARED: Final = 0.8
"""How much of a wide input's range its weights take over (SmoothQuant's alpha)."""

WIDE: Final = 16
"""Inputs behind GELU that are left out of the int8 product."""

_STEPS: Final = 255
_MIDDLE: Final = 128
"""The uint8 that stands for 0 where a range is symmetric."""

Parameters: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Weight (out, in) and bias (out,), float32."""


class Int8Dense:
    """x float32 (n, in) -> x W' + b (n, out).

    Args:
        layer: its weights.
        inputs: the range of x.
        dtype: the format of the result.
    """

    def __init__(self, layer: Parameters, inputs: ActivationRange, dtype: torch.dtype) -> None:
        self._smoothed = _Smoothed(layer, inputs)
        self._product = _Product(self._smoothed.layer, 1.0, _MIDDLE)
        self._into = _Into(dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the result for x."""
        return self._product(self._smoothed(x), self._into)


class Int8Projection:
    """The layer behind attention. Attention averages values, so those can come in its steps.

    Args:
        layer: its weights.
        inputs: the range of what attention gives.
    """

    def __init__(self, layer: Parameters, inputs: ActivationRange) -> None:
        self._smoothed = _Smoothed(layer, inputs)
        self._product = _Product(self._smoothed.layer, 1.0, _MIDDLE)

    def values(self, layer: Parameters) -> Parameters:
        """The layer that gives the values, made to give them in steps."""
        weight, bias = layer
        factor, shift = self._smoothed.factor, self._smoothed.shift
        return weight * factor[:, None], bias * factor + shift

    def plus(self, steps: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Add the result for `steps` (n, in), which are rounded, to `other` (n, out), in place."""
        return self._product.add_to(other, _as_uint8(steps))


class Int8FeedForward:
    """x float32 (n, hidden) -> norm(x + outer(GELU(inner(x)))).

    Args:
        inner, outer: the weights of both layers.
        inputs: the range of x.
        between: the range of what comes out of GELU.
        norm: of the states with what comes out of both.
    """

    def __init__(
        self,
        inner: Parameters,
        outer: Parameters,
        inputs: ActivationRange,
        between: ActivationRange,
        norm: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        wide = torch.zeros(len(between.low), dtype=torch.bool)
        wide[between.largest.topk(min(WIDE, len(wide) - 1)).indices] = True
        low = float(between.low[~wide].min()) * MARGIN
        high = float(between.high[~wide].max()) * MARGIN
        scale = max(high - low, 1e-6) / _STEPS
        self._between = _Into(torch.uint8, scale, min(max(round(-low / scale), 0), _STEPS))
        self._smoothed = _Smoothed(inner, inputs)
        weight, bias = self._smoothed.layer
        self._inner = _Product((weight[~wide], bias[~wide]), 1.0, _MIDDLE, "gelu")
        self._outer = _Product((outer[0][:, ~wide], outer[1]), scale, self._between.zero)
        self._wide_inner = Dense(inner[0][wide], inner[1][wide], "gelu")
        self._wide_outer = Dense(outer[0][:, wide], None)
        self._norm = norm

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the result for x."""
        wide = self._wide_outer.plus(self._wide_inner(x), x)
        return self._norm(self._outer.add_to(wide, self._inner(self._smoothed(x), self._between)))


class _Into(NamedTuple):
    """The format of a product's result; with its scale and its zero where that is uint8."""

    dtype: torch.dtype
    scale: float = 1.0
    zero: int = 0


class _Smoothed:
    """Brings x float32 (n, in) to uint8, each input by a factor and a shift of its own.

    `layer` takes them back: what it makes of their result is what the given one makes of x.
    """

    def __init__(self, layer: Parameters, inputs: ActivationRange) -> None:
        weight, bias = layer
        if inputs.low.shape != weight.shape[1:]:
            raise AdapterError(
                f"{RANGES} has {len(inputs.low)} inputs for a layer of {weight.shape[1]}: "
                "train the adapter again"
            )
        size = ((inputs.high - inputs.low) / 2).clamp_min(1e-3) * MARGIN
        shared = size**SHARED / weight.abs().amax(0).clamp_min(1e-3) ** (1 - SHARED)
        largest = (size / shared).max() / (_MIDDLE - 1)
        self.factor = 1 / (shared * largest)
        self.shift = -self.factor * (inputs.high + inputs.low) / 2
        scaled = weight / self.factor
        self.layer: Parameters = (scaled, bias - scaled @ self.shift)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return _as_uint8(torch.addcmul(self.shift, x, self.factor))


def _as_uint8(steps: torch.Tensor) -> torch.Tensor:
    """Steps from the middle as numbers from 0; `steps` are rounded."""
    steps = steps.round_().clamp_(1 - _MIDDLE, _MIDDLE - 1)
    # By way of int8, as torch converts to uint8 number by number.
    return steps.to(torch.int8).view(torch.uint8).bitwise_xor_(_MIDDLE)


class _Product:
    """x (n, in) uint8 -> act(x W' + b), with int8 weights.

    x is always uint8: for int8, oneDNN falls back to code without vectors.

    Args:
        layer: the weights as float32.
        scale, zero: what x is: scale * (x - zero).
        act: `none` or `gelu`.
    """

    def __init__(self, layer: Parameters, scale: float, zero: int, act: str = PLAIN) -> None:
        weight, self._bias = layer[0], layer[1].contiguous()
        if not (weight.isfinite().all() and self._bias.isfinite().all()):
            # Their products would saturate, and hide it.
            raise AdapterError("the adapter's weights hold numbers that are none: train it again")
        self._scales = weight.abs().amax(1).clamp_min(1e-12) / 127
        rounded = (weight / self._scales[:, None]).round().to(torch.int8)
        self._weight = internals.pack_quantised(rounded)
        self._input = (scale, zero)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._act = act

    def __call__(self, x: torch.Tensor, into: _Into) -> torch.Tensor:
        return internals.quantised(
            *(x, self._input, self._weight, self._scales, self._zeros, self._bias),
            into=(into.scale, into.zero, into.dtype),
            act=self._act,
        )

    def add_to(self, other: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Add the product to `other` (n, out), in place."""
        return internals.add_quantised(
            *(other, x, self._input, self._weight, self._scales, self._zeros, self._bias)
        )
