"""Scores: what the models say of reviews, and the verdicts that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drugmon.data.reviews import Texts, with_text
from drugmon.labels import ASPECTS, LABELS, TARGETS
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.combination import Combination

Rows = npt.NDArray[np.integer | np.bool_]
Floats = npt.NDArray[np.float32]

NO_VERDICT: Final = -1


@dataclass(frozen=True)
class Evidence:
    """Per trained target, log-probabilities float32 (n, 3) before calibration.

    `lexical` is None where the adapter has no lexical model.
    """

    model: Mapping[str, Floats]
    lexical: Mapping[str, Floats] | None

    def of(self, target: str, rows: Rows) -> tuple[Floats, Floats | None]:
        """Both models' (k, 3) for some rows, indices (k,) or a mask (n,)."""
        lexical = self.lexical[target][rows] if self.lexical else None
        return self.model[target][rows], lexical

    def take(self, rows: Rows) -> Evidence:
        """That of some rows, indices (k,) or a mask (n,)."""
        model, lexical = (
            {target: log_probs[rows] for target, log_probs in models.items()} if models else None
            for models in (self.model, self.lexical)
        )
        return Evidence(model or {}, lexical)

    def experts(self, rows: Rows) -> dict[str, list[Floats]]:
        """Every target's of rows, indices (k,) or a mask (n,), as a combination weighs them."""
        models = [self.model] + ([self.lexical] if self.lexical else [])
        return {target: [by_target[target][rows] for by_target in models] for target in self.model}


@dataclass(frozen=True)
class Scores:
    """Verdicts of n reviews, columns in `TARGETS` order.

    `labels` int8 (n, 4), -1 for no verdict; `probabilities` float32 (n, 4, 3), NaN there. `both`
    bool (n,) tells what the second adapter of a cascade judged too; None where there is none.
    """

    labels: npt.NDArray[np.int8]
    probabilities: Floats
    both: npt.NDArray[np.bool_] | None = None


def joined(parts: Sequence[Scores]) -> Scores:
    """The verdicts of all parts, one after the other."""
    return Scores(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )


def judge(
    reviews: Sequence[Texts], evidence: Evidence, calibrations: Mapping[str, Calibration]
) -> Scores:
    """Verdicts of the targets that have a text and that the adapter was trained on."""
    return judge_texts(with_text(reviews), evidence, calibrations)


def no_verdicts(n: int) -> Scores:
    """Verdicts of n reviews, none of which has any yet."""
    labels = np.full((n, len(TARGETS)), NO_VERDICT, dtype=np.int8)
    return Scores(labels, np.full((n, len(TARGETS), len(LABELS)), np.nan, np.float32))


def judge_texts(
    there: npt.NDArray[np.bool_], evidence: Evidence, calibrations: Mapping[str, Calibration]
) -> Scores:
    """The same from `there` (n, 4), which targets have a text."""
    scores = no_verdicts(len(there))
    labels, probabilities = scores.labels, scores.probabilities
    every_aspect: npt.NDArray[np.bool_] = np.asarray(there.all(axis=1))
    lone = there[:, -1] & ~there[:, : len(ASPECTS)].any(axis=1)
    for target, calibration in calibrations.items():
        column = TARGETS.index(target)
        ways: list[tuple[npt.NDArray[np.bool_], Combination | None]] = [
            (every_aspect, calibration.combination),
            (lone, calibration.lone),
        ]
        left = there[:, column].copy()
        for rows, special in ways:
            if special:
                calibrated = special.probabilities(evidence.experts(rows))
                probabilities[rows, column] = calibrated
                labels[rows, column] = special.decide(calibrated)
                left &= ~rows
        calibrated = calibration.probabilities(*evidence.of(target, left))
        probabilities[left, column] = calibrated
        labels[left, column] = calibration.decide(calibrated)
    return scores
