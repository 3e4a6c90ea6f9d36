"""The split: train, dev and test rows, stratified by label, copies of a review on one side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts
from drugmon.errors import TrainingDataError
from drugmon.training import recipe
from drugmon.training.reviews.copies import groups_of_copies

Rows = NDArray[np.int64]


class Split(NamedTuple):
    """Row numbers of each side, ascending."""

    train: Rows
    dev: Rows
    test: Rows

    @property
    def everything(self) -> Rows:
        """All rows, ascending."""
        return np.sort(np.concatenate(self))


def split_rows(
    texts: Sequence[Texts], strata: NDArray[np.int64], shares: recipe.SplitSection, seed: int
) -> Split:
    """Deal the rows out so that every stratum has about `shares` of its rows in dev and in test.

    Copies of a review (`copies`) are dealt together, by the stratum of their first row.

    Args:
        texts: of n reviews.
        strata: of the same reviews (n,).
        shares: of dev and test.
        seed: of the deal.

    Raises:
        TrainingDataError: so few reviews that train, dev or an asked-for test would be empty.
    """
    groups = _groups(texts, strata)
    rng = np.random.default_rng(seed)
    sides: tuple[list[int], list[int], list[int]] = ([], [], [])
    for stratum in sorted(groups):
        _deal(groups[stratum], shares, rng, sides)
    train, dev, test = (np.sort(np.array(rows, np.int64)) for rows in sides)
    if not len(train) or not len(dev) or (shares.test and not len(test)):
        raise TrainingDataError(
            f"{len(texts)} reviews are too few to hold out dev {shares.dev:g} and test "
            f"{shares.test:g}; give more reviews or other shares (split.dev, split.test)"
        )
    return Split(train, dev, test)


def fold_rows(
    texts: Sequence[Texts],
    strata: NDArray[np.int64],
    folds: int,
    seed: int,
    blocks: NDArray[np.int64] | None = None,
) -> list[Rows]:
    """Deal the rows into `folds` parts of about the same number of rows of every stratum.

    Copies of a review are dealt together, as `split_rows` does.

    Args:
        texts: of n reviews.
        strata: of the same reviews (n,).
        folds: how many parts.
        seed: of the deal.
        blocks: of the same reviews (n,): no part has rows of two of them, as far as there are folds
            enough. Rows of block -1 may be in any.

    Raises:
        TrainingDataError: so few reviews that a fold would be empty.
    """
    rng = np.random.default_rng(seed)
    if blocks is not None:  # copies belong to one block
        blocks = blocks.copy()
        for rows in groups_of_copies(texts):
            blocks[rows] = blocks[rows[0]]
    shares = _shares(blocks, len(texts), folds)
    dealt = [fold for rows, parts in shares for fold in _dealt_out(texts, strata, rows, parts, rng)]
    anywhere = np.setdiff1d(np.arange(len(texts)), np.concatenate([rows for rows, _ in shares]))
    if len(anywhere):
        more = _dealt_out(texts, strata, anywhere, folds, rng)
        dealt = [[*fold, *others] for fold, others in zip(dealt, more, strict=True)]
    if not all(dealt):
        raise TrainingDataError(
            f"{len(texts)} reviews are too few for split.folds {folds}; give more or fewer folds"
        )
    return [np.sort(np.array(rows, np.int64)) for rows in dealt]


def _shares(blocks: NDArray[np.int64] | None, count: int, folds: int) -> list[tuple[Rows, int]]:
    """The rows of each block and how many of the folds are theirs: the larger have more of them."""
    numbers = np.unique(blocks[blocks >= 0]) if blocks is not None else np.array([])
    if blocks is None or not 1 < len(numbers) <= folds:
        return [(np.arange(count), folds)]
    rows = [np.flatnonzero(blocks == number) for number in numbers]
    parts = [1] * len(rows)
    for _ in range(folds - len(rows)):
        widest = max(range(len(rows)), key=lambda place: len(rows[place]) / parts[place])
        parts[widest] += 1
    return list(zip(rows, parts, strict=True))


def _dealt_out(
    texts: Sequence[Texts],
    strata: NDArray[np.int64],
    rows: Rows,
    folds: int,
    rng: np.random.Generator,
) -> list[list[int]]:
    """Some of the rows in `folds` parts, any of which may be empty."""
    dealt: list[list[int]] = [[] for _ in range(folds)]
    part = [texts[row] for row in rows.tolist()]
    for _, groups in sorted(_groups(part, strata[rows]).items()):
        sizes = [0] * folds
        for index in rng.permutation(len(groups)):
            # The fold that has the fewest, of those the one that has the fewest of all strata.
            fold = min(range(folds), key=lambda place: (sizes[place], len(dealt[place]), place))
            dealt[fold].extend(rows[groups[index]].tolist())
            sizes[fold] += len(groups[index])
    return dealt


def _groups(texts: Sequence[Texts], strata: NDArray[np.int64]) -> dict[int, list[list[int]]]:
    """Rows that are copies of one review, by the stratum of their first row."""
    groups: dict[int, list[list[int]]] = defaultdict(list)
    for rows in groups_of_copies(texts):
        groups[int(strata[rows[0]])].append(rows)
    return groups


def _deal(
    groups: list[list[int]],
    shares: recipe.SplitSection,
    rng: np.random.Generator,
    sides: tuple[list[int], list[int], list[int]],
) -> None:
    """Fill test, then dev, up to their rounded numbers of rows, and give the rest to train."""
    total = sum(map(len, groups))
    test, dev = round(shares.test * total), round(shares.dev * total)
    dealt = 0
    for index in rng.permutation(len(groups)):
        side = 2 if dealt < test else 1 if dealt < test + dev else 0
        sides[side].extend(groups[index])
        dealt += len(groups[index])
