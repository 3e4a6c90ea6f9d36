"""Parts of held-out reviews, and the calibrations that are fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import with_text
from drugmon.labels import TARGETS
from drugmon.models.adapters.calibration import LONE_TARGETS, Calibration, fit_calibration
from drugmon.models.adapters.combination import Combination, fit_combination
from drugmon.scoring.scores import Evidence, Scores, judge
from drugmon.training.reviews.dataset import LabelledReviews

Array = NDArray[np.int64]
Calibrations: TypeAlias = Mapping[str, Calibration]


@dataclass(frozen=True)
class Part:
    """Reviews that were not trained on, and what the models say of them."""

    reviews: LabelledReviews
    evidence: Evidence

    def take(self, rows: Array) -> Part:
        """The reviews at `rows`."""
        return Part(self.reviews.take(rows), self.evidence.take(rows))

    def scores(self, calibrations: Calibrations) -> Scores:
        """Their verdicts."""
        return judge(self.reviews.texts, self.evidence, calibrations)


def fit_targets(parts: Sequence[Part], seed: int | None) -> dict[str, Calibration]:
    """Fit every target; overall also from the evidence of all, where each aspect has a text.

    Without a seed, the calibrations give probabilities and decide nothing.
    """
    calibrations = {}
    for target in parts[0].evidence.model:
        rows, labels = zip(*(labelled_rows(part, target) for part in parts), strict=True)
        evidence = [
            part.evidence.of(target, rows_of_part)
            for part, rows_of_part in zip(parts, rows, strict=True)
        ]
        encoder, lexical = zip(*evidence, strict=True)
        calibrations[target] = fit_calibration(
            np.concatenate(encoder),
            np.concatenate(lexical) if lexical[0] is not None else None,
            np.concatenate(labels),
            seed=seed,
        )
    if set(calibrations) == set(TARGETS):
        calibrations["overall"] = replace(
            calibrations["overall"], combination=_combination(parts, seed)
        )
    return calibrations


def fit_lone(parts: Sequence[Part], seed: int | None) -> dict[str, Calibration]:
    """Fit overall on lone texts.

    Such a text stands where comments do, so what is read from that segment tells on it as well.
    """
    rows = [labelled_rows(part, "overall")[0] for part in parts]
    return {"overall": Calibration(lone=_fit_experts(parts, rows, LONE_TARGETS, seed))}


def _combination(parts: Sequence[Part], seed: int | None) -> Combination | None:
    """Fitted on the reviews that it is to judge: those with a text for every aspect."""
    labelled = [labelled_rows(part, "overall")[0] for part in parts]
    rows = [
        rows_of_part[with_text(part.reviews.texts)[rows_of_part].all(axis=1)]
        for part, rows_of_part in zip(parts, labelled, strict=True)
    ]
    return _fit_experts(parts, rows, TARGETS, seed)


def _fit_experts(
    parts: Sequence[Part], rows: Sequence[Array], targets: Sequence[str], seed: int | None
) -> Combination | None:
    """Overall from the evidence of `targets`, fitted on some rows of each part."""
    pairs = list(zip(parts, rows, strict=True))
    experts = [part.evidence.experts(rows_of_part) for part, rows_of_part in pairs]
    labels = [part.reviews.labels["overall"][rows_of_part] for part, rows_of_part in pairs]
    evidence = {}
    for target in filter(experts[0].__contains__, targets):
        by_model = zip(*(by_target[target] for by_target in experts), strict=True)
        evidence[target] = [np.concatenate(log_probs) for log_probs in by_model]
    return fit_combination(evidence, np.concatenate(labels), seed=seed)


def labelled_rows(part: Part, target: str) -> tuple[Array, Array]:
    """The rows that have a label, and their labels."""
    # Reviews of another source may lack the column that teaches the target.
    labels = part.reviews.labels.get(target, np.full(len(part.reviews), -1))
    rows = np.flatnonzero(labels >= 0)
    return rows, labels[rows]
