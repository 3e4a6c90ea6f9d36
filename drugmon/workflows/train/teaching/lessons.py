"""Lessons: of which reviews a teacher may say something, and its word on those that it held out.

A teacher never judges a review that it learned from. What it held out is told by its held-out file,
what it learned from by the hashes beside it; all else it has never seen, and judges as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts, clean, with_text
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.files import HELD_OUT
from drugmon.scoring.held_out import HeldOutEvidence, review_hashes
from drugmon.training.reviews.gathered import copy_key
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
    learned = _learned(adapter.folder, reviews, data.fingerprint)
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


def _learned(folder: Path, reviews: Sequence[Texts], key: str) -> Mask:
    """Which reviews (n,) a teacher learned from: themselves, a copy here, or one in another place.

    A site's one text may be a lone text in one file and stand among the comments in another.
    """
    forms = [(row, form) for row, review in enumerate(reviews) for form in _forms(review)]
    learned = np.zeros(len(reviews), dtype=bool)
    seen = seen_rows(folder, [form for _, form in forms], key)
    learned[[row for (row, _), is_seen in zip(forms, seen, strict=True) if is_seen]] = True
    keys = [copy_key(review) for review in reviews]
    learned_keys = {
        key for key, is_learned in zip(keys, learned, strict=True) if key and is_learned
    }
    return np.asarray(learned | np.array([key in learned_keys for key in keys], dtype=bool))


def _forms(review: Texts) -> Iterator[Texts]:
    """The review, and where it has one text alone, that text in each place."""
    yield review
    texts = [text for text in review if clean(text) is not None]
    if len(texts) == 1:
        for place in range(len(review)):
            yield Texts(
                *(texts[0] if position == place else None for position in range(len(review)))
            )
