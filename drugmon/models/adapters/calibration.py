"""Calibration: probabilities that mean what they say, and a decision rule of its own.

The encoder's and the lexical model's log-probabilities are weighed and a bias per class is added,
all fitted by likelihood on held-out reviews: temperature scaling (Guo et al., "On Calibration of
Modern Neural Networks", 2017) with bias correction (Alexandari et al., "Maximum Likelihood with
Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation", 2020) over a product of
experts (Hinton, 2002). The label is decided by its own offsets on the log-probabilities (logit
adjustment: Menon et al., 2021; how they are chosen: `decision`). Offsets move labels, never
probabilities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from drugmon.models.adapters.combination import Combination
from drugmon.models.adapters.decision import (
    NO_OFFSETS,
    Floats,
    Labels,
    Triple,
    decide,
    fit_offsets,
    softmax,
    triple,
)


@dataclass(frozen=True)
class Calibration:
    """One target's calibration.

    Probabilities are softmax(encoder / temperature + lexical_weight * lexical + bias), both inputs
    log-probabilities; the label is where log-probability + `offsets` is largest. Overall may have a
    `combination`, which judges the reviews that have a text for every aspect.
    """

    temperature: float = 1.0
    lexical_weight: float = 0.0
    bias: Triple = (0.0, 0.0, 0.0)
    offsets: Triple = (0.0, 0.0, 0.0)
    combination: Combination | None = None

    def probabilities(
        self, encoder: Floats, lexical: Floats | None = None
    ) -> npt.NDArray[np.float32]:
        """Calibrated probabilities float32 (n, 3), rows sum to 1, from log-probabilities (n, 3)."""
        scores = np.asarray(encoder, dtype=np.float64) / self.temperature + np.array(self.bias)
        if lexical is not None:
            scores = scores + self.lexical_weight * lexical
        return softmax(scores).astype(np.float32)

    def mixture(self, target: str, every_aspect: bool) -> Combination:
        """What judges `target`, in the one form that both ways of judging have.

        `every_aspect` says whether the review has a text for every aspect.
        """
        if self.combination and every_aspect:
            return self.combination
        own = {target: (1 / self.temperature, self.lexical_weight)}
        return Combination(own, self.bias, self.offsets)

    def decide(self, probabilities: Floats) -> npt.NDArray[np.int8]:
        """Label indices int8 (n,) from calibrated probabilities (n, 3)."""
        return decide(probabilities, self.offsets)

    def likeliest(self) -> Calibration:
        """The same probabilities; the largest gives the label."""
        combination = self.combination.likeliest() if self.combination else None
        return dataclasses.replace(self, offsets=NO_OFFSETS, combination=combination)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        own = asdict(dataclasses.replace(self, combination=None))
        del own["combination"]
        return own | ({"combination": self.combination.to_dict()} if self.combination else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """From the manifest; other keys are ignored."""
        combination = values.get("combination")
        return cls(
            temperature=float(values["temperature"]),
            lexical_weight=float(values["lexical_weight"]),
            bias=triple(values["bias"]),
            offsets=triple(values["offsets"]),
            combination=Combination.from_dict(combination) if combination else None,
        )


def fit_calibration(
    encoder: Floats, lexical: Floats | None, labels: Labels, *, seed: int
) -> Calibration:
    """Fit one target on held-out reviews.

    Args:
        encoder: (n, 3) log-probabilities of the encoder on the path that scores.
        lexical: (n, 3) log-probabilities of the lexical model, None where the adapter has none.
        labels: (n,) true label indices.
        seed: for the resamples that steady the decision offsets.
    """
    fitted = _fit_probabilities(encoder, lexical, labels)
    log_probs = np.log(np.maximum(fitted.probabilities(encoder, lexical), 1e-12))
    return dataclasses.replace(fitted, offsets=fit_offsets(log_probs, labels, seed))


def _fit_probabilities(encoder: Floats, lexical: Floats | None, labels: Labels) -> Calibration:
    """Weights and bias of most likelihood, lightly held to no change for small samples."""
    from scipy.optimize import minimize

    rows = np.arange(len(labels))

    def at(values: Floats) -> Calibration:
        log_temperature, weight, negative, neutral = map(float, values)
        bias = (negative, neutral, 0.0)
        return Calibration(float(np.exp(log_temperature)), weight, bias)

    def loss(values: Floats) -> float:
        likely = at(values).probabilities(encoder, lexical)[rows, labels]
        pull = np.square(values).sum() / len(labels)
        return float(pull - np.log(np.maximum(likely, 1e-12), dtype=np.float64).mean())

    bounds = [(-2, 2), (0, 3 if lexical is not None else 0), (-3, 3), (-3, 3)]
    # float32 probabilities are too coarse for the default step of the numerical gradient.
    best = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=bounds, options={"eps": 1e-3})
    return at(best.x)
