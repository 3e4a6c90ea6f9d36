"""What the probabilities of some rows sum up to: enough for an estimate of quality from any n."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from drugmon.records import filled


@dataclass(frozen=True)
class Moments:
    """Over the `n` rows that have one label: sums of the probabilities, and of their products.

    `sums` (3,) is in the order of `LABELS`; `products` (3, 3) is symmetric.
    """

    n: int
    sums: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Moments:
        """The reverse of `to_dict`. Raises ValueError on another shape."""
        return filled(cls, data)
