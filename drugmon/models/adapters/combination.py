"""The overall verdict from the evidence of all targets: what is said of each aspect tells on it.

A product of experts as in `calibration`, over the encoder's and the lexical model's
log-probabilities of several targets, each with a weight of its own that is never negative: stacking
(Breiman, "Stacked Regressions", 1996) on held-out reviews. One is fitted for reviews in which every
aspect has a text, and one for lone texts; the others are judged by overall's own evidence alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from drugmon.models.adapters.decision import (
    NO_OFFSETS,
    Floats,
    Labels,
    Triple,
    decide,
    fit_offsets,
    softmax,
)
from drugmon.records import filled

FEWEST: Final = 300
"""Labelled reviews that it takes to fit the weights; with fewer, they would be luck."""

_START: Final = 0.3
_LARGEST: Final = 3.0


@dataclass(frozen=True)
class Combination:
    """`weights` of the encoder and of the lexical model per target, `bias` and `offsets` as usual.

    Probabilities are softmax(sum of weight * log-probabilities + bias).
    """

    weights: Mapping[str, tuple[float, float]]
    bias: Triple
    offsets: Triple

    def probabilities(self, evidence: Mapping[str, Sequence[Floats]]) -> npt.NDArray[np.float32]:
        """Calibrated probabilities float32 (n, 3).

        `evidence` has per target log-probabilities (n, 3) of the encoder and, where there is one,
        of the lexical model.
        """
        scores: Floats = np.array([self.bias])
        for target, weights in self.weights.items():
            # There is no second weight to speak of where the adapter has no lexical model.
            for weight, log_probs in zip(weights, evidence[target], strict=False):
                scores = scores + weight * np.asarray(log_probs, dtype=np.float64)
        return softmax(scores).astype(np.float32)

    def decide(self, probabilities: Floats) -> npt.NDArray[np.int8]:
        """Label indices int8 (n,) from calibrated probabilities (n, 3)."""
        return decide(probabilities, self.offsets)

    def likeliest(self) -> Combination:
        """The same probabilities; the largest gives the label."""
        return replace(self, offsets=NO_OFFSETS)

    def to_dict(self) -> dict[str, object]:
        """For the manifest."""
        return {
            **asdict(self),
            "weights": {t: list(of_target) for t, of_target in self.weights.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Combination:
        """From the manifest. Raises ValueError on another shape."""
        return filled(cls, values)


def fit_combination(
    evidence: Mapping[str, Sequence[Floats]], labels: Labels, *, seed: int | None
) -> Combination | None:
    """Fit on held-out reviews of one form; None where they are too few.

    Args:
        evidence: see `Combination.probabilities`.
        labels: (n,) true label indices of overall.
        seed: for the resamples that steady the decision offsets; None where nothing is decided.
    """
    if len(labels) < FEWEST:
        return None
    experts = [
        np.asarray(log_probs, np.float64)
        for of_target in evidence.values()
        for log_probs in of_target
    ]
    parameters = _fit_weights(np.stack(experts), labels)
    weights, per_target = iter(parameters[:-2]), {}
    for target, of_target in evidence.items():
        pair = [float(next(weights)) for _ in of_target]
        per_target[target] = (pair[0], pair[1] if len(pair) > 1 else 0.0)
    bias = (float(parameters[-2]), float(parameters[-1]), 0.0)
    fitted = Combination(per_target, bias, NO_OFFSETS)
    if seed is None:
        return fitted
    log_probs = np.log(np.maximum(fitted.probabilities(evidence), 1e-12))
    return Combination(per_target, bias, fit_offsets(log_probs, labels, seed))


def _fit_weights(experts: npt.NDArray[np.float64], labels: Labels) -> npt.NDArray[np.float64]:
    """Weights (k,) of `experts` (k, n, 3), then bias (2,), of most likelihood, held near 0."""
    from scipy.optimize import minimize

    (k, n, _), rows = experts.shape, np.arange(len(labels))
    true = np.eye(3)[labels]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scores = np.tensordot(values[:k], experts, 1) + np.append(values[k:], 0)
        likely = softmax(scores)
        wrong = (likely - true) / n
        slope = np.concatenate([(experts * wrong).sum(axis=(1, 2)), wrong.sum(axis=0)[:2]])
        surprise = -np.log(np.maximum(likely[rows, labels], 1e-12)).mean()
        return float(surprise + np.square(values).sum() / n), slope + 2 * values / n

    start = np.append(np.full(k, _START), [0.0, 0.0])
    bounds = [(0, _LARGEST)] * k + [(-_LARGEST, _LARGEST)] * 2
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(best.x, dtype=np.float64)
