"""What pages show of one target's quality: its figures, its confusion matrix, its calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drugmon.labels import LABELS
from drugmon.reports.plots.reliability_plot import ReliabilityPlot, plot_reliability
from drugmon.statistics.figures import Quality


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix: its count, its share of the true label's rows, is it a hit."""

    label: str
    count: int
    share: float | None
    hit: bool


@dataclass(frozen=True)
class QualityView:
    """One target's quality; `matrix` has a row of cells for each true label."""

    target: str
    quality: Quality
    matrix: tuple[tuple[str, tuple[Cell, ...]], ...]
    plot: ReliabilityPlot


def quality_view(target: str, quality: Quality) -> QualityView:
    """Lay out what the pages draw of `quality`."""
    return QualityView(
        target=target,
        quality=quality,
        matrix=tuple(
            (true, _cells(index, quality.confusion[index])) for index, true in enumerate(LABELS)
        ),
        plot=plot_reliability(quality.reliability),
    )


def _cells(true: int, counts: Sequence[int]) -> tuple[Cell, ...]:
    total = sum(counts)
    return tuple(
        Cell(label, count, count / total if total else None, index == true)
        for index, (label, count) in enumerate(zip(LABELS, counts, strict=True))
    )
