"""The decision rules: labels from probabilities.

`likeliest` takes the largest probability, which is right most often and hardly ever says neutral.
`balanced` adds an offset per label first, chosen for macro-F1 with `ACCURACY_WEIGHT` of accuracy:
near the best macro-F1 the choice is nearly free, and some of it costs many right labels for a gain
that the next sample does not repeat (docs/experiments.md has the whole front between the two).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]
Triple = tuple[float, float, float]
"""A number per label, in the order of `LABELS`."""

ACCURACY_WEIGHT: Final = 0.5
"""What a right label more is worth beside macro-F1, when offsets are chosen."""

NO_OFFSETS: Final[Triple] = (0.0, 0.0, 0.0)
_OFFSETS: Final = np.linspace(-2.5, 2.5, 41)
_RESAMPLES: Final = 40


def decide(probabilities: Floats, offsets: Triple) -> npt.NDArray[np.int8]:
    """Label indices int8 (n,): where log-probability + offset is largest, of (n, 3)."""
    # In float64: logarithms of neighbours in float32 may be the same number there.
    scores = np.log(np.maximum(probabilities, 1e-12, dtype=np.float64)) + np.array(offsets)
    return np.asarray(scores.argmax(axis=1), dtype=np.int8)


def fit_offsets(log_probs: Floats, labels: Labels, seed: int) -> Triple:
    """The offsets of the balanced rule.

    The mean over resamples of those that give the best macro-F1 + `ACCURACY_WEIGHT` * accuracy: one
    sample's best is mostly luck.

    Args:
        log_probs: (n, 3) calibrated.
        labels: (n,) true label indices.
        seed: of the resamples.
    """
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
        macro_f1 = (both[:, :3] / np.maximum(both[:, 3:], 1)).mean(axis=1)
        accuracy = both[:, :3].sum(axis=1) / (2 * n)
        scores[number] = macro_f1 + ACCURACY_WEIGHT * accuracy
    mean = grid[scores.argmax(axis=0)].mean(axis=0)
    return (float(mean[0]), float(mean[1]), 0.0)


def softmax(scores: Floats) -> npt.NDArray[np.float64]:
    """Probabilities (n, 3) that are proportional to the exponentials of `scores`."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)
