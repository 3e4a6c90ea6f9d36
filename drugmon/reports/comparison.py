"""The page that compares models on the same reviews: figures and plots, and no review text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drugmon.labels import LABELS, TARGETS
from drugmon.reports.pages import environment
from drugmon.reports.plots.comparison_plots import (
    Curve,
    PercentAxis,
    plot_curve,
    scale_over,
    share_scale,
)
from drugmon.statistics.figures import Interval, Quality
from drugmon.statistics.significance import Difference
from drugmon.version import __version__

COLUMNS = (
    ("accuracy", "Accuracy"),
    ("macro_precision", "Precision"),
    ("macro_recall", "Recall"),
    ("macro_f1", "Macro-F1"),
    ("weighted_f1", "Weighted F1"),
)
"""The figures of a stage, in the order of the table."""

PAGE_ORDER = ("overall", *(target for target in TARGETS if target != "overall"))


@dataclass(frozen=True)
class EpochFigures:
    """A training epoch: the mean `loss` of its batches, and mean macro-F1 on dev where known."""

    loss: float
    dev_macro_f1: float | None


@dataclass(frozen=True)
class Training:
    """How a model was trained; None where its manifest does not tell.

    `before` and `after` count each target's labels (3,) among the training reviews, before and
    after balancing and augmentation. `best_epoch` counts from 1.
    """

    trainable_parameters: int
    all_parameters: int
    seconds: float
    peak_memory_bytes: int | None = None
    best_epoch: int | None = None
    epochs: Sequence[EpochFigures] = ()
    before: Mapping[str, Sequence[int]] = field(default_factory=dict)
    after: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The share of the parameters that were trained."""
        return self.trainable_parameters / self.all_parameters


@dataclass(frozen=True)
class Stage:
    """One compared model under its `title`; `differences` to the first, by target.

    `identity` is the adapter's `name@digest`, or the base's source where it judged by itself; then
    `training` is None. `speed` is in reviews per second.
    """

    title: str
    identity: str
    base: str
    qualities: Mapping[str, Quality]
    differences: Mapping[str, Difference]
    adjusted_p: Mapping[str, float | None]
    speed: float
    training: Training | None


@dataclass(frozen=True)
class CascadePoint:
    """A cascade that sends `share` on, in fact `sent`; `speed` is in reviews per second."""

    share: float
    sent: float
    speed: float
    qualities: Mapping[str, Quality]


@dataclass(frozen=True)
class CascadeCurve:
    """What the adapter `second` gains behind `first`, by the share that is sent on to it.

    Measured on `rows` reviews that both held out, fitted and measured in turns over `folds`.
    """

    first: str
    second: str
    rows: int
    folds: int
    points: Sequence[CascadePoint]


@dataclass(frozen=True)
class ModelComparison:
    """What the page shows. `stages[0]` is what the others are compared with.

    `missing` are stages that have no figures, with the reason; `warnings` are what the reader must
    know before believing the others'. `compared_at` has a time zone. `cascade` is None where none
    was asked for.
    """

    source: str
    rows: int
    compute: str
    compared_at: datetime
    stages: Sequence[Stage]
    missing: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    cascade: CascadeCurve | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that a stage was measured on, overall first."""
        return tuple(
            name for name in PAGE_ORDER if any(name in stage.qualities for stage in self.stages)
        )

    def best(self, target: str) -> Stage | None:
        """The one stage with the highest macro-F1 of `target`; None where several have it.

        None too where the figures are not to be believed, which `warnings` say.
        """
        if self.warnings:
            return None
        measured = [
            (quality.macro_f1.value, stage)
            for stage in self.stages
            if (quality := stage.qualities.get(target)) and quality.macro_f1.value is not None
        ]
        top = max((value for value, _ in measured), default=0.0)
        highest = [stage for value, stage in measured if math.isclose(value, top, abs_tol=1e-9)]
        return highest[0] if len(highest) == 1 else None


@dataclass(frozen=True)
class Section:
    """One target's part of the page: the stages that judge it, and the scale of their macro-F1."""

    target: str
    stages: Sequence[Stage]
    best: Stage | None
    scale: PercentAxis
    n: int

    @property
    def baseline(self) -> Stage:
        """The first of the stages."""
        return self.stages[0]


@dataclass(frozen=True)
class BalanceRow:
    """A row of the table of class balance: how often each label (3,) of `target` occurred."""

    title: str
    target: str
    counts: Sequence[int]


def render_comparison(comparison: ModelComparison) -> str:
    """The page as an HTML document, to be written as UTF-8."""
    curves = _curves(comparison.stages)
    return (
        environment()
        .get_template("comparison.html")
        .render(
            comparison=comparison,
            when=comparison.compared_at.astimezone(UTC),
            sections=[_section(comparison, target) for target in comparison.targets],
            curves=curves,
            cascades=_cascades(comparison.cascade),
            balance=_balance(comparison.stages),
            columns=COLUMNS,
            labels=LABELS,
            shares=share_scale(),
            version=__version__,
        )
    )


def _section(comparison: ModelComparison, target: str) -> Section:
    stages = [stage for stage in comparison.stages if target in stage.qualities]
    intervals = [stage.qualities[target].macro_f1 for stage in stages]
    return Section(
        target=target,
        stages=stages,
        best=comparison.best(target),
        scale=scale_over(_ends(intervals)),
        n=max(stage.qualities[target].n for stage in stages),
    )


@dataclass(frozen=True)
class CascadeSection:
    """One target's curve, and the scale of its macro-F1."""

    target: str
    points: Sequence[CascadePoint]
    scale: PercentAxis


def _cascades(curve: CascadeCurve | None) -> list[CascadeSection]:
    if curve is None:
        return []
    targets = [name for name in PAGE_ORDER if name in curve.points[0].qualities]
    return [
        CascadeSection(
            name,
            curve.points,
            scale_over(_ends([point.qualities[name].macro_f1 for point in curve.points])),
        )
        for name in targets
    ]


def _ends(intervals: Sequence[Interval]) -> list[float]:
    return [
        end
        for interval in intervals
        for end in (interval.value, interval.low, interval.high)
        if end is not None
    ]


def _curves(stages: Sequence[Stage]) -> list[tuple[Stage, Training, Curve]]:
    trained = [
        (stage, stage.training) for stage in stages if stage.training and stage.training.epochs
    ]
    top = max((epoch.loss for _, training in trained for epoch in training.epochs), default=1.0)
    return [
        (
            stage,
            training,
            plot_curve([epoch.loss for epoch in training.epochs], training.best_epoch, top),
        )
        for stage, training in trained
    ]


def _balance(stages: Sequence[Stage]) -> list[BalanceRow]:
    """Before balancing once where it was the same for all, and after it for every stage."""
    counted = [(s.title, s.training) for s in stages if s.training and s.training.before]
    targets = [
        name for name in PAGE_ORDER if all(name in training.before for _, training in counted)
    ]
    if not counted or not targets:
        return []
    target = targets[0]
    if len({tuple(training.before[target]) for _, training in counted}) == 1:
        before = BalanceRow("Before, all stages", target, counted[0][1].before[target])
        return [
            before,
            *(BalanceRow(title, target, training.after[target]) for title, training in counted),
        ]
    return [
        BalanceRow(f"{title}, {when}", target, counts[target])
        for title, training in counted
        for when, counts in (("before", training.before), ("after", training.after))
    ]
