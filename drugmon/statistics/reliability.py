"""Is a confidence of .8 right 8 times in 10? Equal-mass bins and the calibration error over them.

Confidence here is the top-label confidence: the largest of a row's three probabilities, which is
right where the label that has it is the true one. It judges the probabilities and leaves the
decision rule, which may prefer a rarer label, out of it.

The expected calibration error is that of C. Guo et al., "On Calibration of Modern Neural Networks"
(ICML 2017), over 15 bins of equal mass instead of equal width, which has the smaller bias: K.
Nguyen and B. O'Connor, "Posterior calibration and exploratory analysis for natural language
processing models" (EMNLP 2015); R. Roelofs et al., "Mitigating Bias in Calibration Error
Estimation" (AISTATS 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 15
"""How many bins there are at most: equal confidences share one, so that there may be fewer."""

NORMAL_975 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


class TopLabel(NamedTuple):
    """The top label of every row: `confidence` float64 (n,), `hit` bool (n,), `bin` int64 (n,)."""

    confidence: Floats
    hit: NDArray[np.bool_]
    bin: Integers


def top_label(labels: Integers, probabilities: Floats) -> TopLabel:
    """Put rows into equal-mass bins by top-label confidence; `probabilities` (n, 3), n may be 0."""
    if not len(labels):
        return TopLabel(np.empty(0), np.empty(0, np.bool_), np.empty(0, np.int64))
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == labels
    inner = np.quantile(confidence, np.arange(1, BINS) / BINS)
    return TopLabel(confidence, hit, np.searchsorted(np.unique(inner), confidence, side="right"))


def calibration_error(top: TopLabel) -> float:
    """Mean distance of confidence and share of hits, over bins by their rows; NaN if no rows."""
    if not len(top.hit):
        return float("nan")
    gaps = np.bincount(top.bin, weights=top.confidence - top.hit)
    return float(np.abs(gaps).sum() / len(top.hit))


def gap_spread(top: TopLabel, sizes: Integers) -> Floats:
    """What chance alone adds to the error of exactly right probabilities, bin by bin: (bins,).

    A bin's share of such an error is the size of a nearly normal variable with this standard
    deviation, sqrt(sum(c(1-c)))/n over its confidences c, and sqrt(2/pi) of it on average. Rows
    that are right or wrong together, in groups of so many as `sizes` (n,) says, count as often.
    """
    if not len(top.hit):
        return np.empty(0)
    variance = np.bincount(top.bin, weights=sizes * top.confidence * (1 - top.confidence))
    return np.sqrt(np.clip(variance, 0, None)) / len(top.hit)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of `n` > 0 rows (E. B. Wilson, "Probable inference", JASA 1927)."""
    share, z2 = hits / n, NORMAL_975**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_975 * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
