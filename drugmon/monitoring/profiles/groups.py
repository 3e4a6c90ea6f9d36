"""Verdicts by the values of a column: how many of each label every drug or condition has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.profiles.names import (
    LONGEST_NAME,
    RARE,
    TOP_NAMES,
    are_texts,
    name_key,
)
from drugmon.wording import LIKE_TEXT

Cells = NDArray[np.int64]
"""Rows (targets, labels) of one value, and its rows without a verdict are not among them."""


def count_groups(values: Sequence[object], labels: NDArray[np.integer]) -> dict[str, Cells]:
    """Count the labels (n, 4), -1 for no verdict, by the keys of n `values`."""
    counted: dict[str, Cells] = {}
    for value, row in zip(values, labels, strict=True):
        key = name_key(value)
        if key is not None:
            cells = counted.setdefault(key, np.zeros((len(TARGETS), len(LABELS)), np.int64))
            for target, label in enumerate(row):
                if label >= 0:
                    cells[target, label] += 1
    return counted


def kept_groups(
    counted: Mapping[str, Cells], top: int | None = TOP_NAMES, rare: int = RARE
) -> dict[str, dict[str, dict[str, int]]]:
    """What a profile keeps, by value, target and label: the rules and settings are `mix_of`'s."""
    if are_texts({value: _rows(cells) for value, cells in counted.items()}):
        counted = {LIKE_TEXT: sum(counted.values(), np.zeros_like(counted[LIKE_TEXT]))}
    ranked = sorted(counted.items(), key=lambda entry: (-_rows(entry[1]), entry[0]))
    return {
        value: {
            target: dict(zip(LABELS, map(int, row), strict=True))
            for target, row in zip(TARGETS, cells, strict=True)
        }
        for value, cells in ranked[:top]
        if _rows(cells) >= rare and len(value) <= LONGEST_NAME
    }


def _rows(cells: Cells) -> int:
    """Rows of a value: overall has a verdict wherever any target has."""
    return int(cells.sum(axis=1).max(initial=0))
