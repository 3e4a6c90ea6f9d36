"""Calibration: probabilities that mean what they say, and a decision rule of its own.

The encoder's and the lexical model's log-probabilities are weighed and a bias per class is added,
all fitted by likelihood on held-out reviews: temperature scaling (Guo et al., "On Calibration of
Modern Neural Networks", 2017) with bias correction (Alexandari et al., "Maximum Likelihood with
Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation", 2020) over a product of
experts (Hinton, 2002). The label is decided by its own offsets on the log-probabilities, chosen for
macro-F1 (logit adjustment: Menon et al., 2021). Offsets move labels, never probabilities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]

_OFFSETS: Final = np.linspace(-2.5, 2.5, 41)
_RESAMPLES: Final = 40


@dataclass(frozen=True)
class Calibration:
    """One target's calibration.

    Probabilities are softmax(encoder / temperature + lexical_weight * lexical + bias), both inputs
    log-probabilities; the label is where log-probability + `offsets` is largest.
    """

    temperature: float = 1.0
    lexical_weight: float = 0.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    offsets: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def probabilities(
        self, encoder: Floats, lexical: Floats | None = None
    ) -> npt.NDArray[np.float32]:
        """Calibrated probabilities float32 (n, 3), rows sum to 1, from log-probabilities (n, 3)."""
        scores = np.asarray(encoder, dtype=np.float64) / self.temperature + np.array(self.bias)
        if lexical is not None:
            scores = scores + self.lexical_weight * lexical
        return _softmax(scores).astype(np.float32)

    def decide(self, probabilities: Floats) -> npt.NDArray[np.int8]:
        """Label indices int8 (n,) from calibrated probabilities (n, 3)."""
        scores = np.log(np.maximum(probabilities, 1e-12)) + np.array(self.offsets)
        return np.asarray(scores.argmax(axis=1), dtype=np.int8)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """From the manifest; other keys are ignored."""
        negative, neutral, positive = map(float, values["bias"])
        offsets = values["offsets"]
        return cls(
            temperature=float(values["temperature"]),
            lexical_weight=float(values["lexical_weight"]),
            bias=(negative, neutral, positive),
            offsets=(float(offsets[0]), float(offsets[1]), float(offsets[2])),
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
    return dataclasses.replace(fitted, offsets=_fit_offsets(log_probs, labels, seed))


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


def _fit_offsets(log_probs: Floats, labels: Labels, seed: int) -> tuple[float, float, float]:
    """Offsets of best macro-F1, as the mean over resamples: one sample's best is mostly luck."""
    grid = np.array([(a, b, 0.0) for a in _OFFSETS for b in _OFFSETS])
    n = len(labels)
    # How often each row is in each resample (resamples, n).
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _RESAMPLES).astype(float)
    true = np.eye(3)[labels]
    scores = np.empty((len(grid), _RESAMPLES))
    # One offset at a time: memory goes with n, not with n times the grid.
    for number, offset in enumerate(grid):
        picked = np.eye(3)[(log_probs + offset).argmax(axis=1)]
        both = drawn @ np.hstack([2 * picked * true, picked + true])
        scores[number] = (both[:, :3] / np.maximum(both[:, 3:], 1)).mean(axis=1)
    mean = grid[scores.argmax(axis=0)].mean(axis=0)
    return (float(mean[0]), float(mean[1]), 0.0)


def _softmax(scores: Floats) -> npt.NDArray[np.float64]:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)
