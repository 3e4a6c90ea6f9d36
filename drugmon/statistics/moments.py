"""What the probabilities of some rows sum up to: enough for an estimate of quality from any n."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Moments:
    """Over the `n` rows that have one label: sums of the probabilities, and of their products.

    `sums` (3,) is in the order of `LABELS`; `products` (3, 3) is symmetric.
    """

    n: int
    sums: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Moments:
        """The reverse of `to_dict`. Raises KeyError or TypeError on another shape."""
        rows = tuple(tuple(float(value) for value in row) for row in data["products"])
        return cls(int(data["n"]), tuple(float(value) for value in data["sums"]), rows)
