"""Can the texts of two sides be told apart? A classifier tries, on texts that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from drugmon.statistics.figures import Interval

FOLDS: Final = 5
LEAST: Final = 100
"""Different texts of a side below which nothing is said: a fold would have a handful of them."""

MOST: Final = 2000
"""Texts of a side, at most: more make it slower and find little more."""


@dataclass(frozen=True)
class TextDrift:
    """How well the sides can be told apart: ROC AUC with its 95 % interval; .5 is not at all.

    `p_value` is one-sided, of the hypothesis that they cannot. `n` and `m` are the texts of the
    current side and of the reference.
    """

    auc: Interval
    p_value: float
    n: int
    m: int


def tell_apart(
    current: Sequence[str], reference: Sequence[str], least: int, seed: int = 0
) -> TextDrift | None:
    """Train a linear classifier of words on four fifths of the texts, judge the fifth, in turns.

    Texts that a side has several times count once, for else a fold would know them from another.
    None where a side has fewer than `least` texts.

    The domain classifier is that of S. Rabanser, S. Günnemann and Z. Lipton, "Failing Loudly"
    (NeurIPS 2019); the AUC's variance that of E. R. DeLong et al. (Biometrics 1988), the test that
    of Mann and Whitney, both summed over the folds.

    Args:
        current: texts of the window.
        reference: texts of what it is compared with.
        least: so many texts each side needs.
        seed: of the folds.
    """
    now, then = (_some(texts, seed) for texts in (current, reference))
    if min(len(now), len(then)) < least:
        return None
    sides = np.repeat([1, 0], [len(now), len(then)])
    scores, folds = _held_out_scores([*now, *then], sides, seed)
    parts = [_auc(scores[folds == fold], sides[folds == fold]) for fold in range(FOLDS)]
    value = float(np.mean([auc for auc, _, _ in parts]))
    error = float(np.sqrt(np.sum([variance for _, variance, _ in parts])) / FOLDS)
    chance = float(np.sqrt(np.sum([by_chance for _, _, by_chance in parts])) / FOLDS)
    reach = 1.959964 * error
    interval = Interval(value, max(0.0, value - reach), min(1.0, value + reach))
    return TextDrift(interval, float(stats.norm.sf((value - 0.5) / chance)), len(now), len(then))


def _some(texts: Sequence[str], seed: int) -> list[str]:
    unique = sorted({text for text in texts if text})
    order = np.random.default_rng(seed).permutation(len(unique))[:MOST]
    return [unique[place] for place in order]


def _held_out_scores(
    texts: Sequence[str], sides: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each text's score by the classifier that has not seen it, and its fold."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    counted = TfidfVectorizer(min_df=2, sublinear_tf=True, token_pattern=r"[^\W\d_]{2,}")
    scores, folds = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
    try:
        features = counted.fit_transform(texts)
    except ValueError:  # no word stands in two texts
        return scores, np.arange(len(texts)) % FOLDS
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, sides)
    for fold, (seen, unseen) in enumerate(splits):
        model = LogisticRegression(class_weight="balanced", max_iter=200)
        scores[unseen] = model.fit(features[seen], sides[seen]).decision_function(features[unseen])
        folds[unseen] = fold
    return scores, folds


def _auc(scores: NDArray[np.float64], sides: NDArray[np.int64]) -> tuple[float, float, float]:
    """One fold's AUC, its variance, and its variance where there is nothing to find."""
    current_scores, reference_scores = scores[sides == 1], scores[sides == 0]
    n, m = len(current_scores), len(reference_scores)
    if n < 2 or m < 2:
        return 0.5, 1 / 12, 1 / 12
    ranks = stats.rankdata(np.concatenate([current_scores, reference_scores]))
    above = (ranks[:n] - stats.rankdata(current_scores)) / m
    below = 1 - (ranks[n:] - stats.rankdata(reference_scores)) / n
    variance = above.var(ddof=1) / n + below.var(ddof=1) / m
    return float(above.mean()), float(variance), (n + m + 1) / (12 * n * m)
