"""Evaluate: score labelled reviews and compare the verdicts with what their grades say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import TrainingDataError
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.zero_shot import open_model
from drugmon.reports.evaluation import Evaluation, LeftOut, render_evaluation
from drugmon.scoring.engine import Engine
from drugmon.scoring.scores import Scores
from drugmon.statistics.quality import Quality, measure
from drugmon.training.reviews.copies import copy_numbers
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.workflows.compare.config import EvaluateConfig
from drugmon.workflows.compare.known import known_reviews

BOOTSTRAP_SEED: Final = 0
"""Intervals of the same verdicts are the same every time."""


def evaluate(
    config: EvaluateConfig,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> Evaluation:
    """Measure an adapter on labelled reviews, and write the page where one is asked for.

    `on_progress` is told how many reviews are scored, and of how many.

    Raises:
        DrugmonError: the source has no grades, or cannot be read or scored.
    """
    adapter = open_model(config.model)
    reviews = read_labelled(
        config.source,
        config.grading.over(adapter.manifest.grading),
        overrides=config.reading.columns,
        text_format=config.reading.text_format,
        warn=warn,
        trust_scale=True,
    )
    for doubt in known_reviews(adapter, config.source, reviews):
        warn(doubt)
    rows = len(reviews)
    left_out = []
    if config.drop_missing_like_pandas:
        dropped = int(reviews.missing_like_pandas.sum())
        left_out.append(LeftOut(None, "a cell that pandas reads as missing", dropped))
        reviews = reviews.take(~reviews.missing_like_pandas)
    if not len(reviews):
        raise TrainingDataError(f"{config.source}: no review is left to measure on")
    with Engine(adapter, config.engine, warn) as engine:
        qualities = measure_scores(score_all(engine, reviews, on_progress), reviews)
    if not qualities:
        raise TrainingDataError(
            f"{config.source}: no review has a grade of {', '.join(adapter.manifest.targets)}, "
            f"the targets of adapter {adapter.manifest.name}"
        )
    evaluation = Evaluation(
        source=Path(config.source).name,
        adapter=adapter.manifest.identity,
        base=adapter.manifest.base.origin,
        evaluated_at=datetime.now(UTC),
        rows=rows,
        qualities=qualities,
        left_out=[*left_out, *_unlabelled(reviews, adapter)],
    )
    if config.html:
        with replacing(config.html) as temporary:
            temporary.write_text(render_evaluation(evaluation), encoding="utf-8")
    return evaluation


def score_all(
    engine: Engine,
    reviews: LabelledReviews,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Scores:
    """Verdicts of all reviews."""
    done = 0

    def on_batch(size: int) -> None:
        nonlocal done
        done += size
        on_progress(done, len(reviews))

    return engine.score(reviews.texts, on_batch)


def measure_scores(scores: Scores, reviews: LabelledReviews) -> dict[str, Quality]:
    """The quality per target that has both labels and verdicts."""
    return measure_labels(scores, reviews.labels, copy_numbers(reviews.texts))


def measure_labels(
    scores: Scores,
    labels_of: Mapping[str, npt.NDArray[np.int64]],
    copies: npt.NDArray[np.int64],
) -> dict[str, Quality]:
    """The same from true label indices (n,) per target, -1 where unknown.

    `copies` has a number for each review (n,), the same for copies: they are no evidence apart.
    """
    qualities = {}
    for target, labels in labels_of.items():
        column = TARGETS.index(target)
        rows = both(labels, scores.labels[:, column])
        if rows.any():
            qualities[target] = measure(
                labels[rows],
                scores.labels[rows, column],
                scores.probabilities[rows, column],
                groups=copies[rows],
                seed=BOOTSTRAP_SEED,
            )
    return qualities


def both(
    labels: npt.NDArray[np.integer], verdicts: npt.NDArray[np.integer]
) -> npt.NDArray[np.bool_]:
    """Which rows (n,) have a label and a verdict."""
    return np.asarray((labels >= 0) & (verdicts >= 0))


def to_json(evaluation: Evaluation) -> dict[str, object]:
    """The evaluation as JSON can hold it."""
    return {
        "source": evaluation.source,
        "adapter": evaluation.adapter,
        "base": evaluation.base,
        "evaluated_at": evaluation.evaluated_at.isoformat(timespec="seconds"),
        "rows": evaluation.rows,
        "left_out": [
            {"target": part.target, "reason": part.reason, "rows": part.rows}
            for part in evaluation.left_out
        ],
        "targets": {name: quality.to_dict() for name, quality in evaluation.qualities.items()},
    }


def _unlabelled(reviews: LabelledReviews, adapter: Adapter) -> list[LeftOut]:
    """What is not measured, per target and reason."""
    trained, left_out = adapter.manifest.targets, reviews.left_out()
    return [
        LeftOut(target, "not a target of this adapter", len(reviews))
        for target in reviews.targets
        if target not in trained
    ] + [
        LeftOut(target, reason, rows)
        for target in reviews.targets
        if target in trained
        for reason, rows in left_out[target].items()
        if rows
    ]
