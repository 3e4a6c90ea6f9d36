"""Copies: reviews that say the same, letter by letter, wherever their texts stand.

One rule for all that keeps a review from those that are measured: splits, folds, help, unlabelled
reviews, those of `--eval`, and what an adapter is told to have learned from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts, clean


def copy_keys(texts: Sequence[Texts]) -> set[str]:
    """Return the `copy_key` of each review that has a text."""
    return {key for review in texts if (key := copy_key(review))}


def copy_key(review: Texts) -> str:
    """Return the letters and digits of all texts together, whatever case: equal of copies.

    Without a letter or a digit, only the same signs are the same; empty without a text.
    """
    whole = " ".join(filter(None, map(clean, review)))
    return "".join(filter(str.isalnum, whole.casefold())) or whole


def groups_of_copies(texts: Sequence[Texts]) -> list[list[int]]:
    """Return the rows of each review and its copies, by first appearance; most are alone."""
    copies: dict[str, list[int]] = defaultdict(list)
    for row, review in enumerate(texts):
        copies[copy_key(review)].append(row)
    return [*copies.values()]


def copy_numbers(texts: Sequence[Texts]) -> NDArray[np.int64]:
    """Return a number for each of n reviews (n,), the same for copies."""
    numbers = np.empty(len(texts), np.int64)
    for number, rows in enumerate(groups_of_copies(texts)):
        numbers[rows] = number
    return numbers
