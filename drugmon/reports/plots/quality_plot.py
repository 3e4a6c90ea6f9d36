"""Quality by target: measured, estimated and held-out figures side by side on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from drugmon.monitoring.checks.summary import TargetQuality
from drugmon.reports.pages import percent
from drugmon.reports.plots.charts import Mark, Scale, Tick, mark
from drugmon.reports.quality_view import QualityView, quality_view
from drugmon.statistics.figures import Interval

SCALE: Final = Scale(0.0, 1.0)
FIGURES: Final = (("macro_f1", "Macro-F1"), ("accuracy", "Accuracy"))


@dataclass(frozen=True)
class Score:
    """One figure from one origin: `measured`, `estimate` or `reference` (held out)."""

    origin: str
    kind: str
    n: int
    interval: Interval
    mark: Mark


@dataclass(frozen=True)
class QualitySection:
    """One target: its scores by figure, and where there are labels what was measured in full."""

    quality: TargetQuality
    scores: tuple[tuple[str, tuple[Score, ...]], ...]
    view: QualityView | None
    ticks: tuple[Tick, ...]


def quality_sections(qualities: Sequence[TargetQuality]) -> tuple[QualitySection, ...]:
    """Lay out each target's quality; figures that are undefined are left out."""
    return tuple(
        QualitySection(
            quality=quality,
            scores=tuple((title, tuple(_scores(quality, name))) for name, title in FIGURES),
            view=quality_view(quality.target, quality.measured) if quality.measured else None,
            ticks=tuple(Tick(SCALE.at(at), percent(at)) for at in (0.0, 0.5, 1.0)),
        )
        for quality in qualities
    )


def _scores(quality: TargetQuality, name: str) -> Iterator[Score]:
    origins = (
        ("measured", "current", quality.measured),
        ("estimated", "estimate", quality.estimate),
        (quality.whose, "reference", quality.baseline),
    )
    for origin, kind, figures in origins:
        interval: Interval | None = getattr(figures, name, None)
        drawn = mark(interval, SCALE)
        if figures is not None and interval is not None and drawn is not None:
            yield Score(origin, kind, figures.n, interval, drawn)
