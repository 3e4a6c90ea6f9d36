"""How far apart two distributions are: sizes of change that a gate can set limits to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drugmon.statistics.figures import Interval
from drugmon.statistics.permutation import Integers, bootstrap, draw, reversed_interval

Floats = NDArray[np.float64]


def psi(current: ArrayLike, reference: ArrayLike) -> float | None:
    """Population stability index of counts (k,), half a row added to each; None if a side is empty.

    N. Siddiqi, "Credit Risk Scorecards" (2006).
    """
    now, then = np.asarray(current, np.float64), np.asarray(reference, np.float64)
    if not now.sum() or not then.sum():
        return None
    p, q = ((side + 0.5) / (side + 0.5).sum() for side in (now, then))
    return float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(current: ArrayLike, reference: ArrayLike) -> float | None:
    """Jensen-Shannon distance of counts (k,), base 2: 0 to 1; None if a side is empty.

    The root of the divergence in J. Lin, "Divergence measures based on the Shannon entropy" (1991).
    """
    now, then = np.asarray(current, np.float64), np.asarray(reference, np.float64)
    if not now.sum() or not then.sum():
        return None
    p, q = now / now.sum(), then / then.sum()
    middle = (p + q) / 2
    parts = [(side[side > 0] * np.log2(side[side > 0] / middle[side > 0])).sum() for side in (p, q)]
    return float(np.sqrt(max(0.0, sum(parts) / 2)))


def kolmogorov_smirnov(
    current: Integers, reference: Integers, random: np.random.Generator
) -> Interval:
    """The largest gap between cumulative shares of counts (k,) over rising bins: 0 to 1.

    Both sides must have rows.
    """
    value = _largest_gap(current / current.sum(), reference / reference.sum())
    return reversed_interval(float(value), _largest_gap(*bootstrap(current, reference, random)))


def moved_share(current: Integers, reference: Integers, random: np.random.Generator) -> Interval:
    """What share of the rows would have to change cells to make counts (k,) the same: 0 to 1.

    It is the total variation distance, freed of what chance alone makes of it on average (by
    permutation), which is much where cells are many and rows are few: as the errors of cells add in
    quadrature to what really moved, it is the root of the difference of the squares. Both sides
    must have rows.
    """
    n, m = current.sum(), reference.sum()
    shuffled = draw(current, reference, random)
    rest = current + reference - shuffled
    chance = float(_total_variation(shuffled / n, rest / m).mean())
    value = float(_total_variation(current / n, reference / m))
    raw = reversed_interval(value, _total_variation(*bootstrap(current, reference, random)))

    def freed(distance: float | None) -> float:
        return float(np.sqrt(max(0.0, (distance or 0.0) ** 2 - chance**2)))

    return Interval(freed(raw.value), freed(raw.low), freed(raw.high))


def _largest_gap(current: Floats, reference: Floats) -> Floats:
    gaps = np.cumsum(current - reference, axis=-1)
    return np.asarray(np.abs(gaps).max(axis=-1))


def _total_variation(current: Floats, reference: Floats) -> Floats:
    return np.asarray(np.abs(current - reference).sum(axis=-1) / 2)
