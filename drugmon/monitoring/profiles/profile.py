"""Profiles of scored reviews: aggregates of verdicts and inputs that hold no review text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drugmon.grading import TEN, RatingScale, rating_of
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.profiles.groups import count_groups, kept_groups
from drugmon.monitoring.profiles.names import name_mix
from drugmon.monitoring.profiles.reference import (
    FORMAT_VERSION,
    NONE,
    OTHER,
    Profile,
    Spread,
    TargetProfile,
    TextProfile,
    read_profile,
    write_profile,
)
from drugmon.monitoring.profiles.target_counts import TargetCounts
from drugmon.monitoring.profiles.words import count_words, kept_words
from drugmon.statistics.figures import Quality
from drugmon.statistics.histogram import LENGTH_EDGES, Histogram, histogram

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
    scale: RatingScale = TEN,
    quality: Mapping[str, Quality] | None = None,
    texts: Sequence[Sequence[str | None]] | None = None,
    unknown_shares: Sequence[float] | None = None,
) -> Profile:
    """Aggregate n rows.

    7, 7.0 and "7" are the same rating; what is none of 1 to 10 is counted as `other`, its value is
    not kept. Of the texts, words that several reviews share are counted, and how often equal ones
    occur. Raises ValueError where shapes differ, or a verdict has a NaN probability.

    Args:
        labels: integers (n, 4), -1 for no verdict, columns in `TARGETS` order.
        probabilities: (n, 4, 3).
        lengths: characters (n,) by aspect or `text`, 0 for no text, as of `text_lengths`.
        drugs, conditions, ratings: (n,), None without such a column.
        scale: of the ratings.
        quality: measured on these rows, by target.
        texts: the cleaned texts of each row, (n,) of sequences.
        unknown_shares: those of `Vocabulary.unknown_shares`, any number.
    """
    chosen, given = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    n = len(chosen)
    columns = {"drugs": drugs, "conditions": conditions, "ratings": ratings, "texts": texts}
    present = {name: column for name, column in columns.items() if column is not None}
    _check_shapes(chosen, given, {**present, **lengths})
    named = {"drug": drugs, "condition": conditions}
    return Profile(
        n=n,
        targets={
            name: _target_profile(chosen[:, index], given[:, index])
            for index, name in enumerate(TARGETS)
        },
        texts={name: _text_profile(np.asarray(value)) for name, value in lengths.items()},
        drugs=name_mix(drugs) if drugs is not None else None,
        conditions=name_mix(conditions) if conditions is not None else None,
        ratings=_ratings(ratings, scale) if ratings is not None else None,
        quality=dict(quality or {}),
        words=kept_words(*count_words(texts)) if texts is not None else None,
        groups={
            name: kept_groups(count_groups(column, chosen))
            for name, column in named.items()
            if column is not None
        },
        repeats=_repeats(texts) if texts is not None else None,
        unknown_words=spread(unknown_shares) if unknown_shares is not None else None,
    )


def text_profile(counted: Mapping[int, int]) -> TextProfile:
    """What `counted`, rows by their characters, says: 0 characters are no text."""
    lengths = np.array(list(counted), dtype=np.int64)
    rows = np.array(list(counted.values()), dtype=np.int64)
    filled = lengths > 0
    bins = np.searchsorted(np.asarray(LENGTH_EDGES[1:-1]), lengths[filled], side="right")
    counts = np.bincount(bins, weights=rows[filled], minlength=len(LENGTH_EDGES) - 1)
    total = int(rows.sum())
    return TextProfile(
        Histogram(LENGTH_EDGES, tuple(int(count) for count in counts)),
        int(rows[~filled].sum()) / total if total else None,
    )


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation of `values`; None where there are fewer than two."""
    if len(values) < 2:
        return None
    array = np.asarray(values, dtype=np.float64)
    return Spread(len(array), float(array.mean()), float(array.std(ddof=1)))


def _ratings(cells: Sequence[object], scale: RatingScale) -> dict[str, int]:
    return rating_counts(Counter(rating_key(cell, scale) for cell in cells), scale)


def rating_counts(counted: Mapping[str, int], scale: RatingScale) -> dict[str, int]:
    """Rows of every level, of `other` values and of `none`, from rows by `rating_key`."""
    return {key: counted.get(key, 0) for key in (*scale.levels, OTHER, NONE)}


def rating_key(cell: object, scale: RatingScale) -> str:
    """The level that a cell's rating is nearest to; text that is no rating is never kept."""
    try:
        rating = rating_of(cell)
        return NONE if rating is None else scale.levels[scale.index(rating)]
    except (ValueError, TypeError, OverflowError):
        return OTHER


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
    counts = TargetCounts()
    counts.add(labels, probabilities)
    return counts.profile()


def _text_profile(lengths: NDArray[np.integer]) -> TextProfile:
    filled = lengths[lengths > 0]
    share_empty = 1 - len(filled) / len(lengths) if len(lengths) else None
    return TextProfile(histogram(filled, LENGTH_EDGES), share_empty)


def _repeats(texts: Sequence[Sequence[str | None]]) -> dict[int, int]:
    copies = Counter(tuple(row) for row in texts if any(row))
    return dict(sorted(Counter(copies.values()).items()))
