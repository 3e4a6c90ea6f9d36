"""Counting the verdicts of one target, from arrays or from the cells of a database's aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import LABELS
from drugmon.monitoring.profiles.reference import NONE, TargetProfile
from drugmon.statistics.histogram import SHARE_EDGES, Histogram
from drugmon.statistics.moments import Moments

Floats = NDArray[np.float64]

_SIZE: Final = len(LABELS)
_BINS: Final = len(SHARE_EDGES) - 1
_PAIRS: Final = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""The products of two probabilities, in the order of the statement `count_verdicts`."""


class TargetCounts:
    """Counts, histograms and moments of one target's verdicts; add as much as there is."""

    def __init__(self) -> None:
        self.counts = np.zeros(_SIZE, np.int64)
        self.none = 0
        self._confidence = np.zeros(_BINS, np.int64)
        self._probabilities = np.zeros((_SIZE, _BINS), np.int64)
        self._sums = np.zeros((_SIZE, _SIZE))
        self._products = np.zeros((_SIZE, _SIZE, _SIZE))

    def add(self, labels: NDArray[np.integer], probabilities: Floats) -> None:
        """Add rows: labels (n,), -1 for no verdict, and probabilities (n, 3).

        Raises ValueError where a verdict has a NaN probability.
        """
        judged = labels >= 0
        self.none += int((~judged).sum())
        chosen, given = labels[judged], probabilities[judged]
        if np.isnan(given).any():
            raise ValueError("a verdict has a probability that is not a number")
        self.counts += np.bincount(chosen, minlength=_SIZE)
        confidence = given[np.arange(len(given)), chosen]
        self._confidence += _binned(confidence)
        for index in range(_SIZE):
            self._probabilities[index] += _binned(given[:, index])
            of_label = given[chosen == index]
            self._sums[index] += of_label.sum(axis=0)
            self._products[index] += of_label.T @ of_label

    def add_cells(self, cells: Sequence[tuple[Any, ...]]) -> None:
        """Add what the statement `count_verdicts` gives."""
        for label, confidence, *bins, rows, _, negative, neutral, positive in (
            cell[:10] for cell in cells
        ):
            if label is None:
                self.none += rows
                continue
            index = LABELS.index(label)
            self.counts[index] += rows
            self._confidence[confidence] += rows
            for probability_of, place in enumerate(bins):
                self._probabilities[probability_of, place] += rows
            self._sums[index] += (negative, neutral, positive)
        for cell in cells:
            if cell[0] is None:
                continue
            for (a, b), value in zip(_PAIRS, cell[10:], strict=True):
                self._products[LABELS.index(cell[0]), a, b] += value
                if a != b:
                    self._products[LABELS.index(cell[0]), b, a] += value

    def profile(self) -> TargetProfile:
        """What was added."""
        total = int(self.counts.sum())
        means = self._sums.sum(axis=0) / total if total else None
        return TargetProfile(
            counts={**dict(zip(LABELS, map(int, self.counts), strict=True)), NONE: self.none},
            confidence=_histogram(self._confidence),
            probabilities={
                name: _histogram(self._probabilities[index]) for index, name in enumerate(LABELS)
            },
            mean_probabilities=None
            if means is None
            else {name: float(mean) for name, mean in zip(LABELS, means, strict=True)},
            moments={
                name: Moments(
                    int(self.counts[index]),
                    tuple(map(float, self._sums[index])),
                    tuple(tuple(map(float, row)) for row in self._products[index]),
                )
                for index, name in enumerate(LABELS)
            },
        )


def _binned(values: Floats) -> NDArray[np.int64]:
    bins = np.searchsorted(np.asarray(SHARE_EDGES[1:-1]), values, side="right")
    return np.bincount(bins, minlength=_BINS)


def _histogram(counts: NDArray[np.int64]) -> Histogram:
    return Histogram(SHARE_EDGES, tuple(map(int, counts)))
