"""Doubt: which reviews the first adapter of a cascade is too little sure of.

A review is doubted by its own confidence alone, never by its rank among others, so that a verdict
does not depend on what else lies in the file. The share that is asked for becomes a confidence on
held-out reviews.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drugmon.labels import TARGETS
from drugmon.models.adapters.calibration import Form
from drugmon.scoring.scores import Floats

ENOUGH: Final = 100
"""Held-out reviews of a form that have a confidence of their own for a share; fewer take that of
all forms."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Doubt:
    """`below` is, by the form of a review, the confidence below which it is doubted."""

    below: Mapping[Form, float]

    @classmethod
    def at(cls, confidence: float) -> Doubt:
        """The same confidence for all forms."""
        return cls(dict.fromkeys(Form, confidence))

    @classmethod
    def of_share(cls, share: float, there: Mask, probabilities: Floats) -> Doubt:
        """Such that `share` of held-out reviews of each form is doubted: nothing at 0, all at 1.

        Args:
            share: 0 to 1.
            there: bool (n, 4), which targets of the held-out reviews have a text.
            probabilities: float32 (n, 4, 3), theirs by the first adapter.
        """
        if share in (0, 1):
            return cls.at(0.0 if share == 0 else np.inf)
        sure = confidences(probabilities)
        judged = np.isfinite(sure)
        below = {}
        for form, rows in Form.rows(there).items():
            of_form = sure[rows & judged]
            taken = of_form if len(of_form) >= ENOUGH else sure[judged]
            below[form] = float(np.quantile(taken, share))
        return cls(below)

    def of(self, there: Mask, probabilities: Floats) -> Mask:
        """Which reviews are doubted, bool (n,); one without a verdict is not.

        Args:
            there: bool (n, 4), which targets have a text.
            probabilities: float32 (n, 4, 3) by the first adapter, NaN for no verdict.
        """
        sure = confidences(probabilities)
        doubted = np.zeros(len(sure), bool)
        for form, rows in Form.rows(there).items():
            doubted |= rows & (sure < self.below[form])
        return doubted

    def to_dict(self) -> dict[str, float]:
        """What tells one doubt from another, by the names of forms."""
        return {form.name: confidence for form, confidence in self.below.items()}


def confidences(probabilities: Floats) -> Floats:
    """How sure an adapter is of each review, float32 (n,); infinite where nothing is judged.

    That is the largest probability of overall, the verdict that is most read and is fed by those of
    all aspects; where overall is not judged, the least among the targets that are.

    Args:
        probabilities: float32 (n, 4, 3), NaN for no verdict.
    """
    largest = probabilities.max(axis=2)
    overall = largest[:, TARGETS.index("overall")]
    least = np.where(np.isnan(largest), np.float32(np.inf), largest).min(axis=1)
    sure: Floats = np.where(np.isnan(overall), least, overall)
    return sure
