"""Drawing rows again, with replacement: by themselves, or copies of a row together with it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]
Floats = NDArray[np.float64]


def draw_rows(
    cells: Integers,
    size: int,
    groups: Integers | None,
    resamples: int,
    random: np.random.Generator,
) -> Floats:
    """Return how many rows of each cell are drawn: float64 (resamples, size).

    Rows that are alike are one cell, so that any n takes the same time. Rows of one group are no
    independent draws: they are drawn together (the cluster bootstrap: A. C. Davison and D. V.
    Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8), and the rows of a draw
    are as many as its groups have.

    Args:
        cells: the cell of each row (n,), from 0.
        size: how many cells there are.
        groups: a number for each row (n,), equal for rows of a group; None where each is its own.
        resamples: how often rows are drawn again.
        random: draws.
    """
    alone, kinds = _by_group(cells, groups)
    of_kind = np.bincount(cells[alone], minlength=size)
    if not kinds:
        return random.multinomial(len(cells), of_kind / len(cells), resamples).astype(np.float64)
    rows = np.stack([np.bincount(kind, minlength=size) for kind in kinds])
    count = np.concatenate([of_kind, [*kinds.values()]])
    drawn = random.multinomial(count.sum(), count / count.sum(), resamples)
    return np.asarray(drawn[:, :size] + drawn[:, size:] @ rows, dtype=np.float64)


def group_sizes(groups: Integers | None, n: int) -> NDArray[np.int64]:
    """Return of how many rows the group of each of n rows is (n,); 1 without groups."""
    if groups is None:
        return np.ones(n, dtype=np.int64)
    _, number, rows = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(rows[number.ravel()], dtype=np.int64)


def first_rows(groups: Integers | None, n: int) -> Integers:
    """Return the first row of each group, ascending; all n rows without groups."""
    if groups is None:
        return np.arange(n)
    return np.sort(np.unique(groups, return_index=True)[1])


def _by_group(
    cells: Integers, groups: Integers | None
) -> tuple[NDArray[np.bool_], Counter[tuple[int, ...]]]:
    """Which rows (n,) are alone in their group, and how often each set of cells is a group."""
    if groups is None:
        return np.ones(len(cells), dtype=bool), Counter()
    alone = group_sizes(groups, len(cells)) == 1
    several = np.flatnonzero(~alone)
    several = several[np.lexsort((cells[several], groups[several]))]
    ends = np.flatnonzero(np.diff(groups[several])) + 1
    parts = np.split(cells[several], ends) if len(several) else []
    return alone, Counter(tuple(part.tolist()) for part in parts)
