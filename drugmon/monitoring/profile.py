"""Profiles of scored reviews: aggregates of verdicts and inputs that hold no review text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drugmon.labels import LABELS, RATING_LEVELS, TARGETS
from drugmon.monitoring.figures import Quality
from drugmon.monitoring.histogram import LENGTH_EDGES, SHARE_EDGES, histogram
from drugmon.monitoring.names import name_mix
from drugmon.monitoring.reference import (
    FORMAT_VERSION,
    NONE,
    OTHER,
    Profile,
    TargetProfile,
    TextProfile,
    read_profile,
    write_profile,
)

__all__ = [
    "FORMAT_VERSION",
    "Profile",
    "TargetProfile",
    "TextProfile",
    "build_profile",
    "read_profile",
    "text_lengths",
    "write_profile",
]

Floats = NDArray[np.float64]


def text_lengths(texts: Iterable[str | None]) -> NDArray[np.int64]:
    """Characters of each cleaned text: int64 (n,), 0 where there is none."""
    return np.fromiter((len(text) if text else 0 for text in texts), dtype=np.int64)


def build_profile(
    labels: ArrayLike,
    probabilities: ArrayLike,
    lengths: Mapping[str, Sequence[int] | NDArray[np.int64]],
    *,
    drugs: Sequence[object] | None = None,
    conditions: Sequence[object] | None = None,
    ratings: Sequence[object] | None = None,
    quality: Mapping[str, Quality] | None = None,
) -> Profile:
    """Aggregate n rows.

    `labels` are integers (n, 4), -1 for no verdict, and `probabilities` (n, 4, 3), columns in
    `TARGETS` order; `lengths` holds for each aspect (or `text`) the characters (n,), 0 for no text,
    as `text_lengths` gives them; the columns have n cells or are None. 7, 7.0 and
    "7" are the same rating; what is none of 1 to 10 is counted as `other`, its value is not kept.

    Raises ValueError where shapes differ, or a verdict has a NaN probability.
    """
    chosen, given = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    n = len(chosen)
    columns = {"drugs": drugs, "conditions": conditions, "ratings": ratings, **lengths}
    present = {name: column for name, column in columns.items() if column is not None}
    _check_shapes(chosen, given, present)
    return Profile(
        n=n,
        targets={
            name: _target_profile(chosen[:, index], given[:, index])
            for index, name in enumerate(TARGETS)
        },
        texts={name: _text_profile(np.asarray(value)) for name, value in lengths.items()},
        drugs=name_mix(drugs) if drugs is not None else None,
        conditions=name_mix(conditions) if conditions is not None else None,
        ratings=_rating_counts(ratings) if ratings is not None else None,
        quality=dict(quality or {}),
    )


def _check_shapes(chosen: NDArray[np.integer], given: Floats, columns: Mapping[str, Sized]) -> None:
    n, targets = len(chosen), len(TARGETS)
    if chosen.shape != (n, targets) or given.shape != (n, targets, len(LABELS)):
        raise ValueError(
            f"labels must be (n, {targets}) and probabilities (n, {targets}, {len(LABELS)}), "
            f"not {chosen.shape} and {given.shape}"
        )
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(f"{name} must have {n} cells, not {len(column)}")


def _target_profile(labels: NDArray[np.integer], probabilities: Floats) -> TargetProfile:
    has_verdict = labels >= 0
    chosen, given = labels[has_verdict], probabilities[has_verdict]
    confidence = given[np.arange(len(given)), chosen]
    counts = np.bincount(chosen, minlength=len(LABELS))
    means = given.mean(axis=0) if len(given) else None
    return TargetProfile(
        counts={
            **{name: int(count) for name, count in zip(LABELS, counts, strict=True)},
            NONE: int((~has_verdict).sum()),
        },
        confidence=histogram(confidence, SHARE_EDGES),
        probabilities={
            name: histogram(given[:, index], SHARE_EDGES) for index, name in enumerate(LABELS)
        },
        mean_probabilities=None
        if means is None
        else {name: float(mean) for name, mean in zip(LABELS, means, strict=True)},
    )


def _text_profile(lengths: NDArray[np.integer]) -> TextProfile:
    filled = lengths[lengths > 0]
    share_empty = 1 - len(filled) / len(lengths) if len(lengths) else None
    return TextProfile(histogram(filled, LENGTH_EDGES), share_empty)


def _rating_counts(ratings: Sequence[object]) -> dict[str, int]:
    counts = Counter(_rating_key(rating) for rating in ratings)
    return {key: counts[key] for key in (*RATING_LEVELS, OTHER, NONE)}


def _rating_key(rating: object) -> str:
    """The level that `rating` names; text that is no rating is never kept."""
    text = "" if rating is None else str(rating).strip()
    if text.lower() in ("", "nan"):
        return NONE
    text = text.removesuffix(".0")
    return text if text in RATING_LEVELS else OTHER
