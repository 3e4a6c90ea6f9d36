"""Augmentation: varied copies of rare training reviews. Dev and test rows never come here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts, clean
from drugmon.labels import LABELS
from drugmon.training.recipe import Augment
from drugmon.training.reviews.dataset import LabelledReviews

Rows = NDArray[np.int64]

Vary: TypeAlias = Callable[[Sequence[Texts]], Sequence[Texts | None]]
"""Varies reviews, in their order; None where there is nothing to vary."""


def augmented(reviews: LabelledReviews, augment: Augment, seed: int, vary: Vary) -> LabelledReviews:
    """Return varied copies of training `reviews`, which keep the grades and labels of theirs.

    Copies that came out like their review, or like another copy of it, are left out, so that there
    may be fewer than asked for.

    Args:
        reviews: of training.
        augment: the recipe's section.
        seed: of the copies.
        vary: makes a copy of a review.
    """
    rows = rows_to_vary(reviews.strata, augment, seed)
    varied = vary([reviews.texts[row] for row in rows])
    seen = {_key(texts) for texts in reviews.texts}
    kept, texts = [], []
    for row, copy in zip(rows, varied, strict=True):
        if copy is not None and (key := _key(copy)) not in seen:
            seen.add(key)
            kept.append(row)
            texts.append(copy)
    return reviews.take(np.array(kept, np.int64)).with_texts(texts)


def rows_to_vary(strata: Rows, augment: Augment, seed: int) -> Rows:
    """Return the indices into `strata` (labels, -1 for none) to make copies of, with repeats.

    Every label of `augment.labels` gets as many as it lacks; whole rounds come first, so that no
    review is varied twice more often than another.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(strata[strata >= 0], minlength=len(LABELS))
    size = augment.per_class or int(sizes.max())
    chosen = [np.empty(0, np.int64)]
    for label in sorted(map(LABELS.index, augment.labels)):
        rows_of_label, lacking = np.flatnonzero(strata == label), max(size - int(sizes[label]), 0)
        if len(rows_of_label):
            rounds = -(-lacking // len(rows_of_label))
            drawn = [rng.permutation(rows_of_label) for _ in range(rounds)]
            chosen.append(np.concatenate([np.empty(0, np.int64), *drawn])[:lacking])
    return np.concatenate(chosen)


def _key(texts: Texts) -> tuple[str | None, ...]:
    return tuple(map(clean, texts))
