"""Rows rebuilt from a profile's totals, for a tool that wants rows: every column by itself.

A profile has histograms and counts, no rows. What is rebuilt has their shares exactly, column by
column, and tells nothing of how columns go together. The rows to compare with are put into the same
bins, so that a difference is one of shares and not of rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drugmon.labels import LABELS
from drugmon.monitoring.profiles.names import NameMix
from drugmon.monitoring.profiles.reference import NONE, OTHER, Profile
from drugmon.statistics.histogram import Histogram

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS: Final = 3000
"""Rows that are rebuilt of a larger profile."""


def rebuilt_sides(current: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of `current` in the profile's bins and names, and as many columns of the profile.

    Only columns that both have are kept: `<target>_sentiment`, `<target>_confidence`,
    `<aspect>_characters`, `drug` and `condition`.
    """
    import pandas as pd

    n = min(profile.n, MOST_ROWS)
    common = {name: column for name, column in _columns(profile) if name in current}
    before = {name: _expand(counts, n) for name, (_, counts) in common.items()}
    now = {name: _placed(current[name], place) for name, (place, _) in common.items()}
    return pd.DataFrame(now), pd.DataFrame(before)


Counts = Mapping[Any, int]
Column = tuple[Histogram | frozenset[str], Counts]
"""How to put a value into its place (a histogram's bin, or a kept name), and the places' counts."""


def _columns(profile: Profile) -> Iterator[tuple[str, Column]]:
    for target, of_target in profile.targets.items():
        yield f"{target}_sentiment", (frozenset(LABELS), dict(of_target.counts.items()))
        yield f"{target}_confidence", (of_target.confidence, _by_middle(of_target.confidence))
    for aspect, text in profile.texts.items():
        yield f"{aspect}_characters", (text.length, _by_middle(text.length))
    for name, mix in (("drug", profile.drugs), ("condition", profile.conditions)):
        if mix is not None:
            yield name, (frozenset(mix.names), _names(mix))


def _names(mix: NameMix) -> Counts:
    return dict(mix.names.items()) | {OTHER: mix.other, NONE: mix.missing}


def _middles(histogram: Histogram) -> list[float]:
    edges = histogram.edges
    return [(low + high) / 2 for low, high in pairwise(edges)]


def _by_middle(histogram: Histogram) -> Counts:
    return dict(zip(_middles(histogram), histogram.counts, strict=True))


def _expand(counts: Counts, n: int) -> list[object]:
    """`n` values in the shares of `counts`, each count off by less than one."""
    values, sizes = list(counts), np.array(list(counts.values()), dtype=np.float64)
    total = sizes.sum()
    ends = np.rint(np.cumsum(sizes) / total * n).astype(int) if total else np.zeros(len(sizes), int)
    rows = np.diff(ends, prepend=0)
    rebuilt = [value for value, count in zip(values, rows, strict=True) for _ in range(count)]
    rebuilt += [None] * (n - len(rebuilt))
    return [None if value == NONE else value for value in rebuilt]


def _placed(column: Iterable[object], place: Histogram | frozenset[str]) -> list[object]:
    if isinstance(place, Histogram):
        values = np.array([np.nan if x is None else x for x in column], dtype=np.float64)
        bins = np.searchsorted(np.asarray(place.edges[1:-1]), values, side="right")
        middles = np.asarray(_middles(place))[bins]
        return list(np.where(np.isnan(values) | (values <= 0), np.nan, middles))
    keys = (" ".join(str(x).lower().split()) if isinstance(x, str) else None for x in column)
    return [key if key in place or not key else OTHER for key in keys]
