"""The page of one evaluation: self-contained HTML that holds figures and no review text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from drugmon.labels import LABELS, TARGETS
from drugmon.reports.pages import environment
from drugmon.reports.quality_view import quality_view
from drugmon.statistics.figures import Quality
from drugmon.version import __version__

METRICS = (
    ("accuracy", "Accuracy"),
    ("macro_f1", "Macro-F1"),
    ("macro_precision", "Macro precision"),
    ("macro_recall", "Macro recall"),
    ("weighted_f1", "Weighted F1"),
    ("kappa", "Cohen’s kappa"),  # noqa: RUF001
    ("ece", "Calibration error"),
)
"""The scalar figures of a `Quality` in the order of the page, with their names there."""


@dataclass(frozen=True)
class LeftOut:
    """`rows` on which `target` (None: every target) was not measured, and the `reason`."""

    target: str | None
    reason: str
    rows: int


@dataclass(frozen=True)
class Evaluation:
    """What the page shows: `source` and `adapter` as names, `rows` read, `qualities` by target.

    `evaluated_at` has a time zone.
    """

    source: str
    adapter: str
    base: str
    evaluated_at: datetime
    rows: int
    qualities: Mapping[str, Quality]
    left_out: Sequence[LeftOut] = ()


def render_evaluation(evaluation: Evaluation) -> str:
    """The page as an HTML document, to be written as UTF-8."""
    judged = [name for name in TARGETS if name in evaluation.qualities]
    return (
        environment()
        .get_template("evaluation.html")
        .render(
            evaluation=evaluation,
            when=evaluation.evaluated_at.astimezone(UTC),
            sections=[quality_view(name, evaluation.qualities[name]) for name in judged],
            metrics=METRICS,
            labels=LABELS,
            version=__version__,
        )
    )
