"""How an adapter in training is measured: on reviews held out once, or on all of them in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from drugmon.config import EngineConfig
from drugmon.errors import TrainingDataError
from drugmon.scoring.engine import Engine
from drugmon.training.recipe import Recipe
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.split import Rows, fold_rows, split_rows
from drugmon.workflows.train.adapter_folder import provisional
from drugmon.workflows.train.calibrate import Part
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.fitted import FitRecord, Fitted
from drugmon.workflows.train.held_out import FEWEST_LONE, HeldOut, Measured

EVALUATED: Final = "the evaluation source"

_FEWEST_OF_DEV: Final = 100
"""Labels of a target below which parts of dev would be too few to calibrate the others."""


@dataclass(frozen=True)
class Bench:
    """Scores reviews with a model in training, on the path that scores: merged and cast."""

    fit: Fit
    work: Path
    engine: EngineConfig
    warn: Callable[[str], None]
    lone_texts: LabelledReviews | None = None

    def part(self, stage: str, fitted: Fitted, reviews: LabelledReviews) -> Part:
        """What `fitted` says of `reviews`."""
        adapter = provisional(self.work / stage, self.fit, fitted)
        with Engine(adapter, self.engine, self.warn, self.fit.base) as engine:
            return Part(reviews, engine.evidence(reviews.texts))

    def lone(self, stage: str, kept: Fitted) -> HeldOut | None:
        """The lone texts of help sources that were held out, judged by the model that is kept."""
        if self.lone_texts is None or "overall" not in kept.model.levels:
            return None
        part = self.part(stage, kept, self.lone_texts)
        held = HeldOut.lone_texts(part, self.fit.recipe.train.seed)
        if held is None and len(self.lone_texts) >= FEWEST_LONE:
            self.warn(
                "so many of the lone texts that are held out are copies of each other that they "
                "cannot calibrate and measure in turns: nothing is made of them"
            )
        return held


def measure_once(bench: Bench, evaluated: LabelledReviews | None) -> Measured:
    """Hold out dev and test: dev chooses the epoch and calibrates, test is measured.

    `evaluated` is measured in its place where it is given, and calibrates nothing; without either,
    dev is measured.
    """
    fit, recipe = bench.fit, bench.fit.recipe
    reviews = fit.reviews
    split = split_rows(reviews.texts, reviews.strata, recipe.split, recipe.train.seed)
    _check_labels(reviews, [(split.train, "train"), (split.dev, "dev")], "a larger split.dev")
    _tell_of_silence(bench, [np.concatenate([split.dev, split.test])])
    measured = fit.run("measured", split.train, split.dev)
    dev, test = (
        bench.part("measured", measured, measured_reviews) if len(measured_reviews) else None
        for measured_reviews in (reviews.take(split.dev), evaluated or reviews.take(split.test))
    )
    assert dev is not None
    kept = measured
    if recipe.split.refit:
        kept = fit.run(
            "refit",
            split.everything,
            None,
            stop_after=measured.record.outcome.best + 1,
            share_heard=_share_heard(bench, [measured.record]),
        )
    held = _held_out(dev, test, recipe, apart=evaluated is not None)
    return Measured(kept, [measured.record], held, bench.lone("kept", kept))


def _held_out(dev: Part, test: Part | None, recipe: Recipe, *, apart: bool) -> HeldOut:
    """What is measured: test, calibrated by dev; without any, dev by parts of itself."""
    seed, refit = recipe.train.seed, recipe.split.refit
    if test is not None:
        name = EVALUATED if apart else "test split"
        return HeldOut.once(name, [dev], test, seed, refit=refit, apart=apart)
    name = "dev, which also chose the epoch"
    if _can_be_parted(dev.reviews):
        return HeldOut.fifths(f"{name}: optimistic; calibrated by its other fifths", dev, seed)
    return HeldOut.once(
        f"{name} and fitted the calibration: optimistic", [dev], dev, seed, refit=refit
    )


def measure_in_turns(bench: Bench, evaluated: LabelledReviews | None) -> Measured:
    """Hold out every review once: as many models as folds, then one that learns from all reviews.

    Each fold is measured with a calibration from the other folds. `evaluated` is measured instead
    where it is given, by the model that is kept, and calibrates nothing.
    """
    fit, recipe = bench.fit, bench.fit.recipe
    reviews, seed = fit.reviews, recipe.train.seed
    blocks = fit.teaching.blocks if fit.teaching else None
    folds = fold_rows(reviews.texts, reviews.strata, recipe.split.folds, seed, blocks)
    _tell_of_silence(bench, folds)
    everything = np.arange(len(reviews))
    siblings, parts = [], []
    for number, fold in enumerate(folds, start=1):
        rest, stage = np.setdiff1d(everything, fold), f"fold-{number}"
        _check_labels(reviews, [(rest, f"all folds but {number}")], "fewer split.folds")
        fitted = fit.run(stage, rest, None)
        parts.append(bench.part(stage, fitted, reviews.take(fold)))
        siblings.append(fitted.record)
        del fitted  # before the next model is made: its weights are on the disk
    kept = fit.run("refit", everything, None, share_heard=_share_heard(bench, siblings))
    if evaluated:
        new = bench.part("refit", kept, evaluated)
        held = HeldOut.once(EVALUATED, parts, new, seed, refit=False, apart=True)
    else:
        held = HeldOut.in_turns(
            f"all reviews, each by one of {len(folds)} models that had not seen it",
            reviews.take(np.concatenate(folds)),
            parts,
            seed,
        )
    return Measured(kept, siblings, held, bench.lone("refit", kept))


def _can_be_parted(dev: LabelledReviews) -> bool:
    return all((labels >= 0).sum() >= _FEWEST_OF_DEV for labels in dev.labels.values())


def _share_heard(bench: Bench, siblings: Sequence[FitRecord]) -> float | None:
    """The share of their reviews on which the measured models heard a teacher."""
    if bench.fit.teaching is None:
        return None
    return float(np.mean([sibling.taught / len(sibling.learned) for sibling in siblings]))


def _tell_of_silence(bench: Bench, left_out: Sequence[Rows]) -> None:
    for doubt in bench.fit.teaching.doubts(left_out) if bench.fit.teaching else ():
        bench.warn(doubt)


def _check_labels(reviews: LabelledReviews, sides: Sequence[tuple[Rows, str]], remedy: str) -> None:
    """Every target is learned from some reviews and calibrated on others: both need labels."""
    for target, labels in reviews.labels.items():
        for rows, side in sides:
            if not (labels[rows] >= 0).any():
                raise TrainingDataError(
                    f"none of the {int((labels >= 0).sum())} labels of {target} fell to "
                    f"{side}; give more of them, {remedy}, or another --seed"
                )
