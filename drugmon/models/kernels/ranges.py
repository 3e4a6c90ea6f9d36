"""The ranges of what goes into dense layers, which products in int8 need: recorded, kept, read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from drugmon.errors import AdapterError
from drugmon.models.files import RANGES
from drugmon.models.kernels.dense import Dense


class ActivationRange(NamedTuple):
    """Least and largest value of each input of a dense layer, float32 (in,)."""

    low: torch.Tensor
    high: torch.Tensor

    @property
    def largest(self) -> torch.Tensor:
        """The largest absolute value of each (n,)."""
        return torch.maximum(self.low.abs(), self.high.abs())


class WatchedLayer:
    """A dense layer, of any kind, that records the range of what goes through it."""

    def __init__(self, dense: Dense) -> None:
        self._dense = dense
        self.range: ActivationRange | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the layer does."""
        self._record(x)
        result: torch.Tensor = self._dense(x)
        return result

    def plus(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return what the layer does with `x` (n, in) and `other` (n, out)."""
        self._record(x)
        result: torch.Tensor = self._dense.plus(x, other)
        return result

    def _record(self, x: torch.Tensor) -> None:
        low, high = (bound.float() for bound in x.aminmax(dim=0))
        if self.range:
            low = torch.minimum(low, self.range.low)
            high = torch.maximum(high, self.range.high)
        self.range = ActivationRange(low, high)


def save_ranges(watched: Mapping[str, WatchedLayer], folder: Path) -> None:
    """Write what was recorded, by the names of the layers."""
    ranges = {name: layer.range for name, layer in watched.items() if layer.range}
    save_file(
        {
            f"{name}.{bound}": values
            for name, channel_range in ranges.items()
            for bound, values in channel_range._asdict().items()
        },
        folder / RANGES,
    )


def load_ranges(folder: Path) -> dict[str, ActivationRange]:
    """Read what `save_ranges` wrote.

    Raises:
        AdapterError: the file holds something else.
    """
    path = folder / RANGES
    try:
        values = load_file(path)
        names = {key.rpartition(".")[0] for key in values}
        ranges = {
            name: ActivationRange(values[f"{name}.low"], values[f"{name}.high"]) for name in names
        }
    except (SafetensorError, KeyError) as error:
        raise AdapterError(f"{path} holds no ranges ({error}): train the adapter again") from error
    if not all(
        bound.isfinite().all() for channel_range in ranges.values() for bound in channel_range
    ):
        raise AdapterError(f"{path} holds numbers that are none: train the adapter again")
    return ranges
