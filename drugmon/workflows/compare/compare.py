"""Compare: several models on the same labelled reviews, and how sure their differences are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from drugmon.config import EngineConfig
from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import TrainingDataError, UsageError
from drugmon.grading import Grading, GradingChoice
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.manifest import Manifest
from drugmon.models.adapters.zero_shot import open_base
from drugmon.reports.comparison import (
    CascadeCurve,
    EpochFigures,
    ModelComparison,
    Stage,
    Training,
    render_comparison,
)
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.workflows.compare.cascade_curve import (
    check_card,
    draw_curve,
    keep_in_card,
    open_pair,
)
from drugmon.workflows.compare.config import CompareConfig
from drugmon.workflows.compare.judged import adjusted, differences, judge
from drugmon.workflows.compare.known import known_reviews

OnProgress: TypeAlias = Callable[[str, int, int, str], None]
"""Told the stage's title, how many reviews or steps are done, of how many, and a note."""


def compare_sources(
    config: CompareConfig,
    *,
    on_progress: OnProgress = lambda _title, _done, _total, _note: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> ModelComparison:
    """Measure every model on the reviews of one source, and write the page where one is asked for.

    Raises:
        DrugmonError: the source has no grades, or a model cannot be loaded or reads other labels.
    """
    opened = [*map(open_base, config.bases), *map(open_adapter, config.compared)]
    cascade = _cascade(config)
    pair = open_pair(*cascade) if cascade else None
    if cascade and config.card:
        check_card(cascade[0])
    models = [model.under(rule) for model in opened for rule in config.rules or (None,)]
    reviews = read_labelled(
        config.source,
        _grading(models, config.grading),
        overrides=config.reading.columns,
        text_format=config.reading.text_format,
        warn=warn,
        trust_scale=True,
    )
    source = Path(config.source).name
    warnings = list(
        dict.fromkeys(doubt for model in models for doubt in known_reviews(model, source, reviews))
    )
    for warning in warnings:
        warn(warning)
    comparison = compare_models(
        dict(zip(_titles(models), models, strict=True)),
        reviews,
        source=source,
        engine=config.engine,
        warnings=warnings,
        on_progress=on_progress,
        warn=warn,
    )
    if cascade and pair:
        curve = draw_curve(
            pair,
            *cascade,
            _speeds(cascade, models, comparison),
            lambda done, total: on_progress("the cascade", done, total, "measuring"),
        )
        comparison = replace(comparison, cascade=curve)
        if config.card:
            keep_in_card(cascade[0], curve, comparison.compute)
    if config.html:
        write_page(comparison, config.html)
    return comparison


def compare_models(
    models: Mapping[str, Adapter],
    reviews: LabelledReviews,
    *,
    source: str,
    engine: EngineConfig,
    missing: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
    on_progress: OnProgress = lambda _title, _done, _total, _note: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> ModelComparison:
    """Measure `models` (by title, the first is the baseline) on `reviews`, one after the other.

    Args:
        models: by title; the first is the baseline.
        reviews: labelled, and seen by none of them.
        source: what the page calls these.
        engine: how to compute.
        missing: stages without a model, with the reason.
        warnings: what the page tells before all figures.
        on_progress: told the title, how much is done, of how much, and a note.
        warn: told of what the user should know.

    Raises:
        DrugmonError: no review has a grade that one of them judges, or one cannot be loaded.
    """
    judged = {}
    for title, adapter in models.items():
        judged[title] = judge(
            adapter,
            reviews,
            engine,
            lambda done, total, title=title: on_progress(title, done, total, "measuring"),  # type: ignore[misc]
            warn,
        )
    if not any(model.qualities for model in judged.values()):
        raise TrainingDataError(f"{source}: no review has a grade of a target that is judged")
    compared = differences(reviews, [model.scores for model in judged.values()])
    adjusted_p = adjusted(compared)
    return ModelComparison(
        source=source,
        rows=len(reviews),
        compute=next(iter(judged.values())).compute,
        compared_at=datetime.now(UTC),
        stages=[
            Stage(
                title=title,
                identity=models[title].manifest.identity,
                base=models[title].manifest.base.origin,
                qualities=model.qualities,
                differences=compared[number],
                adjusted_p=adjusted_p[number],
                speed=model.speed,
                training=training_of(models[title].manifest),
            )
            for number, (title, model) in enumerate(judged.items())
        ],
        missing=missing or {},
        warnings=warnings,
    )


def write_page(comparison: ModelComparison, html: Path) -> None:
    """Write the page of a comparison, whole or not at all."""
    with replacing(html) as temporary:
        temporary.write_text(render_comparison(comparison), encoding="utf-8")


def training_of(manifest: Manifest) -> Training | None:
    """What a manifest tells of a training; None where nothing was trained."""
    told = manifest.training
    if told is None:
        return None
    return Training(
        trainable_parameters=told.trainable_parameters,
        all_parameters=told.all_parameters,
        seconds=told.seconds,
        peak_memory_bytes=told.peak_memory,
        best_epoch=told.best_epoch,
        epochs=[EpochFigures(epoch.loss, epoch.mean_macro_f1) for epoch in told.epochs],
        before=told.label_counts.before,
        after=told.label_counts.after,
    )


def to_json(comparison: ModelComparison) -> dict[str, object]:
    """The comparison as JSON can hold it."""
    return {
        "source": comparison.source,
        "rows": comparison.rows,
        "compute": comparison.compute,
        "compared_at": comparison.compared_at.isoformat(timespec="seconds"),
        "best": {
            target: best.title
            for target in comparison.targets
            if (best := comparison.best(target)) is not None
        },
        "stages": [_stage_json(stage) for stage in comparison.stages],
        "missing": dict(comparison.missing),
        "warnings": list(comparison.warnings),
        "cascade": _curve_json(comparison.cascade) if comparison.cascade else None,
    }


def _curve_json(curve: CascadeCurve) -> dict[str, object]:
    return {
        "first": curve.first,
        "second": curve.second,
        "rows": curve.rows,
        "points": [
            {
                "share": point.share,
                "sent": point.sent,
                "reviews_per_second": point.speed,
                "targets": {name: quality.to_dict() for name, quality in point.qualities.items()},
            }
            for point in curve.points
        ],
    }


def _stage_json(stage: Stage) -> dict[str, object]:
    training = stage.training
    return {
        "title": stage.title,
        "model": stage.identity,
        "base": stage.base,
        "reviews_per_second": stage.speed,
        "training": {**asdict(training), "trainable_share": training.share} if training else None,
        "targets": {target: quality.to_dict() for target, quality in stage.qualities.items()},
        "against_first": {
            target: {**asdict(difference), "mcnemar_p_adjusted": stage.adjusted_p[target]}
            for target, difference in stage.differences.items()
        },
    }


def _cascade(config: CompareConfig) -> tuple[Adapter, Adapter] | None:
    """The two adapters of which a curve is drawn, under the first rule."""
    if not config.then:
        return None
    first = open_adapter(config.adapters[0]).under(next(iter(config.rules), None))
    return first, open_adapter(config.then).under(first.manifest.rule)


def _speeds(
    cascade: Sequence[Adapter], models: Sequence[Adapter], comparison: ModelComparison
) -> dict[str, float]:
    """Reviews per second by identity, whichever rule each adapter was timed under."""
    timed = {
        model.manifest.digest: stage.speed
        for model, stage in zip(models, comparison.stages, strict=True)
    }
    return {a.manifest.identity: timed[a.manifest.digest] for a in cascade}


def _grading(models: Sequence[Adapter], choice: GradingChoice) -> Grading:
    """The label of every level, which must be the same for all: else the truth would differ."""
    first = models[0].manifest
    grading = choice.over(first.grading)
    for manifest in (adapter.manifest for adapter in models[1:]):
        if not choice.over(manifest.grading).same_truth(grading):
            raise UsageError(
                f"adapters {first.name} and {manifest.name} map grades to labels differently "
                "(labels in their recipes): their figures do not compare"
            )
    return grading


def _titles(models: Sequence[Adapter]) -> list[str]:
    """Names where they tell the models apart, else names with digests."""
    names = [adapter.manifest.name for adapter in models]
    if len(set(names)) == len(names):
        return names
    identities = [adapter.manifest.identity for adapter in models]
    for identity in identities:
        if identities.count(identity) > 1:
            raise UsageError(f"adapter {identity} is given twice")
    return identities
