"""Probabilities out of fold: neither the model nor its calibration had seen the review.

An adapter keeps what its models said of held-out reviews before calibration. Its own calibration
was fitted to the labels of these very reviews, so it cannot be the one that they are judged by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.calibration import Calibration
from drugmon.scoring.held_out import HeldOutEvidence
from drugmon.scoring.scores import Evidence
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.workflows.train.calibrate import Calibrations, Part, fit_lone, fit_targets

_FOLDS: Final = 5
"""Parts that the reviews of one model are dealt into, to calibrate each by the others."""


def out_of_fold(held: HeldOutEvidence) -> NDArray[np.float32]:
    """Return the calibrated probabilities of held-out reviews, float32 (n, 4, 3), NaN for none.

    The reviews of each model are judged by a calibration that was fitted to those of the others;
    where one model judged all, by a fifth at a time. Lone texts have a calibration of their own
    where there are enough of them, as in the adapter, and otherwise that of the other reviews.
    """
    judged = np.full((len(held), len(TARGETS), len(LABELS)), np.nan, np.float32)
    lone = held.texts[:, -1] & ~held.texts[:, :-1].any(axis=1)
    others = np.flatnonzero(~lone)
    for fold, rest in _turns(held, others):
        judged[fold] = _judged(held.take(fold), _fitted(held.take(rest)))
    general = _fitted(held.take(others))
    for fold, rest in _turns(held, np.flatnonzero(lone)):
        fitted_lone = _fitted_lone(held.take(rest))
        judged[fold] = _judged(held.take(fold), fitted_lone or general or _fitted(held.take(rest)))
    return judged


def _turns(
    held: HeldOutEvidence, rows: NDArray[Any]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each fold of some rows, and the others of these rows; copies are in one fold."""
    part = held.fold[rows]
    if len(np.unique(part)) < 2:  # a hash is as good as a die, and the same for copies
        part = held.hashes[rows, 0] % _FOLDS
    for number in np.unique(part):
        yield rows[part == number], rows[part != number]


def _fitted(held: HeldOutEvidence) -> dict[str, Calibration]:
    """Of the targets that have labels here."""
    targets = [t for t in held.evidence.model if (held.labels.get(t, np.empty(0)) >= 0).any()]
    return fit_targets([_part(held, targets)], None) if targets else {}


def _fitted_lone(held: HeldOutEvidence) -> dict[str, Calibration]:
    """Of overall, where there are enough lone texts; else none."""
    if not {"overall"} <= held.evidence.model.keys() & held.labels.keys():
        return {}
    fitted = fit_lone([_part(held, [*held.evidence.model])], None)
    return fitted if fitted["overall"].lone else {}


def _judged(held: HeldOutEvidence, calibrations: Calibrations) -> NDArray[np.float32]:
    return _part(held, [*held.evidence.model]).scores(calibrations).probabilities


def _part(held: HeldOutEvidence, targets: list[str]) -> Part:
    """The reviews as calibrations look at them: which texts there are, not what they say."""
    texts = [Texts(*("there" if is_there else None for is_there in there)) for there in held.texts]
    labels = {
        target: target_labels.astype(np.int64) for target, target_labels in held.labels.items()
    }
    nothing = np.zeros(len(held), dtype=bool)
    lexical = held.evidence.lexical
    evidence = Evidence(
        {target: held.evidence.model[target] for target in targets},
        {target: lexical[target] for target in targets} if lexical else None,
    )
    return Part(LabelledReviews(texts, labels, labels, nothing, {}), evidence)
