"""The coordinates of a reliability diagram: the template only draws what is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drugmon.statistics.figures import ReliabilityBin

SIZE = 300
"""Side of the square plotting area, in the drawing's own units."""

LEFT, TOP, RIGHT, BOTTOM = 46, 12, 14, 46
"""Room around the plotting area for the axes."""


@dataclass(frozen=True)
class DiagonalTick:
    """A labelled position on both axes."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin: its centre, the ends of its whisker, and its own words."""

    x: float
    y: float
    low: float
    high: float
    title: str


@dataclass(frozen=True)
class ReliabilityPlot:
    """A drawing of `width` by `height` units; `line` joins the points."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int
    ticks: tuple[DiagonalTick, ...]
    points: tuple[ReliabilityPoint, ...]
    line: str


def plot_reliability(bins: Sequence[ReliabilityBin]) -> ReliabilityPlot:
    """Lay out share of hits (with its interval) over mean confidence, both axes from 0 to 1."""
    points = tuple(_point(bin_) for bin_ in bins)
    ticks = tuple(DiagonalTick(_x(step / 5), _y(step / 5), f"{step / 5:.1f}") for step in range(6))
    return ReliabilityPlot(
        width=LEFT + SIZE + RIGHT,
        height=TOP + SIZE + BOTTOM,
        left=LEFT,
        top=TOP,
        right=LEFT + SIZE,
        bottom=TOP + SIZE,
        ticks=ticks,
        points=points,
        line=" ".join(f"{point.x},{point.y}" for point in points),
    )


def _point(bin_: ReliabilityBin) -> ReliabilityPoint:
    hits = bin_.accuracy.value or 0.0
    low = hits if bin_.accuracy.low is None else bin_.accuracy.low
    high = hits if bin_.accuracy.high is None else bin_.accuracy.high
    return ReliabilityPoint(
        x=_x(bin_.confidence),
        y=_y(hits),
        low=_y(low),
        high=_y(high),
        title=f"confidence {bin_.confidence:.3f}, right {hits:.3f} of {bin_.count:,} rows",
    )


def _x(share: float) -> float:
    return round(LEFT + share * SIZE, 1)


def _y(share: float) -> float:
    return round(TOP + (1 - share) * SIZE, 1)
