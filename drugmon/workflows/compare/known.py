"""Whether a model is measured on reviews that its training knew, in whatever way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from drugmon.errors import AdapterError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.files import HELD_OUT, SEEN
from drugmon.scoring.held_out import HeldOutEvidence, review_hashes
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.seen import seen_rows

Mask = NDArray[np.bool_]


def known_reviews(adapter: Adapter, source: str, reviews: LabelledReviews) -> list[str]:
    """Say what of `adapter`, measured on the n `reviews` of `source`, would be too good.

    They may be what it learned from, what its calibration and decision rule were fitted to, or what
    a teacher of it learned from. An adapter that keeps no hashes of its reviews is told only where
    `reviews` are all of those that it learned from, in their order.

    Raises:
        AdapterError: a file of the adapter was changed.
    """
    name, data = adapter.manifest.name, adapter.manifest.data
    if data is None:  # a base by itself
        return []
    if reviews.fingerprint() == data.fingerprint:
        return [
            f"{source} is what adapter {name} was trained on: its figures say nothing about new "
            "reviews"
        ]
    learned = seen_rows(adapter.folder, reviews.texts, data.fingerprint)
    held_out = _held_out(adapter, reviews) & ~learned
    told = []
    if learned.any():
        told.append(
            f"{_some(learned, source)} are among those that adapter {name} was trained on: its "
            "figures are better than on new reviews"
        )
    if held_out.any():
        told.append(
            f"{_some(held_out, source)} were held out when adapter {name} was trained, to "
            "calibrate and measure it: its figures, the calibration error above all, may be "
            "better than on new reviews"
        )
    for teacher, rows in _learned_by_teachers(adapter, reviews):
        if (rows := rows & ~learned).any():
            told.append(
                f"{_some(rows, source)} are among those that {teacher}, a teacher of adapter "
                f"{name}, was trained on: figures of what it taught may be better than on new "
                "reviews"
            )
    return told


def _some(rows: Mask, source: str) -> str:
    return f"{int(rows.sum()):,} of the {len(rows):,} reviews of {source}"


def _held_out(adapter: Adapter, reviews: LabelledReviews) -> Mask:
    if HELD_OUT not in adapter.manifest.files:
        return np.zeros(len(reviews), dtype=bool)
    held_out = HeldOutEvidence.of_adapter(adapter)
    return np.asarray(held_out.rows_of(review_hashes(reviews.texts)) >= 0)


def _learned_by_teachers(adapter: Adapter, reviews: LabelledReviews) -> Iterator[tuple[str, Mask]]:
    """The teachers that are to be had on this machine, and which reviews (n,) each learned from."""
    training = adapter.manifest.training
    for record in training.teachers if training else ():
        name, _, digest = record.identity.partition("@")
        try:
            teacher = open_adapter(name)
        except AdapterError:
            continue
        manifest = teacher.manifest
        if manifest.digest == digest and manifest.data and SEEN in manifest.files:
            yield name, seen_rows(teacher.folder, reviews.texts, manifest.data.fingerprint)
