"""What graded columns mean: rating scales, DrugLib's grades, words, and the label of each of them.

A rating is a whole number on a scale. Its label goes by the third of the scale that it lies in: on
1-10 that is the mapping of the DrugLib experiments (up to 4 negative, from 7 positive).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from drugmon.errors import UsageError
from drugmon.labels import EFFECTIVENESS_LEVELS, LABELS, SIDE_EFFECT_LEVELS
from drugmon.options import option

MOST_LEVELS: Final = 1001
"""A scale with more is taken for a typing error."""

ENOUGH_RATINGS: Final = 10
"""So many reviews that are all poor are not to be expected: the scale is another one."""

_SCALE: Final = re.compile(r"\s*(-?\d{1,6})\s*(?:-|\.\.|:)\s*(-?\d{1,6})\s*")


@dataclass(frozen=True)
class RatingScale:
    """The whole numbers from `low` (worst) to `high` (best)."""

    low: int = 1
    high: int = 10

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"

    @property
    def levels(self) -> tuple[str, ...]:
        """The ratings as text, worst first."""
        return tuple(str(rating) for rating in range(self.low, self.high + 1))

    def index(self, rating: float) -> int:
        """Return the place of `rating` among the levels; between two of them, of the nearest one.

        What lies in the middle goes up: people round 3.5 to 4.

        Raises:
            ValueError: it lies outside the scale, or is no number.
        """
        if not self.low <= rating <= self.high:  # NaN is neither
            raise ValueError(f"{rating} is outside {self}")
        return int(rating - self.low + 0.5)

    def labels(self) -> dict[str, str]:
        """Return the label of each level: negative, neutral and positive by thirds of the scale."""
        span = self.high - self.low
        thirds = (3 * step for step in range(span + 1))
        labels = (LABELS[0 if t <= span else 2 if t >= 2 * span else 1] for t in thirds)
        return dict(zip(self.levels, labels, strict=True))


TEN: Final = RatingScale()
"""What ratings are taken for where no scale is declared."""


def parse_scale(text: str) -> RatingScale:
    """Return the scale that `text` such as "1-5", "0-100" or "-2..2" names.

    Raises:
        UsageError: it names none.
    """
    match = _SCALE.fullmatch(text)
    low, high = map(int, match.groups()) if match else (0, 0)
    if not 0 < high - low < MOST_LEVELS:
        raise UsageError(
            f"rating scale {text!r} will not do: give its worst and its best rating, such as 1-5 "
            "(two whole numbers, the smaller one first)"
        )
    return RatingScale(low, high)


def _grades(levels: Sequence[str]) -> dict[str, str]:
    labels = (LABELS[0], LABELS[0], LABELS[1], LABELS[2], LABELS[2])
    return dict(zip(levels, labels, strict=True))


@dataclass(frozen=True)
class Grading:
    """The label of every level of every graded column, worst level first, and of every word.

    `words` are those of columns that hold labels themselves, in lower case. `declared` tells that
    the scale of `rating` was named, so that it is not doubted.
    """

    rating: Mapping[str, str] = field(default_factory=TEN.labels)
    effectiveness: Mapping[str, str] = field(default_factory=lambda: _grades(EFFECTIVENESS_LEVELS))
    side_effects_grade: Mapping[str, str] = field(
        default_factory=lambda: _grades(SIDE_EFFECT_LEVELS)
    )
    words: Mapping[str, str] = field(default_factory=lambda: {label: label for label in LABELS})
    declared: bool = False

    @property
    def scale(self) -> RatingScale:
        """The scale of `rating`."""
        ratings = [int(level) for level in self.rating]
        return RatingScale(min(ratings), max(ratings))

    def of(self, column: str) -> Mapping[str, str]:
        """Return the label of each level of a graded column."""
        levels: Mapping[str, str] = getattr(self, column)
        return levels

    def with_scale(self, text: str | None) -> Grading:
        """Return the same with the scale that `text` declares; None or "" declares none.

        The labels of the levels are kept where the scale is the one that they are of.

        Raises:
            UsageError: `text` names no scale.
        """
        if not text:
            return self
        scale = parse_scale(text)
        rating = self.rating if scale == self.scale else scale.labels()
        return replace(self, rating=rating, declared=True)

    def with_words(self, words: Mapping[str, str]) -> Grading:
        """Return the same with the labels of more `words`.

        Raises:
            UsageError: one is mapped to what is no label.
        """
        for word, label in words.items():
            if label not in LABELS:
                raise UsageError(
                    f"--label {word}={label}: {label!r} is no label; map to one of "
                    f"{', '.join(LABELS)}"
                )
        folded = {fold_word(word): label for word, label in words.items()}
        return replace(self, words={**self.words, **folded})

    def same_truth(self, other: Grading) -> bool:
        """Tell whether both give every level the same label."""
        return replace(self, declared=False) == replace(other, declared=False)

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Return what `from_dict` reads; whether the scale was declared is not kept."""
        return {name: dict(labels) for name, labels in asdict(self).items() if name != "declared"}

    @classmethod
    def from_dict(cls, labels: Mapping[str, Mapping[str, str]]) -> Grading:
        """Return what `to_dict` gave, today's or that of an earlier version without words."""
        given = {column: dict(levels) for column, levels in labels.items()}
        return cls(**{**cls().to_dict(), **given})  # type: ignore[arg-type]


