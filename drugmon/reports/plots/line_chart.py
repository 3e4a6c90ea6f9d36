"""A chart of lines over two axes: points, intervals as bands, limits, and names at the ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TypeVar

from drugmon.reports.pages import figure
from drugmon.reports.plots.charts import Scale, Tick, ticks

Place = TypeVar("Place")

NAME_HEIGHT = 11.0
"""What the name of a line takes of a chart's height, in percent."""


@dataclass(frozen=True)
class Series:
    """A line to draw: `ys` over `xs`, None where there is no figure and the line breaks.

    `lows` and `highs` are its 95 % intervals, or empty; `titles` says each point in words;
    `marked` names the points to be pointed out, such as `fail`. `style` is a class of charts.css.
    `kinds` says of what each figure is, or is empty: only neighbours of one kind are joined.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    titles: Sequence[str] = ()
    marked: Sequence[str] = ()
    style: str = "current"
    kinds: Sequence[str | None] = ()


@dataclass(frozen=True)
class Dot:
    """A point of a line, with the words that tell it and what it is marked as, if anything."""

    x: float
    y: float
    title: str
    marked: str


@dataclass(frozen=True)
class Line:
    """A drawn series: SVG paths in a square of 100 by 100, its dots, and where its name stands."""

    name: str
    style: str
    path: str
    area: str
    dots: tuple[Dot, ...]
    end: float | None


@dataclass(frozen=True)
class Limit:
    """A horizontal limit: `kind` is `warn`, `fail` or `reference`; `name` is for people."""

    value: float
    kind: str
    name: str


@dataclass(frozen=True)
class DrawnLimit:
    """A `Limit` at its position."""

    at: float
    kind: str
    name: str


@dataclass(frozen=True)
class LineChart:
    """Lines over two axes, with limits.

    `has_dots` where there are few enough points to show them all, `names` where the lines need
    their names at their ends.
    """

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    limits: tuple[DrawnLimit, ...]
    has_dots: bool
    names: tuple[Tick, ...]


def line_chart(
    series: Sequence[Series],
    x_ticks: Sequence[tuple[float, str]],
    *,
    limits: Sequence[Limit] = (),
    floor: float | None = None,
    ceiling: float | None = None,
    write: Callable[[float], str] | None = None,
    most_dots: int = 60,
) -> LineChart:
    """Lay out `series` over common axes.

    The vertical axis holds every figure, interval and limit.

    Args:
        series: the lines.
        x_ticks: where they stand, and their labels.
        limits: drawn across.
        floor: which the axis reaches down to; None for the figures.
        ceiling: which it reaches up to; None for the figures.
        write: writes a tick of the vertical axis; None for the decimals it needs.
        most_dots: a series of more figures has no dots.
    """
    values = [*_figures(series), *(limit.value for limit in limits)]
    ends = [*values, *(end for end in (floor, ceiling) if end is not None)] or [0.0, 1.0]
    marks = ticks(min(ends), max(ends))
    marks = tuple(mark for mark in marks if ceiling is None or mark <= ceiling + 1e-9)
    places = _decimals(marks)
    xs = [x for curve in series for x in curve.xs] or [0.0]
    x_scale = Scale(min(xs), max(xs)) if max(xs) > min(xs) else Scale(min(xs) - 1, max(xs) + 1)
    y_scale = Scale(marks[0], max(marks[-1], *values, marks[0] + 1e-9), flipped=True)
    lines = tuple(_line(curve, x_scale, y_scale) for curve in series)
    return LineChart(
        x_ticks=tuple(Tick(x_scale.at(x), label) for x, label in x_ticks),
        y_ticks=tuple(Tick(y_scale.at(y), write(y) if write else figure(y, places)) for y in marks),
        lines=lines,
        limits=tuple(
            DrawnLimit(y_scale.at(limit.value), limit.kind, limit.name) for limit in limits
        ),
        has_dots=max((len(curve.xs) for curve in series), default=0) <= most_dots,
        names=_names(lines) if len(lines) > 1 else (),
    )


def _names(lines: Sequence[Line]) -> tuple[Tick, ...]:
    """The lines' names beside their ends, moved apart where they would cover each other."""
    ends = sorted((line.end, line.name) for line in lines if line.end is not None)
    placed: list[Tick] = []
    for at, name in ends:
        placed.append(Tick(max(at, placed[-1].at + NAME_HEIGHT) if placed else at, name))
    return tuple(placed)


def _figures(series: Sequence[Series]) -> list[float]:
    columns = (column for curve in series for column in (curve.ys, curve.lows, curve.highs))
    return [value for column in columns for value in column if value is not None]


def _decimals(marks: Sequence[float]) -> int:
    step = min(b - a for a, b in pairwise(marks)) if len(marks) > 1 else 1.0
    return next((n for n in range(6) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 6)


def _line(series: Series, x_scale: Scale, y_scale: Scale) -> Line:
    xs = [x_scale.at(x) for x in series.xs]
    titles, marked = (texts or [""] * len(xs) for texts in (series.titles, series.marked))
    points = [
        (x, y_scale.at(y)) if y is not None else None for x, y in zip(xs, series.ys, strict=True)
    ]
    ends = [
        (x, y_scale.at(low), y_scale.at(high)) if low is not None and high is not None else None
        for x, low, high in zip(xs, series.lows, series.highs, strict=False)
    ]
    kinds = series.kinds or [None] * len(xs)
    return Line(
        name=series.name,
        style=series.style,
        path=" ".join(_joined(piece) for piece in _pieces(points, kinds)),
        area=" ".join(
            _joined([(x, low) for x, low, _ in piece] + [(x, high) for x, _, high in piece[::-1]])
            + "Z"
            for piece in _pieces(ends, kinds)
        ),
        dots=tuple(
            Dot(*point, title, mark)
            for point, title, mark in zip(points, titles, marked, strict=True)
            if point
        ),
        end=next((point[1] for point in reversed(points) if point), None),
    )


def _pieces(points: Sequence[Place | None], kinds: Sequence[str | None]) -> list[list[Place]]:
    """The runs of points of one kind between breaks."""
    runs = groupby(
        zip(points, kinds, strict=False), key=lambda entry: (entry[0] is not None, entry[1])
    )
    return [
        [point for point, _ in run if point is not None] for (is_there, _), run in runs if is_there
    ]


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points)
