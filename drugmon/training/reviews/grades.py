"""Grades: cells of the graded columns (rating, effectiveness, side effects) read as levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.errors import TrainingDataError
from drugmon.labels import (
    EFFECTIVENESS_LEVELS,
    GRADE_OF_TARGET,
    LABELS,
    RATING_LEVELS,
    SIDE_EFFECT_LEVELS,
)
from drugmon.wording import name_told, value_told

LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "rating": RATING_LEVELS,
    "effectiveness": EFFECTIVENESS_LEVELS,
    "side_effects_grade": SIDE_EFFECT_LEVELS,
}
"""The levels of every graded column, worst first."""

MISSING: Final = -1


def read_levels(
    cells: Sequence[object], grade: str, *, where: str, column: str, start: int
) -> NDArray[np.int64]:
    """Return each cell's index into `LEVELS[grade]`, -1 where the cell is null or empty.

    `where`, `column` and `start` (the row number of the first cell, from 0) are for the message.

    Raises:
        TrainingDataError: a cell that is no level; names file, row, column and value.
    """
    level_of = _rating if grade == "rating" else _NAMED[grade]
    levels = np.empty(len(cells), np.int64)
    for row, cell in enumerate(cells):
        try:
            levels[row] = level_of(cell)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise TrainingDataError(
                f"{where}, row {start + row + 1}, column {name_told(column)}: {value_told(cell)} "
                f"is no {grade}; give {_wanted(grade)}, or leave the cell empty"
            ) from None
    return levels


def level_labels(target: str, mapping: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the label of each level of the column that teaches `target`, worst level first."""
    grade = GRADE_OF_TARGET[target]
    return tuple(mapping[grade][level] for level in LEVELS[grade])


def labels_of(
    levels: NDArray[np.int64], target: str, mapping: Mapping[str, Mapping[str, str]]
) -> NDArray[np.int64]:
    """Return the index into `LABELS` that each level of `target` maps to, -1 where it is -1."""
    of_level = [LABELS.index(label) for label in level_labels(target, mapping)]
    return np.array([*of_level, MISSING], np.int64)[levels]  # level -1 takes the last entry


class _Names:
    """Looks up a level by its name, whatever its case and outer space."""

    def __init__(self, levels: Sequence[str]) -> None:
        self.index = {level.casefold(): index for index, level in enumerate(levels)}

    def __call__(self, cell: object) -> int:
        name = "" if cell is None else str(cell).strip().casefold()
        return self.index[name] if name else MISSING


_NAMED: Final = {grade: _Names(levels) for grade, levels in LEVELS.items()}


def _rating(cell: object) -> int:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return MISSING
    if isinstance(cell, bool):
        raise ValueError
    value = float(cell)  # type: ignore[arg-type]
    if np.isnan(value):
        return MISSING
    if not value.is_integer():
        raise ValueError
    return RATING_LEVELS.index(str(int(value)))


def _wanted(grade: str) -> str:
    if grade == "rating":
        return "a whole number from 1 to 10"
    return "one of " + ", ".join(LEVELS[grade])
