"""Is one model better than another, or were the reviews kind to it? Paired tests on shared rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import LABELS
from drugmon.statistics.bootstrap import draw_rows, first_rows
from drugmon.statistics.figures import Interval
from drugmon.statistics.rates import Rates, rates

Integers = NDArray[np.integer]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How another model differs from the first on the `n` rows that both have judged.

    `accuracy` and `macro_f1` are the other's minus the first's with 95 % intervals.
    `macro_f1_p` is the bootstrap's two-sided p-value, `mcnemar_p` that of McNemar's exact test on
    the rows that only one of them has right. None where no row is shared.
    """

    n: int
    accuracy: Interval
    macro_f1: Interval
    macro_f1_p: float | None
    only_first_right: int
    only_other_right: int
    mcnemar_p: float | None


class _Paired(NamedTuple):
    accuracy: Floats
    macro_f1: Floats


def compare(
    labels: Integers,
    first: Integers,
    other: Integers,
    *,
    groups: Integers | None = None,
    resamples: int = 2000,
    seed: int,
) -> Difference:
    """Compare the verdicts of two models, `first` and `other`, on the true `labels`, all (n,).

    The bootstrap draws rows with replacement and keeps each row's two verdicts together: B. Efron
    and R. Tibshirani, "An Introduction to the Bootstrap", 1993; P. Koehn, "Statistical Significance
    Tests for Machine Translation Evaluation" (EMNLP 2004). McNemar: Q. McNemar, "Note on the
    sampling error of the difference between correlated proportions or percentages", 1947. Copies
    are drawn together, and count once in McNemar's test.

    Args:
        labels: true label indices (n,).
        first: one model's (n,).
        other: another model's (n,).
        groups: numbers (n,), equal for rows that are copies; None where there are none.
        resamples: how often rows are drawn again.
        seed: of the draws.
    """
    if not len(labels):
        nothing = Interval(None, None, None)
        return Difference(0, nothing, nothing, None, 0, 0, None)
    n = len(labels)
    measured, drawn = _differences(labels, first, other, groups, resamples, seed)
    only_first, only_other = _only_right(labels, first, other, np.arange(n))
    return Difference(
        n=n,
        accuracy=_interval(measured.accuracy, drawn.accuracy),
        macro_f1=_interval(measured.macro_f1, drawn.macro_f1),
        macro_f1_p=_two_sided(drawn.macro_f1),
        only_first_right=only_first,
        only_other_right=only_other,
        mcnemar_p=mcnemar(*_only_right(labels, first, other, first_rows(groups, n))),
    )


def _only_right(
    labels: Integers, first: Integers, other: Integers, rows: Integers
) -> tuple[int, int]:
    """How many of some rows only the first, and only the other model has right."""
    right, also = (first == labels)[rows], (other == labels)[rows]
    return int((right & ~also).sum()), int((also & ~right).sum())


def mcnemar(only_first: int, only_other: int) -> float:
    """Exact two-sided p-value that either model is as likely to be the only one that is right."""
    from scipy.stats import binomtest

    disagreed = only_first + only_other
    return float(binomtest(only_other, disagreed, 0.5).pvalue) if disagreed else 1.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p-values of several comparisons made at once; None stays None.

    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    ranked = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(ranked):
        highest = max(highest, min(1.0, p * (len(ranked) - rank)))
        adjusted[place] = highest
    return adjusted


def _differences(
    labels: Integers,
    first: Integers,
    other: Integers,
    groups: Integers | None,
    resamples: int,
    seed: int,
) -> tuple[_Paired, _Paired]:
    """The differences on the rows themselves, and on `resamples` draws of as many rows.

    Rows that are alike in truth and both verdicts are one cell, so any n takes the same time.
    """
    size = len(LABELS)
    code = (labels.astype(np.int64) * size + first) * size + other
    counts = np.bincount(code, minlength=size**3)
    drawn = draw_rows(code, size**3, groups, resamples, np.random.default_rng(seed))
    cells = np.concatenate([counts[None], drawn]).reshape(-1, size, size, size).astype(np.float64)
    of_first, of_others = rates(cells.sum(axis=3)), rates(cells.sum(axis=2))
    whole = _Paired(
        _minus(of_others, of_first, "accuracy"), _minus(of_others, of_first, "macro_f1")
    )
    return _Paired(*(figures[0] for figures in whole)), _Paired(*(figures[1:] for figures in whole))


def _minus(other: Rates, first: Rates, name: str) -> Floats:
    return np.asarray(getattr(other, name) - getattr(first, name), dtype=np.float64)


def _interval(value: Floats, draws: Floats) -> Interval:
    low, high = np.quantile(draws, (0.025, 0.975))
    return Interval(float(value), float(low), float(high))


def _two_sided(draws: Floats) -> float:
    """Twice the share of draws on the rarer side of 0, no draw's own share less than one."""
    rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return float(min(1.0, 2 * (rarer + 1) / (len(draws) + 1)))
