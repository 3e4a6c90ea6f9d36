"""Held-out reviews: what a trained adapter is calibrated with, and how good it is on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from drugmon.data.reviews import clean
from drugmon.labels import ASPECTS
from drugmon.models.calibration import Calibration, fit_calibration
from drugmon.monitoring.profile import Profile, build_profile, text_lengths
from drugmon.monitoring.quality import Quality
from drugmon.monitoring.reliability import calibration_error, top_label
from drugmon.scoring.scores import Evidence, Scores, judge
from drugmon.training.dataset import LabelledReviews
from drugmon.workflows.evaluate import measure_scores


@dataclass(frozen=True)
class Part:
    """Reviews that were not trained on, and what the models say of them."""

    reviews: LabelledReviews
    evidence: Evidence

    def scores(self, calibrations: Mapping[str, Calibration]) -> Scores:
        """Their verdicts."""
        return judge(self.reviews.texts, self.evidence, calibrations)


@dataclass(frozen=True)
class HeldOut:
    """`fitting` calibrates and has chosen the epoch, `measuring` measures and is called `name`.

    The figures come from a calibration on `fitting` alone. The one that the adapter keeps is fitted
    on both parts: more reviews, and nothing is measured after it.
    """

    name: str
    fitting: Part
    measuring: Part
    seed: int

    @cached_property
    def calibrations(self) -> dict[str, Calibration]:
        """The calibration of each target that the adapter keeps."""
        if self.measuring is self.fitting:
            return self._measured_calibrations
        return _fit([self.fitting, self.measuring], self.seed)

    @cached_property
    def _measured_calibrations(self) -> dict[str, Calibration]:
        return _fit([self.fitting], self.seed)

    @cached_property
    def qualities(self) -> dict[str, Quality]:
        """The quality of each target on `measuring`."""
        scores = self.measuring.scores(self._measured_calibrations)
        return measure_scores(scores, self.measuring.reviews)

    def calibration_errors(self) -> dict[str, dict[str, float | None]]:
        """Each target's ECE on `measuring`: of the encoder as trained, and calibrated on `fitting`.

        None for a target that has no label there.
        """
        found: dict[str, dict[str, float | None]] = {}
        for target, calibration in self._measured_calibrations.items():
            encoder, lexical, labels = _labelled(self.measuring, target)
            shares = {
                "ece_before": Calibration().probabilities(encoder),
                "ece_after": calibration.probabilities(encoder, lexical),
            }
            found[target] = {
                name: calibration_error(top_label(labels, each.astype(np.float64)))
                if len(labels)
                else None
                for name, each in shares.items()
            }
        return found

    def profile(self) -> Profile:
        """The reference profile: verdicts and inputs of `measuring`, without any text."""
        reviews = self.measuring.reviews
        scores = self.measuring.scores(self.calibrations)
        return build_profile(
            scores.labels,
            scores.probabilities,
            {
                aspect: text_lengths(clean(getattr(texts, aspect)) for texts in reviews.texts)
                for aspect in ASPECTS
            },
            drugs=reviews.context.get("drug"),
            conditions=reviews.context.get("condition"),
            ratings=reviews.context.get("rating"),
            quality=self.qualities,
        )


def _fit(parts: list[Part], seed: int) -> dict[str, Calibration]:
    found = {}
    for target in parts[0].evidence.model:
        encoder, lexical, labels = zip(*(_labelled(part, target) for part in parts), strict=True)
        found[target] = fit_calibration(
            np.concatenate(encoder),
            np.concatenate(lexical) if lexical[0] is not None else None,
            np.concatenate(labels),
            seed=seed,
        )
    return found


def _labelled(part: Part, target: str) -> tuple[Any, Any, Any]:
    """Encoder's and lexical log-probabilities and labels of the rows that have a label."""
    # Reviews of another source may lack the column that teaches the target.
    labels = part.reviews.labels.get(target, np.full(len(part.reviews), -1))
    rows = np.flatnonzero(labels >= 0)
    return (*part.evidence.of(target, rows), labels[rows])
