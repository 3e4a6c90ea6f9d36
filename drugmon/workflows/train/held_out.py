"""Held-out reviews: what a trained adapter is calibrated with, and how good it is on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from drugmon.config import DEFAULT_RULE
from drugmon.data.reviews import clean, with_text
from drugmon.labels import ASPECTS, TARGETS
from drugmon.models.adapters.calibration import LONE_TARGETS, Calibration, fit_calibration
from drugmon.models.adapters.combination import FEWEST, Combination, fit_combination
from drugmon.models.adapters.decision import Floats, Labels
from drugmon.monitoring.profiles.profile import Profile, build_profile, text_lengths
from drugmon.scoring.held_out import HeldOutEvidence, joined_evidence
from drugmon.scoring.scores import Evidence, Scores, joined, judge
from drugmon.statistics.quality import Quality
from drugmon.statistics.reliability import calibration_error, top_label
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.split import fold_rows
from drugmon.workflows.compare.evaluate import measure_scores
from drugmon.workflows.train.fitted import FitRecord, Fitted

Array = NDArray[np.int64]
Calibrations = Mapping[str, Calibration]

_LONE_FOLDS: Final = 5


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


FitCalibrations: TypeAlias = Callable[[Sequence[Part], int], dict[str, Calibration]]
"""Calibrations by target, from parts and a seed."""


@dataclass(frozen=True)
class Round:
    """`fitting` calibrates, `measuring` is measured with that calibration."""

    fitting: Sequence[Part]
    measuring: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them, none of which its model had seen."""
        return (*self.fitting, self.measuring)


@dataclass(frozen=True)
class HeldOut:
    """Rounds of calibrating and measuring; `name` says what is measured, `reviews` are these.

    The figures of a part come from a calibration that never saw it. With `refit`, the adapter keeps
    one that is fitted on all parts: more reviews, and nothing is measured after it. Without, it is
    just what was measured. `fit` makes a calibration per target from parts.
    """

    name: str
    reviews: LabelledReviews
    rounds: Sequence[Round]
    seed: int
    refit: bool = True
    fit: FitCalibrations = field(default_factory=lambda: fit_targets)

    @classmethod
    def once(
        cls, name: str, fitting: Sequence[Part], measuring: Part, seed: int, refit: bool
    ) -> HeldOut:
        """Some parts calibrate and another one is measured.

        Args:
            name: of what was measured on.
            fitting: the parts that calibrate.
            measuring: the part that is measured.
            seed: of the bootstrap.
            refit: whether what is kept learned from all reviews.
        """
        return cls(name, measuring.reviews, [Round(fitting, measuring)], seed, refit)

    @classmethod
    def in_turns(
        cls, name: str, reviews: LabelledReviews, parts: Sequence[Part], seed: int
    ) -> HeldOut:
        """Each part of `reviews`, in their order, is measured once, and calibrates the others.

        Args:
            name: of what was measured on.
            reviews: all of them.
            parts: of them, in their order.
            seed: of the bootstrap.
        """
        return cls(name, reviews, _turns(parts), seed)

    @classmethod
    def lone_texts(cls, part: Part, seed: int) -> HeldOut | None:
        """Lone texts that the model never saw, calibrated and measured in turns among themselves.

        None where they are too few.
        """
        if len(part.reviews) < FEWEST * _LONE_FOLDS / (_LONE_FOLDS - 1):
            return None
        folds = fold_rows(part.reviews.texts, part.reviews.strata, _LONE_FOLDS, seed)
        parts = [part.take(rows) for rows in folds]
        reviews = part.reviews.take(np.concatenate(folds))
        name = (
            f"lone texts that no model had seen, calibrated by the other {_LONE_FOLDS - 1} fifths"
        )
        return cls(name, reviews, _turns(parts), seed, fit=fit_lone)

    @cached_property
    def calibrations(self) -> dict[str, Calibration]:
        """The calibration of each target that the adapter keeps."""
        first = self.rounds[0]
        if not self.refit or any(part is first.measuring for part in first.fitting):
            return self._of_round[0]
        return self.fit([*first.fitting, first.measuring], self.seed)

    @cached_property
    def _of_round(self) -> list[dict[str, Calibration]]:
        return [self.fit(round_.fitting, self.seed) for round_ in self.rounds]

    def qualities(self, rule: str = DEFAULT_RULE) -> dict[str, Quality]:
        """The quality of each target, its labels decided by `rule`."""
        if rule not in self._qualities:
            self._qualities[rule] = self._measure(rule)
        return self._qualities[rule]

    @cached_property
    def _qualities(self) -> dict[str, dict[str, Quality]]:
        """By rule, what was measured already: the intervals take a while."""
        return {}

    def _measure(self, rule: str) -> dict[str, Quality]:
        scores = [
            round_.measuring.scores(_deciding(calibrations, rule))
            for round_, calibrations in zip(self.rounds, self._of_round, strict=True)
        ]
        return measure_scores(joined(scores), self.reviews)

    def calibration_errors(self) -> dict[str, dict[str, float | None]]:
        """Each target's ECE on what is measured: of the encoder as trained, and calibrated.

        None for a target that has no label there.
        """
        errors: dict[str, dict[str, float | None]] = {}
        for target in self._of_round[0]:
            before, after, labels = zip(
                *(
                    _shares(round_.measuring, target, calibrations[target])
                    for round_, calibrations in zip(self.rounds, self._of_round, strict=True)
                ),
                strict=True,
            )
            true = np.concatenate(labels)
            errors[target] = {
                name: calibration_error(top_label(true, np.concatenate(shares)))
                if len(true)
                else None
                for name, shares in (("ece_before", before), ("ece_after", after))
            }
        return errors

    def profile(self, rule: str = DEFAULT_RULE) -> Profile:
        """The reference profile: verdicts by `rule` and inputs of what is measured, no text."""
        reviews = self.reviews
        scores = joined(
            [round_.measuring.scores(_deciding(self.calibrations, rule)) for round_ in self.rounds]
        )
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
            scale=reviews.scale,
            quality=self.qualities(rule),
            texts=[tuple(map(clean, texts)) for texts in reviews.texts],
        )


