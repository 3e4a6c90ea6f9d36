"""A model's verdicts on labelled reviews, and how they differ from another model's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.config import EngineConfig
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.scoring.engine import Engine
from drugmon.scoring.scores import Scores
from drugmon.statistics.quality import Quality
from drugmon.statistics.significance import Difference, compare, holm
from drugmon.training.reviews.copies import copy_numbers
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.workflows.compare.evaluate import BOOTSTRAP_SEED, both, measure_scores, score_all

WARM_UP: Final = 16
"""Reviews scored before the clock starts: the first batch pays for what is loaded on demand."""


@dataclass(frozen=True)
class JudgedModel:
    """A model's verdicts, and how many reviews it gave them to in a second."""

    scores: Scores
    qualities: Mapping[str, Quality]
    speed: float
    compute: str


def judge(
    adapter: Adapter,
    reviews: LabelledReviews,
    config: EngineConfig,
    on_progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> JudgedModel:
    """Score `reviews` with `adapter`, and measure it and its speed.

    Args:
        adapter: what scores.
        reviews: labelled.
        config: how to compute.
        on_progress: told how many reviews are scored, of how many.
        warn: told where batches had to shrink.

    Raises:
        DrugmonError: it cannot be loaded.
    """
    with Engine(adapter, config, warn) as engine:
        engine.score(reviews.texts[:WARM_UP])
        began = time.perf_counter()
        scores = score_all(engine, reviews, on_progress)
        seconds = time.perf_counter() - began
    qualities = measure_scores(scores, reviews)
    return JudgedModel(scores, qualities, len(reviews) / seconds, str(engine.compute))


def differences(reviews: LabelledReviews, judged: Sequence[Scores]) -> list[dict[str, Difference]]:
    """Per stage, the differences to the first one on the rows that both have judged."""
    first, copies = judged[0], copy_numbers(reviews.texts)
    of_models: list[dict[str, Difference]] = [{}]
    for other in judged[1:]:
        of_targets = {}
        for target, labels in reviews.labels.items():
            column = TARGETS.index(target)
            rows = _shared(labels, first.labels[:, column], other.labels[:, column])
            if rows.any():
                of_targets[target] = compare(
                    labels[rows],
                    first.labels[rows, column],
                    other.labels[rows, column],
                    groups=copies[rows],
                    seed=BOOTSTRAP_SEED,
                )
        of_models.append(of_targets)
    return of_models


def _shared(
    labels: NDArray[np.int64], first: NDArray[np.int8], other: NDArray[np.int8]
) -> NDArray[np.bool_]:
    return both(labels, first) & both(labels, other)


def adjusted(differences: Sequence[Mapping[str, Difference]]) -> list[dict[str, float | None]]:
    """Per stage and target, McNemar's p-value adjusted for all stages of that target."""
    targets = {target: None for of_model in differences for target in of_model}
    columns = {
        target: holm(
            [of_model[target].mcnemar_p if target in of_model else None for of_model in differences]
        )
        for target in targets
    }
    return [
        {target: columns[target][number] for target in of_model}
        for number, of_model in enumerate(differences)
    ]
