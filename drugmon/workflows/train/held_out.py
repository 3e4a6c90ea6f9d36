"""Held-out reviews: what a trained adapter is calibrated with, and how good it is on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from drugmon.config import DEFAULT_RULE
from drugmon.data.reviews import clean
from drugmon.labels import ASPECTS, TARGETS
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.combination import FEWEST
from drugmon.models.adapters.decision import Floats, Labels
from drugmon.monitoring.profiles.profile import Profile, build_profile, text_lengths
from drugmon.scoring.held_out import HeldOutEvidence, joined_evidence
from drugmon.scoring.scores import joined
from drugmon.statistics.quality import Quality
from drugmon.statistics.reliability import calibration_error, top_label
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.split import fold_rows
from drugmon.workflows.compare.evaluate import measure_scores
from drugmon.workflows.train.calibrate import (
    Calibrations,
    Part,
    fit_lone,
    fit_targets,
    labelled_rows,
)
from drugmon.workflows.train.fitted import FitRecord, Fitted

_FIFTHS: Final = 5

FEWEST_LONE: Final = FEWEST * _FIFTHS // (_FIFTHS - 1)
"""Lone texts of which four fifths are enough to fit on."""


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
    just what was measured. What is measured `apart` leaves no trace in the adapter but its figures.
    `fit` makes a calibration per target from parts; all of them are of `one_model`, or each of its
    own.
    """

    name: str
    reviews: LabelledReviews
    rounds: Sequence[Round]
    seed: int
    refit: bool = True
    apart: bool = False
    one_model: bool = False
    fit: FitCalibrations = field(default_factory=lambda: fit_targets)

    @classmethod
    def once(
        cls,
        name: str,
        fitting: Sequence[Part],
        measuring: Part,
        seed: int,
        *,
        refit: bool,
        apart: bool = False,
    ) -> HeldOut:
        """Some parts calibrate and another one is measured.

        Args:
            name: of what was measured on.
            fitting: the parts that calibrate.
            measuring: the part that is measured.
            seed: of the bootstrap.
            refit: whether what is kept learned from all reviews.
            apart: whether what is measured is for measuring alone.
        """
        rounds = [Round(fitting, measuring)]
        return cls(name, measuring.reviews, rounds, seed, refit and not apart, apart)

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

        None where they are too few, or so many of them copies that four of the fifths are.
        """
        if len(part.reviews) < FEWEST_LONE:
            return None
        name = "lone texts that no model had seen, calibrated by the other four fifths"
        held = cls.fifths(name, part, seed, fit_lone)
        fewest = min(sum(len(own.reviews) for own in turn.fitting) for turn in held.rounds)
        return held if fewest >= FEWEST else None

    @classmethod
    def fifths(
        cls,
        name: str,
        part: Part,
        seed: int,
        fit: FitCalibrations | None = None,
    ) -> HeldOut:
        """What one model said, calibrated and measured in turns.

        Args:
            name: of what was measured on.
            part: all of it.
            seed: of the deal and of the bootstrap.
            fit: makes a calibration per target from parts; None for `fit_targets`.

        Raises:
            TrainingDataError: there are too few reviews.
        """
        folds = fold_rows(part.reviews.texts, part.reviews.strata, _FIFTHS, seed)
        turns = _turns([part.take(rows) for rows in folds])
        reviews = part.reviews.take(np.concatenate(folds))
        return cls(name, reviews, turns, seed, one_model=True, fit=fit or fit_targets)

    def judged(self) -> list[tuple[int, Part]]:
        """The parts that calibrate what is kept, each once, with the number of their model."""
        rounds = ([*round_.fitting] if self.apart else round_.parts for round_ in self.rounds)
        parts = {id(part): part for parts in rounds for part in parts}.values()
        return [(0 if self.one_model else number, part) for number, part in enumerate(parts)]

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
        judged = self.held.judged()
        if self.lone is not None:
            after = 1 + max(number for number, _ in judged)
            judged += [(after + number, part) for number, part in self.lone.judged()]
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
    rows, labels = labelled_rows(part, target)
    before = Calibration().probabilities(part.evidence.model[target][rows])
    after = part.scores({target: calibration}).probabilities[rows, TARGETS.index(target)]
    return before.astype(np.float64), after.astype(np.float64), labels


def _turns(parts: Sequence[Part]) -> list[Round]:
    return [Round([p for p in parts if p is not part], part) for part in parts]