@dataclass(frozen=True)
class Measured:
    """`kept` is what the adapter holds; the figures of `held` are those of the `siblings`.

    Siblings are the trainings of models like it on fewer reviews, or of `kept` itself. `lone` are
    lone texts that `kept` never saw.
    """

    kept: Fitted
    siblings: Sequence[FitRecord]
    held: HeldOut
    lone: HeldOut | None = None

    @property
    def calibrations(self) -> dict[str, Calibration]:
        """The calibration of each target that the adapter keeps."""
        kept = self.held.calibrations
        if self.lone is None:
            return kept
        lone = self.lone.calibrations["overall"].lone
        return {**kept, "overall": replace(kept["overall"], lone=lone)}

    @property
    def evidence(self) -> HeldOutEvidence:
        """What was said of all reviews that were held out, the lone texts behind the others."""
        parts = {id(part): part for round_ in self.held.rounds for part in round_.parts}
        judged = list(enumerate(parts.values()))
        if self.lone is not None:  # one model judged them all
            judged += [(len(parts), round_.measuring) for round_ in self.lone.rounds]
        return joined_evidence(
            [
                HeldOutEvidence.of(
                    part.reviews.texts, part.evidence, dict(part.reviews.labels), number
                )
                for number, part in judged
            ]
        )


def _deciding(calibrations: Calibrations, rule: str) -> Calibrations:
    if rule == DEFAULT_RULE:
        return calibrations
    return {target: calibration.likeliest() for target, calibration in calibrations.items()}


def _shares(part: Part, target: str, calibration: Calibration) -> tuple[Floats, Floats, Labels]:
    """Probabilities before and after calibration, and labels, of the rows that have a label."""
    rows, labels = _labelled(part, target)
    before = Calibration().probabilities(part.evidence.model[target][rows])
    after = part.scores({target: calibration}).probabilities[rows, TARGETS.index(target)]
    return before.astype(np.float64), after.astype(np.float64), labels


def _turns(parts: Sequence[Part]) -> list[Round]:
    return [Round([p for p in parts if p is not part], part) for part in parts]


def fit_targets(parts: Sequence[Part], seed: int | None) -> dict[str, Calibration]:
    """Fit every target; overall also from the evidence of all, where each aspect has a text.

    Without a seed, the calibrations give probabilities and decide nothing.
    """
    calibrations = {}
    for target in parts[0].evidence.model:
        rows, labels = zip(*(_labelled(part, target) for part in parts), strict=True)
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
    rows = [_labelled(part, "overall")[0] for part in parts]
    return {"overall": Calibration(lone=_fit_experts(parts, rows, LONE_TARGETS, seed))}


def _combination(parts: Sequence[Part], seed: int | None) -> Combination | None:
    """Fitted on the reviews that it is to judge: those with a text for every aspect."""
    labelled = [_labelled(part, "overall")[0] for part in parts]
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


def _labelled(part: Part, target: str) -> tuple[Array, Array]:
    """The rows that have a label, and their labels."""
    # Reviews of another source may lack the column that teaches the target.
    labels = part.reviews.labels.get(target, np.full(len(part.reviews), -1))
    rows = np.flatnonzero(labels >= 0)
    return rows, labels[rows]
