"""Class balancing, of training rows only: which rows an epoch takes, and what each label weighs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import LABELS
from drugmon.training.recipe import BalanceSection

Rows = NDArray[np.int64]

_SIZES: Final[Mapping[str, Callable[[list[int]], float]]] = {
    "oversample": max,
    "downsample": min,
    "resample": np.mean,
}
"""The size of every label where the recipe names none."""


def balanced_rows(strata: NDArray[np.int64], balance: BalanceSection, seed: int) -> Rows:
    """Return the indices into `strata` (labels, -1 for none) that an epoch goes through.

    `oversample` repeats rows of every label that has fewer than `per_class` (0: than the most
    frequent one); `downsample` leaves out rows of every label that has more (0: than the rarest);
    `resample` does both, so that every label has `per_class` (0: the mean of their numbers).
    Rows without a label are taken once.
    """
    rows = np.arange(len(strata))
    if balance.strategy not in _SIZES:
        return rows
    rng = np.random.default_rng(seed)
    of_label = [
        rows_of_one for label in range(len(LABELS)) if len(rows_of_one := rows[strata == label])
    ]
    sizes = [len(rows_of_one) for rows_of_one in of_label] or [0]
    size = balance.per_class or round(_SIZES[balance.strategy](sizes))
    if balance.strategy != "oversample":
        of_label = [_thinned(rows_of_one, size, rng) for rows_of_one in of_label]
    if balance.strategy != "downsample":
        of_label = [_repeated(rows_of_one, size, rng) for rows_of_one in of_label]
    return np.concatenate([rows[strata < 0], *of_label])


def _repeated(rows: Rows, size: int, rng: np.random.Generator) -> Rows:
    """Repeat whole rounds first, so that no row is taken twice more often than another."""
    missing = max(size - len(rows), 0)
    rounds, rest = divmod(missing, len(rows))
    return np.concatenate([np.tile(rows, 1 + rounds), rng.permutation(rows)[:rest]])


def _thinned(rows: Rows, size: int, rng: np.random.Generator) -> Rows:
    return np.sort(rng.permutation(rows)[:size])


def class_weights(
    labels: Mapping[str, NDArray[np.int64]], balance: BalanceSection
) -> dict[str, NDArray[np.float32]]:
    """Return a weight per label (3,), float32, of each target: all 1 unless strategy is `weights`.

    Then n / (classes * n_label), the "balanced" weights of G. King and L. Zeng, "Logistic
    Regression in Rare Events Data", 2001; a label that never occurs weighs 0.
    """
    return {target: _weights(target_labels, balance) for target, target_labels in labels.items()}


def class_log_priors(
    labels: Mapping[str, NDArray[np.int64]],
) -> dict[str, NDArray[np.float32]]:
    """Return the log-share of each label (3,), float32, per target; of those that have a label.

    A label that never occurs is taken to have occurred once, which keeps its logarithm finite.
    """
    return {target: _log_prior(target_labels) for target, target_labels in labels.items()}


def label_counts(labels: Mapping[str, NDArray[np.int64]]) -> dict[str, list[int]]:
    """Return how often each label of (n,) occurs, in the order of `LABELS`, per target."""
    return {
        target: np.bincount(target_labels[target_labels >= 0], minlength=len(LABELS)).tolist()
        for target, target_labels in labels.items()
    }


def _log_prior(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    counts = np.maximum(np.bincount(labels[labels >= 0], minlength=len(LABELS)), 1)
    return np.asarray(np.log(counts / counts.sum()), dtype=np.float32)


def _weights(labels: NDArray[np.int64], balance: BalanceSection) -> NDArray[np.float32]:
    if balance.strategy != "weights":
        return np.ones(len(LABELS), np.float32)
    counts = np.bincount(labels[labels >= 0], minlength=len(LABELS))
    weights = counts.sum() / (max((counts > 0).sum(), 1) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)
