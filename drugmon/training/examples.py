"""Examples: encoded reviews with what they teach, and the batches that a training epoch takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.models.inputs import Batch, Encoded, collate

Array = NDArray[np.int64]

_POOL: Final = 20
"""Batches are cut from pools of this many, sorted by length: little padding, and still random."""


@dataclass(frozen=True)
class Examples:
    """`n` encoded reviews; of each target `levels` and `labels` (n,), int64, -1 where missing."""

    encoded: Sequence[Encoded]
    pad_id: int
    levels: Mapping[str, Array]
    labels: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def lengths(self) -> Array:
        """Tokens of each review (n,)."""
        return np.array([len(review) for review in self.encoded], np.int64)

    def labelled(self) -> Array:
        """Return the rows that teach at least one target, ascending."""
        known = np.zeros(len(self), dtype=bool)
        for labels in self.labels.values():
            known |= labels >= 0
        return np.flatnonzero(known)

    def take(self, rows: Array) -> Examples:
        """Return the examples at `rows`, which may repeat; the encoded reviews are shared."""
        return Examples(
            [self.encoded[row] for row in rows],
            self.pad_id,
            {target: levels[rows] for target, levels in self.levels.items()},
            {target: labels[rows] for target, labels in self.labels.items()},
        )

    def batch(self, rows: Array) -> Batch:
        """Return the padded batch of `rows`."""
        return collate([self.encoded[row] for row in rows], self.pad_id)


def length_grouped(lengths: Array, rows: Array, size: int, rng: np.random.Generator) -> list[Array]:
    """Shuffle `rows` into ceil(len(rows) / size) batches of similar `lengths`, in random order."""
    shuffled = rng.permutation(rows)
    batches = []
    for start in range(0, len(shuffled), size * _POOL):
        pool = shuffled[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[cut : cut + size] for cut in range(0, len(pool), size)]
    return [batches[index] for index in rng.permutation(len(batches))]
