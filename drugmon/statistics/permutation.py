"""Two-sample tests on counts by permutation: right for any sample sizes, however sparse.

Under the null hypothesis the rows of both sides are one heap, of which the current ones are drawn
without replacement. The counts of such draws are multivariate hypergeometric, so that rows need not
be at hand: only their counts by label, bin or name.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from drugmon.statistics.figures import Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DRAWS: Final = 2000
"""Permutations of a test: the smallest p-value that it can give is 1 / 2,001."""

_ENOUGH: Final = 10
"""Expected rows of every cell from which chi-square's own distribution serves."""

_HEAP: Final = 1_000_000_000
"""Rows from which a draw with replacement is the same."""


def draw(current: Integers, reference: Integers, random: np.random.Generator) -> Integers:
    """Counts (DRAWS, k) of the current side where rows are shuffled between counts (k,)."""
    pooled, size = current + reference, int(current.sum())
    if pooled.sum() >= _HEAP:
        return random.multinomial(size, pooled / pooled.sum(), size=DRAWS)
    return random.multivariate_hypergeometric(pooled, size, size=DRAWS, method="marginals")


def mix_test(current: Integers, reference: Integers, random: np.random.Generator) -> float:
    """P-value that counts (k,) of both sides are of one mix: chi-square, by permutation if sparse.

    1 where a side is empty.
    """
    current, reference = _filled(current, reference)
    n, m = current.sum(), reference.sum()
    if not n or not m or len(current) < 2:
        return 1.0
    pooled = current + reference
    expected = pooled * (n / (n + m))
    statistic = _chi_square(current[None], pooled, expected, n, m)[0]
    if min(expected.min(), (pooled - expected).min()) >= _ENOUGH:
        return float(stats.chi2.sf(statistic, len(current) - 1))
    drawn = _chi_square(draw(current, reference, random), pooled, expected, n, m)
    return p_value(statistic, drawn)


def ordered_test(current: Integers, reference: Integers, random: np.random.Generator) -> float:
    """P-value that counts (k,) over rising bins are of one distribution; 1 where a side is empty.

    The statistic is T. W. Anderson's two-sample form of that of Cramér and von Mises ("On the
    distribution of the two-sample Cramér-von Mises criterion", 1962) over bins, weighted as that
    of Anderson and Darling, so that tails count as much as the middle; its distribution comes from
    permutation, which bins and ties do not disturb.
    """
    current, reference = _filled(current, reference)
    if not current.sum() or not reference.sum() or len(current) < 2:
        return 1.0
    statistic = _distance(current[None], reference[None])[0]
    drawn = draw(current, reference, random)
    return p_value(statistic, _distance(drawn, current + reference - drawn))


def p_value(statistic: float, drawn: Floats) -> float:
    """The share of draws (b,) at least as extreme, the data counted among them."""
    tolerance = 1e-9 * max(1.0, abs(statistic))
    return float((1 + np.sum(drawn >= statistic - tolerance)) / (1 + len(drawn)))


def bootstrap(
    current: Integers, reference: Integers, random: np.random.Generator, draws: int = 1000
) -> tuple[Floats, Floats]:
    """Shares (draws, k) of both sides, each drawn again with replacement.

    Args:
        current: counts (k,).
        reference: counts (k,).
        random: draws.
        draws: how often.
    """
    now, then = (
        random.multinomial(int(side.sum()), side / side.sum(), size=draws) / side.sum()
        for side in (current, reference)
    )
    return now, then


def reversed_interval(value: float, drawn: Floats) -> Interval:
    """The interval of a distance that noise only adds to: 2 value - quantile, from 0 to 1.

    Resampling adds the noise again, hence the reversal (B. Efron and R. Tibshirani, "An
    Introduction to the Bootstrap", 1993, basic bootstrap). It always holds the value.
    """
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(
        float(value),
        float(np.clip(2 * value - high, 0, value)),
        float(np.clip(2 * value - low, value, 1)),
    )


def _filled(current: Integers, reference: Integers) -> tuple[Integers, Integers]:
    keep = (current + reference) > 0
    return np.asarray(current, np.int64)[keep], np.asarray(reference, np.int64)[keep]


def _chi_square(
    drawn: Integers, pooled: Integers, expected: Floats, n: np.int64, m: np.int64
) -> Floats:
    squares = (drawn - expected) ** 2
    return np.asarray((squares / expected + squares / (pooled * (m / (n + m)))).sum(axis=1))


def _distance(current: Integers, reference: Integers) -> Floats:
    n, m = current.sum(axis=1, keepdims=True), reference.sum(axis=1, keepdims=True)
    pooled = (current + reference).cumsum(axis=1)[:, :-1] / (n + m)
    gaps = current.cumsum(axis=1)[:, :-1] / n - reference.cumsum(axis=1)[:, :-1] / m
    mass = (current + reference)[:, :-1] / (n + m)
    spread = np.maximum(pooled * (1 - pooled), 1e-12)
    return np.asarray((gaps**2 / spread * mass).sum(axis=1))
