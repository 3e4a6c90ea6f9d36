"""The outline of a distribution: the current shares as bars, the reference as a stepped line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from drugmon.monitoring.checks.summary import Distribution
from drugmon.reports.pages import count, figure, percent
from drugmon.reports.plots.charts import Scale, Tick

WIDE_RATIO: Final = 3.0
"""Edges whose last bin is this many times as wide as their first are drawn at equal distances."""

NEGLIGIBLE: Final = 0.001
"""Bins at either end with smaller shares on both sides are not drawn."""


@dataclass(frozen=True)
class Bin:
    """One bar, and its numbers in words."""

    x: float
    width: float
    y: float
    height: float
    title: str


@dataclass(frozen=True)
class HistogramPlot:
    """A drawing in percent; `outline` is a path in a square of 100 by 100, empty without one."""

    distribution: Distribution
    bins: tuple[Bin, ...]
    outline: str
    ticks: tuple[Tick, ...]
    top: str


def histogram_plots(distributions: Sequence[Distribution]) -> tuple[HistogramPlot, ...]:
    """Lay out the distributions, those that differ most from the reference first."""
    ranked = sorted(distributions, key=_largest_gap, reverse=True)
    return tuple(histogram_plot(distribution) for distribution in ranked)


def histogram_plot(distribution: Distribution) -> HistogramPlot:
    """Lay out a distribution, without empty ends where its bins are of growing width."""
    edges, current = distribution.edges, distribution.current
    reference = distribution.reference
    widths = [high - low for low, high in pairwise(edges)]
    is_wide = widths[-1] > WIDE_RATIO * widths[0]
    first, last = _filled(current, reference) if is_wide else (0, len(current))
    kept = edges[first : last + 1]
    places = [float(index) for index in range(len(kept))] if is_wide else list(kept)
    x = Scale(places[0], places[-1])
    highest = max([*current[first:last], *(reference or ())[first:last], 0.01])
    y = Scale(0.0, highest * 1.05, flipped=True)
    labelled = sorted({0, len(kept) // 2, len(kept) - 1})
    return HistogramPlot(
        distribution=distribution,
        bins=tuple(
            _bin(distribution, first + index, x.at(places[index]), x.at(places[index + 1]), y)
            for index in range(last - first)
        ),
        outline=_outline([x.at(place) for place in places], (reference or ())[first:last], y),
        ticks=tuple(Tick(x.at(places[index]), _edge(kept[index])) for index in labelled),
        top=percent(highest),
    )


def _largest_gap(distribution: Distribution) -> float:
    """The largest difference of the cumulative shares; 0 without a reference."""
    sides = zip(distribution.current, distribution.reference or (), strict=False)
    return max(map(abs, accumulate(now - then for now, then in sides)), default=0.0)


def _filled(current: Sequence[float], reference: Sequence[float] | None) -> tuple[int, int]:
    """The range of bins that hold something; all of them where none does."""
    sides = [current, *([reference] if reference is not None else [])]
    filled = [
        index for index in range(len(current)) if any(side[index] >= NEGLIGIBLE for side in sides)
    ]
    return (filled[0], filled[-1] + 1) if filled else (0, len(current))


def _bin(distribution: Distribution, index: int, left: float, right: float, y: Scale) -> Bin:
    share, edges = distribution.current[index], distribution.edges
    before = (
        f", {percent(distribution.reference[index], 1)} in the reference"
        if (distribution.reference is not None)
        else ""
    )
    return Bin(
        x=left,
        width=round(right - left, 2),
        y=y.at(share),
        height=round(100 - y.at(share), 2),
        title=f"{_edge(edges[index])} to {_edge(edges[index + 1])}: {percent(share, 1)}{before}",
    )


def _outline(xs: Sequence[float], shares: Sequence[float], y: Scale) -> str:
    if not shares:
        return ""
    steps = "".join(f"V{y.at(share):g}H{x:g}" for share, x in zip(shares, xs[1:], strict=True))
    return f"M{xs[0]:g},100{steps}V100"


def _edge(value: float) -> str:
    return count(int(value)) if float(value).is_integer() and abs(value) > 1 else figure(value, 2)
