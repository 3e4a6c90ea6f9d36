"""Compare: several models on the same labelled reviews, and how sure their differences are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from drugmon.config import EngineConfig
from drugmon.data.atomic import replacing
from drugmon.errors import TrainingDataError, UsageError
from drugmon.labels import TARGETS
from drugmon.models.adapter import Adapter, open_adapter
from drugmon.models.manifest import Manifest
from drugmon.models.zero_shot import open_base
from drugmon.monitoring.quality import Quality
from drugmon.monitoring.significance import Difference, compare, holm
from drugmon.reports.comparison import Comparison, Epoch, Stage, Training, render_comparison
from drugmon.scoring.engine import Engine
from drugmon.scoring.scores import Scores
from drugmon.training.dataset import LabelledReviews, read_labelled
from drugmon.workflows.evaluate import BOOTSTRAP_SEED, both, measure_scores, score_all

WARM_UP: Final = 16
"""Reviews scored before the clock starts: the first batch pays for what is loaded on demand."""

OnProgress: TypeAlias = Callable[[str, int, int, str], None]
"""Told the stage's title, how many reviews it has scored, of how many, and a note."""


@dataclass(frozen=True)
class CompareConfig:
    """What to compare on what: bases by themselves, then adapters; the first is the baseline."""

    source: str
    adapters: tuple[str, ...]
    bases: tuple[str, ...] = ()
    html: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        if len(self.bases) + len(self.adapters) < 2:
            raise UsageError(
                "a comparison needs two models or more: repeat --adapter, or give --base too"
            )


@dataclass(frozen=True)
class _Judged:
    """A model's verdicts, and how many reviews it gave them to in a second."""

    scores: Scores
    qualities: Mapping[str, Quality]
    speed: float
    compute: str


def compare_sources(
    config: CompareConfig,
    *,
    on_progress: OnProgress = lambda _title, _done, _total, _note: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> Comparison:
    """Measure every model on the reviews of one source, and write the page where one is asked for.

    Raises:
        DrugmonError: the source has no grades, or a model cannot be loaded or reads other labels.
    """
    models = [*map(open_base, config.bases), *map(open_adapter, config.adapters)]
    reviews = read_labelled(
        config.source, _labels(models), overrides=config.columns, encoding=config.encoding
    )
    source, fingerprint = Path(config.source).name, reviews.fingerprint()
    warnings = [
        f"{source} is what adapter {adapter.manifest.name} was trained on: its figures say nothing "
        "about new reviews"
        for adapter in models
        if adapter.manifest.data.get("fingerprint") == fingerprint
    ]
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
) -> Comparison:
    """Measure `models` (by title, the first is the baseline) on `reviews`, one after the other.

    `missing` are stages without a model to measure, with the reason; `warnings` go onto the page.

    Raises:
        DrugmonError: no review has a grade that one of them judges, or one cannot be loaded.
    """
    judged = {}
    for title, adapter in models.items():
        judged[title] = _judge(
            adapter,
            reviews,
            engine,
            lambda done, total, title=title: on_progress(title, done, total, "measuring"),  # type: ignore[misc]
            warn,
        )
    if not any(each.qualities for each in judged.values()):
        raise TrainingDataError(f"{source}: no review has a grade of a target that is judged")
    differences = _differences(reviews, [each.scores for each in judged.values()])
    adjusted = _adjusted(differences)
    return Comparison(
        source=source,
        rows=len(reviews),
        compute=next(iter(judged.values())).compute,
        compared_at=datetime.now(UTC),
        stages=[
            Stage(
                title=title,
                identity=models[title].manifest.identity,
                base=models[title].manifest.base["source"].partition("@")[0],
                qualities=own.qualities,
                differences=differences[number],
                adjusted_p=adjusted[number],
                speed=own.speed,
                training=training_of(models[title].manifest),
            )
            for number, (title, own) in enumerate(judged.items())
        ],
        missing=missing or {},
        warnings=warnings,
    )


def write_page(comparison: Comparison, html: Path) -> None:
    """Write the page of a comparison, whole or not at all."""
    with replacing(html) as temporary:
        temporary.write_text(render_comparison(comparison), encoding="utf-8")


def training_of(manifest: Manifest) -> Training | None:
    """What a manifest tells of a training; None where nothing was trained."""
    told = manifest.training
    if not told.get("trainable_parameters"):
        return None
    counts = told.get("label_counts", {"before": {}, "after": {}})
    return Training(
        trainable_parameters=told["trainable_parameters"],
        all_parameters=told["all_parameters"],
        seconds=told["seconds"],
        peak_memory_bytes=told.get("peak_memory"),
        best_epoch=told.get("best_epoch"),
        epochs=[Epoch(each["loss"], each["mean_macro_f1"]) for each in told.get("epochs", ())],
        before=counts["before"],
        after=counts["after"],
    )


def to_json(comparison: Comparison) -> dict[str, Any]:
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
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
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


def _labels(models: Sequence[Adapter]) -> Mapping[str, Mapping[str, str]]:
    """The label of every level, which must be the same for all: else the truth would differ."""
    first = models[0].manifest
    for manifest in (adapter.manifest for adapter in models[1:]):
        if manifest.recipe["labels"] != first.recipe["labels"]:
            raise UsageError(
                f"adapters {first.name} and {manifest.name} map grades to labels differently "
                "(labels in their recipes): their figures do not compare"
            )
    labels: Mapping[str, Mapping[str, str]] = first.recipe["labels"]
    return labels


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


def _judge(
    adapter: Adapter,
    reviews: LabelledReviews,
    config: EngineConfig,
    on_progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> _Judged:
    engine = Engine(adapter, config, warn)
    engine.score(reviews.texts[:WARM_UP])
    began = time.perf_counter()
    scores = score_all(engine, reviews, on_progress)
    seconds = time.perf_counter() - began
    qualities = measure_scores(scores, reviews)
    return _Judged(scores, qualities, len(reviews) / seconds, str(engine.compute))


def _differences(reviews: LabelledReviews, judged: Sequence[Scores]) -> list[dict[str, Difference]]:
    """Per stage, the differences to the first one on the rows that both have judged."""
    first = judged[0]
    found: list[dict[str, Difference]] = [{}]
    for other in judged[1:]:
        own = {}
        for target, labels in reviews.labels.items():
            column = TARGETS.index(target)
            rows = _shared(labels, first.labels[:, column], other.labels[:, column])
            if rows.any():
                own[target] = compare(
                    labels[rows],
                    first.labels[rows, column],
                    other.labels[rows, column],
                    seed=BOOTSTRAP_SEED,
                )
        found.append(own)
    return found


def _shared(
    labels: NDArray[np.int64], first: NDArray[np.int8], other: NDArray[np.int8]
) -> NDArray[np.bool_]:
    return both(labels, first) & both(labels, other)


def _adjusted(differences: Sequence[Mapping[str, Difference]]) -> list[dict[str, float | None]]:
    """Per stage and target, McNemar's p-value adjusted for all stages of that target."""
    targets = {target: None for own in differences for target in own}
    columns = {
        target: holm([own[target].mcnemar_p if target in own else None for own in differences])
        for target in targets
    }
    return [
        {target: columns[target][number] for target in own}
        for number, own in enumerate(differences)
    ]