@dataclass(frozen=True)
class GradingChoice:
    """What a user says of the graded columns of a source: their scale, and the labels of words."""

    rating_scale: str | None = option(
        None,
        "The scale of the ratings, such as 1-5.",
        kind=str,
        metavar="LOW-HIGH",
        unset="1-10, or the adapter's",
        key="rating_scale",
    )
    words: Mapping[str, str] = option(
        {},
        "What a word in a column of labels means, such as good=positive; may be repeated.",
        flag="--label",
        metavar="WORD=LABEL",
        key="labels",
    )

    def __post_init__(self) -> None:
        self.over(Grading())

    def over(self, grading: Grading) -> Grading:
        """Return `grading` with what was said.

        Raises:
            UsageError: the scale is none, or a word is mapped to what is no label.
        """
        return grading.with_scale(self.rating_scale).with_words(self.words)

    def words_of_command(self) -> list[str]:
        """Return the options that say the same on the command line."""
        options = ["--rating-scale", self.rating_scale] if self.rating_scale else []
        for word, label in self.words.items():
            options += ["--label", f"{word}={label}"]
        return options


def fold_word(cell: object) -> str:
    """Return a word as `Grading.words` has it: without case, outer and doubled white space."""
    return " ".join(str(cell).split()).casefold()


def doubt(low: float, high: float, count: int, scale: RatingScale) -> RatingScale | None:
    """Return the scale that `count` ratings from `low` to `high` look like; None: `scale` suits.

    Only a scale of ten is doubted. Ratings of nobody above 5 would leave no review positive there.

    Args:
        low: the lowest rating.
        high: the highest rating.
        count: of the ratings.
        scale: the scale that was declared.
    """
    if scale != TEN or count < ENOUGH_RATINGS or low < 0:
        return None
    if high > TEN.high:
        # Far beyond ten, as one slip of the hand is not.
        return RatingScale(0, 100) if 20 < high <= 100 else None
    if high > 5:
        return RatingScale(0, 10) if low == 0 else None
    return RatingScale(0, 1) if low == 0 and high <= 1 else RatingScale(min(1, int(low)), 5)


def rating_of(cell: object) -> float | None:
    """Return the number that a cell of ratings holds; None where it is empty.

    Raises:
        ValueError, TypeError, OverflowError: it holds something else.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, bool):
        raise ValueError("a truth value is no rating")
    rating = float(cell)  # type: ignore[arg-type]
    return None if math.isnan(rating) else rating
