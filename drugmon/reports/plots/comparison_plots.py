"""Coordinates of the comparison's plots, in percent of their width: they fit any screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from drugmon.reports.plots.charts import Tick

HEIGHT = 120
"""Height of a loss curve in pixels; the plotting area is between `TOP` and `BOTTOM`."""

TOP, BOTTOM = 22, 96

_STEPS = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class PercentAxis:
    """A horizontal axis from `low` to `high`."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """The position of a value in percent of the width."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True)
class EpochPoint:
    """An epoch of a curve: position in percent of the width and in pixels from the top."""

    x: float
    y: float
    epoch: int
    value: float
    best: bool


@dataclass(frozen=True)
class Curve:
    """A loss curve: its points, the segments between them, and the ticks of its upright axis."""

    points: tuple[EpochPoint, ...]
    segments: tuple[tuple[EpochPoint, EpochPoint], ...]
    ticks: tuple[Tick, ...]
    height: int = HEIGHT
    top: int = TOP
    bottom: int = BOTTOM


def share_scale() -> PercentAxis:
    """The whole way from 0 to 1, which bars need."""
    return _scale(0, 1, 0.25)


def scale_over(values: Sequence[float]) -> PercentAxis:
    """A scale of round ends that holds all `values` (shares of 1), for dots and whiskers."""
    low = max(0.0, math.floor(min(values, default=0) * 10 - 1e-9) / 10)
    high = min(1.0, math.ceil(max(values, default=1) * 10 + 1e-9) / 10)
    high = max(high, low + 0.1)
    return _scale(low, high, 0.1 if high - low <= 0.45 else 0.2)


def plot_curve(losses: Sequence[float], best_epoch: int | None, highest: float) -> Curve:
    """Lay out one loss per epoch; `highest` is the largest of all curves that share the axis."""
    step = next((s for s in _STEPS if highest <= 3 * s), highest / 3 or 1.0)
    top = step * max(1, math.ceil(highest / step))
    points = tuple(
        EpochPoint(_across(n, len(losses)), _up(loss, top), n + 1, loss, n + 1 == best_epoch)
        for n, loss in enumerate(losses)
    )
    ticks = tuple(
        Tick(_up(number * step, top), f"{number * step:g}")
        for number in range(round(top / step) + 1)
    )
    return Curve(points, tuple(pairwise(points)), ticks)


def _scale(low: float, high: float, step: float) -> PercentAxis:
    count = math.floor((high - low) / step + 1e-9)
    values = [low + number * step for number in range(count + 1)]
    return PercentAxis(
        low,
        high,
        tuple(
            Tick(round(100 * (v - low) / (high - low), 2), f"{v:.2f}".rstrip("0").rstrip("."))
            for v in values
        ),
    )


def _across(number: int, count: int) -> float:
    """Leave room for the axis on the left and for half a label on the right."""
    return round(14 + 80 * (number / (count - 1) if count > 1 else 0.5), 2)


def _up(value: float, top: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * value / top, 1)
