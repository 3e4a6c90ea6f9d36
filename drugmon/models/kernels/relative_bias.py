"""What a token's distance adds to the score of another: a learned number for each head and bucket.

Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
2020, section 2.1; MPNet has it too. Near distances have a bucket each, farther ones share buckets
that widen with the logarithm.
"""

from __future__ import annotations

import math

import torch

BUCKETS, FARTHEST = 32, 128
"""MPNet's."""


def distance_buckets(length: int, buckets: int = BUCKETS, farthest: int = FARTHEST) -> torch.Tensor:
    """The bucket of every distance, int64 (2 * length - 1,), in both directions.

    Args:
        length: tokens; distances, key less query, are from 1 - length to length - 1.
        buckets: how many there are, half of them for each direction.
        farthest: the distance from which on all share one bucket.
    """
    distance = torch.arange(1 - length, length)
    half = buckets // 2
    exact = half // 2
    size = distance.abs()
    steps = torch.log(size.float() / exact) / math.log(farthest / exact) * (half - exact)
    wide = (exact + steps.clamp_min(0).long()).clamp_max(half - 1)
    return (distance > 0) * half + torch.where(size < exact, size, wide)


def by_position(by_distance: torch.Tensor) -> torch.Tensor:
    """From numbers of distances (heads, 2 * L - 1) to those of query and key (heads, L, L)."""
    length = (by_distance.shape[1] + 1) // 2
    # The window that ends at the query's own place starts length - 1 - query behind the first.
    return by_distance.unfold(1, length, 1).flip(1)


class RelativeBias:
    """The numbers of all heads.

    Args:
        table: float32 (buckets, heads).
    """

    def __init__(self, table: torch.Tensor) -> None:
        self._table = table.T.contiguous()

    def by_distance(self, length: int) -> torch.Tensor:
        """Float32 (heads, 2 * length - 1): from the farthest behind to the farthest ahead."""
        return self._table[:, distance_buckets(length, self._table.shape[1])]

    def by_position(self, length: int, dtype: torch.dtype) -> torch.Tensor:
        """`dtype` (heads, length, length): of every query for every key."""
        return by_position(self.by_distance(length).to(dtype))
