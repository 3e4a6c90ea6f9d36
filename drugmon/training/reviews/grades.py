"""Grades: cells of the columns that teach (ratings, grades, words) read as levels and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.errors import TrainingDataError
from drugmon.grading import Grading, doubt, fold_word, rating_of
from drugmon.labels import LABELS
from drugmon.wording import name_told, value_told

Ladder = Mapping[str, str]
"""The label of every level of what teaches a target, worst level first."""

MISSING: Final = -1


def ladder_of(teacher: str, grading: Grading) -> Ladder:
    """Return the levels of a column that teaches; those of a column of words are the labels."""
    if teacher.endswith("_label"):
        return {label: label for label in LABELS}
    return dict(grading.of(teacher))


def ladder_labels(levels: NDArray[np.int64], ladder: Ladder) -> NDArray[np.int64]:
    """Return the index into `LABELS` of each level (n,), -1 where it is -1."""
    of_level = [LABELS.index(label) for label in ladder.values()]
    return np.array([*of_level, MISSING], np.int64)[levels]  # level -1 takes the last entry


class GradeReader:
    """Reads the cells of one column that teaches, in all files of a source.

    Args:
        teacher: the field of `ColumnMap`, such as `rating`.
        grading: what its cells mean.
    """

    def __init__(self, teacher: str, grading: Grading) -> None:
        self._teacher, self._grading = teacher, grading
        self._scale = grading.scale
        self._ratings: list[float] = []
        if teacher.endswith("_label"):
            self._levels = {word: LABELS.index(label) for word, label in grading.words.items()}
        else:
            names = ladder_of(teacher, grading)
            self._levels = {fold_word(name): index for index, name in enumerate(names)}

    def read(
        self, cells: Sequence[object], *, where: str, column: str, start: int
    ) -> NDArray[np.int64]:
        """Return the level of each cell (n,), -1 where it is null or empty.

        Args:
            cells: of consecutive rows.
            where: the file, for messages; so are the others.
            column: the column's name in the file.
            start: the row number of the first cell, from 0.

        Raises:
            TrainingDataError: a cell that is no level; names file, row, column and value.
        """
        level_of = self._rating if self._teacher == "rating" else self._named
        levels = np.empty(len(cells), np.int64)
        for row, cell in enumerate(cells):
            try:
                levels[row] = level_of(cell)
            except (ValueError, TypeError, KeyError, OverflowError):
                raise TrainingDataError(
                    f"{where}, row {start + row + 1}, column {name_told(column)}: "
                    f"{value_told(cell)} is no {self._noun}; give {self._wanted}, or leave the "
                    "cell empty"
                ) from None
        return levels

    def doubts(self, source: str) -> str | None:
        """Say what speaks against the scale of the ratings of `source`; None: nothing does."""
        if self._grading.declared or not self._ratings:
            return None
        low, high = min(self._ratings), max(self._ratings)
        likely = doubt(low, high, len(self._ratings), self._scale)
        if likely is None:
            return None
        return (
            f"{source}: all {len(self._ratings):,} ratings lie between {low:g} and {high:g}, so "
            f"that none is positive on the scale {self._scale}; declare the scale with "
            f"--rating-scale {likely} (or {self._scale}, if it is that)"
        )

    def remarks(self, source: str) -> str | None:
        """Say what was done with ratings of `source`; None where they were taken as they are."""
        between = sum(not rating.is_integer() for rating in self._ratings)
        if not between:
            return None
        return (
            f"{source}: {between:,} of {len(self._ratings):,} ratings lie between two levels of "
            f"the scale {self._scale}; each is taken for the nearest one, from the middle upwards"
        )

    @property
    def _noun(self) -> str:
        if self._teacher.endswith("_label"):
            return "label"
        if self._teacher == "rating":
            return f"rating from {self._scale.low} to {self._scale.high}"
        return self._teacher

    @property
    def _wanted(self) -> str:
        if self._teacher == "rating":
            return "a number on that scale, declare another one with --rating-scale LOW-HIGH"
        if self._teacher.endswith("_label"):
            words = ", ".join(self._grading.words)
            return f"one of {words}, tell what a word means with --label WORD=LABEL"
        return "one of " + ", ".join(self._grading.of(self._teacher))

    def _named(self, cell: object) -> int:
        if isinstance(cell, float):
            if np.isnan(cell):
                return MISSING
            cell = int(cell) if cell.is_integer() else cell
        word = "" if cell is None else fold_word(cell)
        return self._levels[word] if word else MISSING

    def _rating(self, cell: object) -> int:
        rating = rating_of(cell)
        if rating is None:
            return MISSING
        level = self._scale.index(rating)
        self._ratings.append(rating)
        return level
