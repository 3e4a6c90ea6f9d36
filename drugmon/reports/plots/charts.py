"""Primitives of every chart: scales, ticks, stacked bars and intervals.

A position is a percentage of the plotting area, from its left or upper edge, so that a chart fills
any width while its text keeps its size. `templates/charts.html` draws what is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from drugmon.statistics.figures import Interval

MIN_LABELLED = 0.075
"""The smallest share of a stacked bar whose segment has room for its own percentage."""


@dataclass(frozen=True)
class Scale:
    """A linear scale from `low` to `high`; `flipped` counts from the bottom up."""

    low: float
    high: float
    flipped: bool = False

    def at(self, value: float) -> float:
        """The position of `value`, at the edge where it lies beyond the scale."""
        share = (value - self.low) / (self.high - self.low)
        share = min(max(share, 0.0), 1.0)
        return round(100 * (1 - share if self.flipped else share), 2)


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A figure and its interval; `cut_low` and `cut_high` where the interval leaves the scale.

    `outside` where the figure itself does: there is no point to draw.
    """

    at: float
    low: float
    high: float
    cut_low: bool
    cut_high: bool
    outside: bool


@dataclass(frozen=True)
class Segment:
    """One part of a stacked bar: `labelled` where it has room for its percentage."""

    name: str
    share: float
    start: float
    width: float
    labelled: bool


def ticks(low: float, high: float, count: int = 4) -> tuple[float, ...]:
    """About `count` round figures that reach from `low` or below to `high` or above.

    Their step is 1, 2, 2.5 or 5 times a power of ten: P. Heckbert, "Nice numbers for graph labels"
    (Graphics Gems, 1990).
    """
    span = (high - low) or abs(high) or 1.0
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(nice for nice in (1, 2, 2.5, 5, 10) if raw <= nice * power * (1 + 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 10) for index in range(first, max(last, first + 1) + 1))


def mark(interval: Interval | None, scale: Scale) -> Mark | None:
    """Place a figure and its interval; None where the figure is undefined."""
    if interval is None or interval.value is None:
        return None
    low = interval.value if interval.low is None else interval.low
    high = interval.value if interval.high is None else interval.high
    return Mark(
        at=scale.at(interval.value),
        low=scale.at(low),
        high=scale.at(high),
        cut_low=low < scale.low,
        cut_high=high > scale.high,
        outside=not scale.low <= interval.value <= scale.high,
    )


def stack(shares: Iterable[tuple[str, float]]) -> tuple[Segment, ...]:
    """Lay shares of 1 side by side from the left; those of 0 are left out."""
    segments, start = [], 0.0
    for name, share in shares:
        if share > 0:
            segment = Segment(
                name, share, round(100 * start, 2), round(100 * share, 2), share >= MIN_LABELLED
            )
            segments.append(segment)
        start += share
    return tuple(segments)
