"""Lessons: of which reviews a teacher may say something, and its word on those that it held out.

A teacher never judges a review that it learned from. What it held out is told by its held-out file,
what it learned from by the hashes beside it; all else it has never seen, and judges as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts, with_text
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.files import HELD_OUT
from drugmon.scoring.held_out import HeldOutEvidence, review_hashes
from drugmon.training.reviews.seen import seen_rows
from drugmon.workflows.train.teaching.out_of_fold import out_of_fold

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Lesson:
    """What a teacher may say of n reviews.

    Attributes:
        adapter: the teacher.
        words: probabilities float32 (n, 4, 3) of what it held out, NaN elsewhere.
        held_out: which reviews (n,) these are.
        learned: which (n,) it learned from, or from a copy; of these it says nothing unless they
            were held out.
        live: which (n,) it has never seen, and may judge.
        fold: the number (n,) of the model that held each out, -1 where none did.
    """

    adapter: Adapter
    words: NDArray[np.float32]
    held_out: Mask
    learned: Mask
    live: Mask
    fold: NDArray[np.int64]

    def apart_from(self, reviews: NDArray[np.int64]) -> Mask:
        """Tell of which reviews (n,) it speaks by a model that learned from none of `reviews`.

        A model of its folds learned from all that the kept one did, but for its own fold.
        """
        learned = reviews[self.learned[reviews]]
        speakers = [
            number
            for number in np.unique(self.fold).tolist()
            if (self.fold[learned] == number).all() and (number >= 0 or not len(learned))
        ]
        return np.isin(self.fold, speakers)

    def take(self, rows: Mask) -> Lesson:
        """What it may say of some of the reviews."""
        return Lesson(
            self.adapter,
            self.words[rows],
            self.held_out[rows],
            self.learned[rows],
            self.live[rows],
            self.fold[rows],
        )


def lesson_of(adapter: Adapter, reviews: Sequence[Texts]) -> Lesson:
    """Find out what a teacher may say of n reviews.

    Raises:
        AdapterError: its held-out file is damaged.
    """
    data = adapter.manifest.data
    assert data is not None  # `open_teachers` looked
    words = np.full((len(reviews), len(TARGETS), len(LABELS)), np.nan, np.float32)
    fold = np.full(len(reviews), -1, np.int64)
    if HELD_OUT in adapter.manifest.files:
        evidence = HeldOutEvidence.of_adapter(adapter)
        rows = _rows_of(evidence, reviews)
        known = rows >= 0
        fold[known] = evidence.fold[rows[known]]
        words[known] = out_of_fold(evidence)[rows[known]]
    held_out = fold >= 0
    learned = seen_rows(adapter.folder, reviews, data.fingerprint)
    live = with_text(reviews)[:, -1] & ~learned & ~held_out
    return Lesson(adapter, words, held_out, learned, live, fold)


def _rows_of(evidence: HeldOutEvidence, reviews: Sequence[Texts]) -> NDArray[np.int64]:
    """Where each review (n,) stands among the held-out ones, -1 where it was not held out.

    One that several models judged was learned from by one of them: a copy of it was held out
    elsewhere.
    """
    _, which = np.unique(evidence.hashes, axis=0, return_inverse=True)
    which = which.ravel()
    first = np.zeros(which.max(initial=-1) + 1, evidence.fold.dtype)
    first[which] = evidence.fold
    twice = np.zeros(len(first), dtype=bool)
    twice[which[first[which] != evidence.fold]] = True
    return evidence.take(np.flatnonzero(~twice[which])).rows_of(review_hashes(reviews))
