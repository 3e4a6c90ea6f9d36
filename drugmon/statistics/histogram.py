"""Histograms over fixed edges: two of them can be compared, whatever data they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from drugmon.records import filled

SHARE_EDGES: Final = tuple(round(step / 20, 2) for step in range(21))
"""Edges for probabilities and confidences: 20 bins of .05."""

LENGTH_EDGES: Final = tuple(sorted({round(2 ** (step / 2)) for step in range(33)}))
"""Edges for text lengths in characters: 1 to 65,536, each about 1.4 times the one before."""


@dataclass(frozen=True)
class Histogram:
    """Counts of values between `edges`, one fewer than edges.

    A bin holds its lower edge and not its upper one. The last bin holds everything from its lower
    edge up, the first one everything below its upper edge.
    """

    edges: tuple[int | float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.counts) + 1 or any(count < 0 for count in self.counts):
            told = f"{len(self.edges)} edges do not fit {len(self.counts)} counts of 0 or more"
            raise ValueError(told)

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold."""
        return {"edges": list(self.edges), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Histogram:
        """The reverse of `to_dict`. Raises ValueError on another shape."""
        return filled(cls, data)


def histogram(values: ArrayLike, edges: tuple[float, ...]) -> Histogram:
    """Count `values` (n,), which hold no NaN, between the rising `edges`.

    Raises ValueError where a value is NaN.
    """
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError("a histogram takes no NaN; leave out what is missing")
    bins = np.searchsorted(np.asarray(edges[1:-1]), array, side="right")
    counts = np.bincount(bins, minlength=len(edges) - 1)
    return Histogram(edges, tuple(int(count) for count in counts))
