"""How good predicted labels and probabilities are against true labels, with bootstrap intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drugmon.labels import LABELS
from drugmon.statistics.bootstrap import draw_rows, group_sizes
from drugmon.statistics.figures import SCALARS, ClassQuality, Interval, Quality, ReliabilityBin
from drugmon.statistics.rates import Rates, confusion, rates
from drugmon.statistics.reliability import (
    BINS,
    TopLabel,
    calibration_error,
    gap_spread,
    top_label,
    wilson,
)

__all__ = ["ClassQuality", "Interval", "Quality", "ReliabilityBin", "measure"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def measure(
    labels: ArrayLike,
    predicted: ArrayLike,
    probabilities: ArrayLike,
    *,
    groups: Integers | None = None,
    resamples: int = 1000,
    seed: int,
) -> Quality:
    """Compare the label indices `predicted` with the true `labels`.

    `probabilities` give the calibration error only: `predicted` need not be their largest.
    Rows without a true label or without a verdict are to be left out before.

    Intervals are 95 % percentile bootstrap intervals (B. Efron, 1979): rows are drawn with
    replacement `resamples` times, as counts of rows that are alike in truth, prediction, bin and
    hit, which takes the same time for any n. Rows of one of `groups` are drawn together.

    The calibration error (`ece`; bins and source: `drugmon.statistics.reliability`) is different.
    It cannot be negative, so noise only ever adds to it, and resampling adds the noise again: its
    interval is the reversed percentile interval (2 value - quantile) that never leaves out the
    value, and begins at 0 where exactly right probabilities would show such an error by chance.
    `ece_floor` is what they would show on average.

    Undefined figures are None (rules: `rates`); their intervals are None too. A resample where a
    figure is undefined is left out of that figure's interval. With no rows everything is None and
    all counts 0.

    Raises ValueError for other shapes, labels or probabilities, and for `resamples` below 1.

    Args:
        labels: true label indices (n,), 0..2 as in `LABELS`.
        predicted: label indices (n,).
        probabilities: (n, 3), for the calibration error only.
        groups: numbers (n,), equal for rows that are copies; None where there are none.
        resamples: how often rows are drawn again.
        seed: of the draws.
    """
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    true, chosen, given = _checked(labels, predicted, probabilities)
    top = top_label(true, given)
    counts = confusion(true, chosen)
    random = np.random.default_rng(seed)
    drawn, errors = _resample(true, chosen, top, groups, resamples, random)
    point = rates(counts.astype(np.float64))
    spread = gap_spread(top, group_sizes(groups, len(true)))
    chance = np.abs(random.normal(size=(resamples, len(spread))) * spread).sum(axis=1)
    return Quality(
        n=len(true),
        resamples=resamples,
        **{name: _interval(getattr(point, name), getattr(drawn, name)) for name in SCALARS[:-1]},
        ece=_error_interval(calibration_error(top), errors, chance),
        ece_floor=_defined(np.sqrt(2 / np.pi) * spread.sum()) if len(true) else None,
        classes=tuple(_class_quality(index, counts, point, drawn) for index in range(len(LABELS))),
        confusion=tuple(tuple(int(cell) for cell in row) for row in counts),
        reliability=_reliability(top),
    )


def _checked(
    labels: ArrayLike, predicted: ArrayLike, probabilities: ArrayLike
) -> tuple[Integers, Integers, Floats]:
    true = _label_indices(labels, "labels")
    chosen = _label_indices(predicted, "predicted")
    given = _probabilities(probabilities, len(true))
    if len(chosen) != len(true):
        raise ValueError(f"{len(chosen)} predicted labels for {len(true)} true ones")
    return true, chosen, given


def _label_indices(values: ArrayLike, name: str) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or not (array.size == 0 or np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name} must be a vector of integers, not {array.dtype} {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= len(LABELS)):
        raise ValueError(f"{name} must be 0..{len(LABELS) - 1}; leave out rows without a label")
    return array.astype(np.int64)


def _probabilities(values: ArrayLike, n: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n, len(LABELS)):
        raise ValueError(f"probabilities must be ({n}, {len(LABELS)}), not {array.shape}")
    if not np.all((array >= 0) & (array <= 1 + 1e-6)):
        raise ValueError("probabilities must be finite and within 0..1")
    return array


def _resample(
    true: Integers,
    chosen: Integers,
    top: TopLabel,
    groups: Integers | None,
    resamples: int,
    random: np.random.Generator,
) -> tuple[Rates, Floats]:
    """Rates and calibration errors of `resamples` draws of the n rows with replacement.

    Rows of one cell differ only in confidence, by less than a bin is wide; their mean stands for
    them.
    """
    size, n = len(LABELS), len(true)
    if not n:
        return rates(np.zeros((resamples, size, size))), np.full(resamples, np.nan)
    code = ((true * size + chosen) * BINS + top.bin) * 2 + top.hit
    cells, cell_of, counts = np.unique(code, return_inverse=True, return_counts=True)
    drawn = draw_rows(cell_of, len(cells), groups, resamples, random)
    gap = np.bincount(cell_of, weights=top.confidence - top.hit) / counts
    pair = np.eye(size * size)[cells // (2 * BINS)]
    gaps = drawn @ (np.eye(BINS)[cells // 2 % BINS] * gap[:, None])
    return rates((drawn @ pair).reshape(-1, size, size)), np.abs(gaps).sum(axis=1) / drawn.sum(
        axis=1
    )


def _class_quality(index: int, counts: Integers, point: Rates, drawn: Rates) -> ClassQuality:
    return ClassQuality(
        label=LABELS[index],
        precision=_interval(point.precision[index], drawn.precision[:, index]),
        recall=_interval(point.recall[index], drawn.recall[:, index]),
        f1=_interval(point.f1[index], drawn.f1[:, index]),
        support=int(counts[index].sum()),
        predicted=int(counts[:, index].sum()),
    )


def _reliability(top: TopLabel) -> tuple[ReliabilityBin, ...]:
    bins = []
    for index in np.unique(top.bin):
        inside = top.bin == index
        confidence, hits = top.confidence[inside], int(top.hit[inside].sum())
        count = len(confidence)
        bins.append(
            ReliabilityBin(
                low=float(confidence.min()),
                high=float(confidence.max()),
                count=count,
                confidence=float(confidence.mean()),
                accuracy=Interval(hits / count, *wilson(hits, count)),
            )
        )
    return tuple(bins)


def _interval(value: float | Floats, draws: Floats) -> Interval:
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(defined):
        return Interval(_defined(value), None, None)
    low, high = np.quantile(defined, (0.025, 0.975))
    return Interval(float(value), float(low), float(high))


def _error_interval(value: float, draws: Floats, chance: Floats) -> Interval:
    """Interval of a calibration error, given its resamples and errors that chance alone makes."""
    percentile = _interval(value, draws)
    if percentile.low is None or percentile.high is None:
        return percentile
    low, high = 2 * value - percentile.high, 2 * value - percentile.low
    by_chance = value <= np.quantile(chance, 0.975)
    return Interval(value, 0.0 if by_chance else max(0.0, low), min(1.0, max(high, value)))


def _defined(value: float | Floats) -> float | None:
    return None if np.isnan(value) else float(value)
