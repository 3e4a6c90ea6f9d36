"""Shares and their differences: intervals, and tests that hold for few rows and for millions."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from drugmon.statistics.figures import Interval
from drugmon.statistics.reliability import wilson

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_ENOUGH: Final = 20
"""Expected rows of every cell from which the normal approximation serves."""


def share(count: int, n: int) -> Interval:
    """A share of `n` rows with its Wilson interval; undefined where n is 0."""
    return Interval(count / n, *wilson(count, n)) if n else Interval(None, None, None)


def change(count: int, n: int, before: int, n_before: int) -> Interval | None:
    """How much larger the share `count / n` is than `before / n_before`; None where one has no row.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions:
    comparison of eleven methods" (Statistics in Medicine 1998), method 10.

    Args:
        count: of the share.
        n: of all; 0 for none.
        before: of the share it is compared with.
        n_before: of all of these.
    """
    if not n or not n_before:
        return None
    now, then = count / n, before / n_before
    (low, high), (low_then, high_then) = wilson(count, n), wilson(before, n_before)
    down = np.hypot(now - low, high_then - then)
    up = np.hypot(high - now, then - low_then)
    return Interval(now - then, max(-1.0, now - then - down), min(1.0, now - then + up))


def same_share(counts: ArrayLike, n: ArrayLike, before: ArrayLike, n_before: ArrayLike) -> Floats:
    """P-values that shares are the same on both sides, two-sided, for arrays of any one shape.

    Where cells are small it is twice the smaller tail of the hypergeometric distribution (R. A.
    Fisher's exact test, doubled: never too small); else the chi-square test. 1 where a side is
    empty or the share is 0 or 1 on both.

    Args:
        counts: of the share, of any one shape.
        n: of all.
        before: of the share that they are compared with.
        n_before: of all of these.
    """
    k, m, k0, m0 = (
        np.asarray(values, dtype=np.int64)
        for values in np.broadcast_arrays(counts, n, before, n_before)
    )
    total, hits = m + m0, k + k0
    smallest = np.minimum(hits, total - hits) * (np.minimum(m, m0) / np.maximum(total, 1))
    result = np.ones(k.shape)
    large = smallest >= _ENOUGH
    exact = ~large & (smallest > 0)
    result[large] = _chi_square(k[large], m[large], k0[large], m0[large])
    result[exact] = _doubled_tail(k[exact], m[exact], hits[exact], total[exact])
    return result


def _chi_square(k: Counts, m: Counts, k0: Counts, m0: Counts) -> Floats:
    pooled = (k + k0) / (m + m0)
    variance = pooled * (1 - pooled) * (1 / m + 1 / m0)
    return np.asarray(2 * stats.norm.sf(np.abs(k / m - k0 / m0) / np.sqrt(variance)))


def _doubled_tail(k: Counts, m: Counts, hits: Counts, total: Counts) -> Floats:
    lower = stats.hypergeom.cdf(k, total, hits, m)
    upper = stats.hypergeom.sf(k - 1, total, hits, m)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(lower, upper)))
