"""Quality estimated without labels, from calibrated probabilities.

Where a probability of .8 is right 8 times in 10, the probabilities of the rows that were labelled
k say how many of these truly are j: summed up they are the expected confusion matrix, and figures
follow from it. This is the idea of CBPE (confidence-based performance estimation), here for three
labels and for labels that need not have the largest probability. It holds as long as the
probabilities are calibrated on these rows: a new kind of text can break that unseen.

Where the reference has true labels, the share of j among the rows that were labelled k is known
there, and so is what its probabilities made of it. What they were off by, column by column, is
taken off the estimate, shrunk by how many labelled rows the column has. Where only some of its rows
have labels, those may be other ones than the rest, whose probabilities are in the sums too: then
nothing is taken off.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import LABELS
from drugmon.monitoring.checks.summary import Estimate
from drugmon.monitoring.profiles.aggregate import LABELLED_ROWS
from drugmon.monitoring.profiles.reference import TargetProfile
from drugmon.statistics.figures import Interval, Quality
from drugmon.statistics.rates import rates

Floats = NDArray[np.float64]

DRAWS: Final = 1000
_PRIOR: Final = 30.0
"""Labelled rows in a column from which its correction counts by half."""

_NEARLY_ALL: Final = 0.9
"""The share of the reference's verdicts that have a true label, from which they stand for all."""


def estimate_quality(
    current: TargetProfile,
    *,
    reference: TargetProfile | None = None,
    measured: Quality | None = None,
    seed: int = 0,
) -> Estimate | None:
    """Estimate accuracy and macro-F1 of `current`; None without moments or without a verdict.

    Args:
        current: the verdicts whose quality is asked for.
        reference: verdicts whose true labels are known, and
        measured: what these say; both or none.
        seed: of the draws behind the intervals.

    Returns:
        The figures with 95 % intervals of what they may turn out to be once the true labels of
        these rows are known: labels are drawn with the covariance that the probabilities give them,
        the correction with that of the labels that it comes from.
    """
    if not current.moments or not current.judged:
        return None
    counts, expected = _expected(current)
    correction, doubt = _correction(reference, measured)
    estimated = rates(_corrected(expected, counts, correction))
    random = np.random.default_rng(seed)
    drawn = rates(_draw(current, correction, doubt, random))
    return Estimate(
        n=current.judged,
        accuracy=_interval(float(estimated.accuracy), drawn.accuracy),
        macro_f1=_interval(float(estimated.macro_f1), drawn.macro_f1),
    )


def sampling_error(
    profile: TargetProfile, reference: TargetProfile | None, measured: Quality | None, seed: int = 0
) -> float:
    """The standard error of the estimated macro-F1 where other rows might have come: 0 without any.

    The arguments are those of `estimate_quality`. This is the error for comparing two estimates,
    which know nothing of true labels; the intervals of `Estimate` are about these.

    Args:
        profile: the rows that are judged.
        reference: the held-out rows; None without.
        measured: the quality there; None without.
        seed: of the draws.
    """
    if not profile.moments or not profile.judged:
        return 0.0
    counts, means = _expected(profile)
    random = np.random.default_rng(seed)
    drawn_counts = random.multinomial(profile.judged, counts / counts.sum(), size=DRAWS)
    drawn = np.zeros((DRAWS, len(LABELS), len(LABELS)))
    for index, label in enumerate(LABELS):
        moments = profile.moments[label]
        mean = means[:, index]
        spread = np.array(moments.products) / max(moments.n, 1) - np.outer(mean, mean)
        drawn[:, :, index] = _normal(mean, spread / max(moments.n, 1), random)
    correction, _ = _correction(reference, measured)
    macro_f1 = rates(_corrected(drawn, drawn_counts.astype(np.float64), correction)).macro_f1
    return float(np.nanstd(macro_f1))


def _expected(profile: TargetProfile) -> tuple[Floats, Floats]:
    """Rows by label (3,), and mean probabilities (true 3, labelled 3); 0 where there is no row."""
    assert profile.moments is not None
    moments = [profile.moments[label] for label in LABELS]
    counts = np.array([label_moments.n for label_moments in moments], dtype=np.float64)
    sums = np.array([label_moments.sums for label_moments in moments]).T
    return counts, sums / np.maximum(counts, 1)


def _correction(reference: TargetProfile | None, measured: Quality | None) -> tuple[Floats, Floats]:
    """What to add to the mean probabilities (true, labelled), and the variance of that."""
    size = len(LABELS)
    if reference is None or measured is None or not reference.moments:
        return np.zeros((size, size)), np.zeros((size, size))
    if measured.n < max(1, _NEARLY_ALL * min(reference.judged, LABELLED_ROWS)):
        return np.zeros((size, size)), np.zeros((size, size))
    _, expected = _expected(reference)
    confusion = np.array(measured.confusion, dtype=np.float64)
    labelled = confusion.sum(axis=0)
    weight = labelled / (labelled + _PRIOR)
    true = confusion / np.maximum(labelled, 1)
    variance = true * (1 - true) / np.maximum(labelled, 1)
    return weight * (true - expected), weight**2 * variance


def _corrected(means: Floats, counts: Floats, correction: Floats) -> Floats:
    """The expected confusion matrix (..., 3, 3): corrected mean probabilities times rows."""
    shares = np.clip(means + correction, 0, None)
    total = shares.sum(axis=-2, keepdims=True)
    shares = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    return np.asarray(shares * counts[..., None, :])


def _draw(
    profile: TargetProfile, correction: Floats, doubt: Floats, random: np.random.Generator
) -> Floats:
    """Confusion matrices (DRAWS, 3, 3) that these rows may have."""
    assert profile.moments is not None
    size = len(LABELS)
    counts, means = _expected(profile)
    drawn = np.zeros((DRAWS, size, size))
    for index, label in enumerate(LABELS):
        moments = profile.moments[label]
        if not moments.n:
            continue
        mean = means[:, index]
        # A row's true label has the covariance diag(p) - p p^T; this is its mean over the rows.
        covariance = np.diag(mean) - np.array(moments.products) / moments.n
        drawn[:, :, index] = _normal(mean, covariance / moments.n, random)
    moved = correction + random.normal(size=(DRAWS, size, size)) * np.sqrt(doubt)
    return _corrected(drawn, counts, moved)


def _normal(mean: Floats, covariance: Floats, random: np.random.Generator) -> Floats:
    """Normal draws (DRAWS, 3); rounding may leave the covariance a little below zero somewhere."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    return np.asarray(mean + random.normal(size=(DRAWS, len(mean))) @ root.T)


def _interval(value: float, drawn: Floats) -> Interval:
    numbers = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(numbers):
        return Interval(None, None, None)
    low, high = np.quantile(numbers, (0.025, 0.975))
    return Interval(value, float(min(low, value)), float(max(high, value)))
