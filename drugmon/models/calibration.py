"""Calibration: probabilities that mean what they say, and a decision rule of its own.

Probabilities are temperature-scaled with a bias per class (bias-corrected temperature scaling: Alexandari et
al., "Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation", 2020;
temperature: Guo et al., "On Calibration of Modern Neural Networks", 2017), fitted by likelihood on held-out
reviews. The label is decided by its own additive offsets on the log-probabilities, chosen for macro-F1
(logit adjustment: Menon et al., 2021). Offsets move labels, never probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]

_OFFSETS: Final = np.linspace(-1.5, 1.5, 31)
_RESAMPLES: Final = 40


@dataclass(frozen=True)
class Calibration:
    """One target's calibration: divide log-probabilities by `temperature`, add `bias`, decide with `offsets`."""

    temperature: float = 1.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    offsets: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ece_before: float | None = field(default=None, compare=False)
    ece_after: float | None = field(default=None, compare=False)

    def probabilities(self, log_probs: Floats) -> npt.NDArray[np.float32]:
        """Calibrated probabilities float32 (n, 3), rows sum to 1, from log-probabilities (n, 3)."""
        return _softmax(
            np.asarray(log_probs, dtype=np.float64) / self.temperature + np.array(self.bias)
        ).astype(np.float32)

    def decide(self, probabilities: Floats) -> npt.NDArray[np.int8]:
        """Label indices int8 (n,) from calibrated probabilities (n, 3)."""
        scores = np.log(np.maximum(probabilities, 1e-12)) + np.array(self.offsets)
        return scores.argmax(axis=1).astype(np.int8)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """From the manifest."""
        bias, offsets = (tuple(values[k]) for k in ("bias", "offsets"))
        return cls(**{**values, "bias": bias, "offsets": offsets})


def fit_calibration(log_probs: Floats, labels: Labels, *, seed: int) -> Calibration:
    """Fit one target on held-out reviews.

    Args:
        log_probs: (n, 3) log-probabilities of the path that scores.
        labels: (n,) true label indices.
        seed: for the resamples that steady the decision offsets.
    """
    temperature, bias = _fit_probabilities(log_probs, labels)
    fitted = Calibration(temperature, bias)
    probabilities = fitted.probabilities(log_probs)
    return Calibration(
        temperature,
        bias,
        _fit_offsets(np.log(np.maximum(probabilities, 1e-12)), labels, seed),
        ece_before=expected_calibration_error(_softmax(log_probs), labels),
        ece_after=expected_calibration_error(probabilities, labels),
    )


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """ECE of the most probable label in `bins` bins of equal width (Guo et al., 2017, equation 3)."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / max(1, len(labels)))


def _fit_probabilities(
    log_probs: Floats, labels: Labels
) -> tuple[float, tuple[float, float, float]]:
    """Temperature and bias of least negative log-likelihood, lightly held to (1, 0) for small samples."""
    from scipy.optimize import minimize

    rows = np.arange(len(labels))

    def loss(values: Floats) -> float:
        scaled = log_probs / np.exp(values[0]) + np.array([values[1], values[2], 0.0])
        likelihood = np.log(np.maximum(_softmax(scaled)[rows, labels], 1e-12))
        return float(-likelihood.mean() + np.square(values).sum() / len(labels))

    best = minimize(loss, np.zeros(3), method="L-BFGS-B", bounds=[(-2, 2), (-3, 3), (-3, 3)]).x
    return float(np.exp(best[0])), (float(best[1]), float(best[2]), 0.0)


def _fit_offsets(log_probs: Floats, labels: Labels, seed: int) -> tuple[float, float, float]:
    """Offsets of best macro-F1, as the mean over resamples: the best of a single sample is mostly luck."""
    grid = np.array([(a, b, 0.0) for a in _OFFSETS for b in _OFFSETS])
    decided = (log_probs[:, None, :] + grid[None]).argmax(axis=2)  # (n, offsets)
    hits = np.stack([(decided == k) & (labels == k)[:, None] for k in range(3)])
    picked = np.stack([decided == k for k in range(3)])
    true = np.stack([labels == k for k in range(3)])
    rng = np.random.default_rng(seed)
    best = []
    for _ in range(_RESAMPLES):
        weight = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels))).astype(float)
        doubled = 2 * np.einsum("kno,n->ko", hits, weight)
        total = np.einsum("kno,n->ko", picked, weight) + (true @ weight)[:, None]
        best.append(grid[(doubled / np.maximum(total, 1)).mean(axis=0).argmax()])
    mean = np.mean(best, axis=0)
    return (float(mean[0]), float(mean[1]), 0.0)


def _softmax(scores: Floats) -> npt.NDArray[np.float64]:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)
