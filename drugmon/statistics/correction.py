"""Many tests at once: adjusted p-values, and one p-value for several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def adjust(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values (k,) adjusted so that rejecting those below a bound keeps the false discovery rate.

    Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate" (JRSS B 1995). Where
    nothing changed, that bound is also the chance of rejecting anything at all.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not values.size:
        return values
    return np.asarray(stats.false_discovery_control(values, method="bh"), dtype=np.float64)


def combine(p_values: Sequence[float]) -> float:
    """One p-value of tests on the same rows, which may depend on each other; 1 where there is none.

    Y. Liu and J. Xie, "Cauchy combination test: a powerful test with analytic p-value calculation
    under arbitrary dependency structures" (JASA 2020).
    """
    if not p_values:
        return 1.0
    # A discrete test may give exactly 1, which would outweigh every other one.
    clipped = np.clip(np.asarray(p_values, dtype=np.float64), 1e-15, 0.95)
    statistic = np.mean(np.tan((0.5 - clipped) * np.pi))
    return float(np.clip(0.5 - np.arctan(statistic) / np.pi, 0, 1))
