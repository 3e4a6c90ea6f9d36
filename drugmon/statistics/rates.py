"""Classification figures of confusion matrices, for one matrix or for thousands at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import LABELS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Rates(NamedTuple):
    """Figures of (..., 3, 3) confusion matrices; NaN where a figure is undefined.

    The first six have the leading shape (...), the per-class three have shape (..., 3).
    """

    accuracy: Floats
    macro_precision: Floats
    macro_recall: Floats
    macro_f1: Floats
    weighted_f1: Floats
    kappa: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def confusion(labels: Integers, predicted: Integers) -> Integers:
    """Count (true, predicted) pairs of label indices, both (n,): (3, 3), rows are the truth."""
    size = len(LABELS)
    return np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)


def rates(counts: Floats) -> Rates:
    """Figures of the confusion matrices `counts` (..., 3, 3), rows true, columns predicted.

    Where something is missing:

    * recall of a class without a true row, precision of a class that was never predicted, and F1 of
      a class that is neither true nor predicted are undefined (NaN);
    * macro figures average the classes that have true rows; a precision undefined there (the class
      was never predicted) counts as 0, as scikit-learn's `zero_division=0` does;
    * kappa is undefined where chance alone would agree always; an empty matrix has nothing but NaN.

    Kappa: J. Cohen, "A coefficient of agreement for nominal scales", 1960.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support, chosen = counts.sum(axis=-1), counts.sum(axis=-2)
    total = support.sum(axis=-1)
    precision, recall = _ratio(hits, chosen), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + chosen)
    accuracy = _ratio(hits.sum(axis=-1), total)
    chance = _ratio((support * chosen).sum(axis=-1), total * total)
    present = (support > 0).astype(np.float64)
    return Rates(
        accuracy=accuracy,
        macro_precision=_average(precision, present),
        macro_recall=_average(recall, present),
        macro_f1=_average(f1, present),
        weighted_f1=_average(f1, support),
        kappa=_ratio(accuracy - chance, 1 - chance),
        precision=precision,
        recall=recall,
        f1=f1,
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    """`part / whole`, NaN where `whole` is not positive (or is NaN itself)."""
    result = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _average(values: Floats, weights: Floats) -> Floats:
    """Mean over the last axis; an undefined value under a positive weight counts as 0."""
    return _ratio((np.nan_to_num(values) * weights).sum(axis=-1), weights.sum(axis=-1))
