"""Labelled reviews: texts with the levels and labels of every target that the columns teach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.data.columns import ColumnMap
from drugmon.data.reviews import Texts, Window, clean, is_lone
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import TrainingDataError
from drugmon.grading import TEN, Grading, RatingScale
from drugmon.labels import ASPECTS, TARGETS, TEACHERS_OF_TARGET
from drugmon.training.reviews.grades import (
    MISSING,
    GradeReader,
    Ladder,
    ladder_labels,
    ladder_of,
)
from drugmon.training.reviews.reading import read_files

Array = NDArray[np.int64]

PANDAS_MISSING: Final = frozenset(
    {
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    }
)
"""What `pandas.read_csv` reads as missing by default: the list documented at `na_values`."""

CONTEXT: Final = ("drug", "condition", "rating")
"""Columns that tell what the reviews are about; profiles of the data aggregate them."""


@dataclass(frozen=True)
class LabelledReviews:
    """`n` reviews; of each target `levels` (n,) and `labels` (n,), int64, -1 where there is none.

    A target without text in a review has no label there: an empty text gets no verdict. A label
    that came from another scale than its target's ladder has no level.

    Attributes:
        texts: the raw texts (n,).
        levels: per target, places on its ladder.
        labels: per target, places in `LABELS`.
        missing_like_pandas: bool (n,), rows of which pandas would read a text or grade as missing.
        context: the cells (n,) of the `CONTEXT` columns that are there.
        ladders: per target, its levels with their labels, worst first.
        scale: that of the ratings in `context`.
        weights: float32 (n,), what the loss of each is multiplied by; None for 1.
    """

    texts: Sequence[Texts]
    levels: Mapping[str, Array]
    labels: Mapping[str, Array]
    missing_like_pandas: NDArray[np.bool_]
    context: Mapping[str, Sequence[object]]
    ladders: Mapping[str, Ladder] = field(default_factory=dict)
    scale: RatingScale = TEN
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that have labels, in output order."""
        return tuple(self.labels)

    @property
    def strata(self) -> Array:
        """The label that splits and balancing go by: overall's, else the first target's."""
        return self.labels["overall" if "overall" in self.labels else self.targets[0]]

    @property
    def lone(self) -> NDArray[np.bool_]:
        """Which reviews are a lone text (n,); the others have texts of aspects, or none at all."""
        return np.array([is_lone(texts) for texts in self.texts], dtype=bool)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> LabelledReviews:
        """Return the reviews at `rows` (indices, or a mask)."""
        chosen = np.arange(len(self))[rows]
        return LabelledReviews(
            [self.texts[row] for row in chosen],
            {target: levels[chosen] for target, levels in self.levels.items()},
            {target: labels[chosen] for target, labels in self.labels.items()},
            self.missing_like_pandas[chosen],
            {name: [cells[row] for row in chosen] for name, cells in self.context.items()},
            self.ladders,
            self.scale,
            None if self.weights is None else self.weights[chosen],
        )

    def joined(self, others: LabelledReviews) -> LabelledReviews:
        """Return these reviews and `others` after them, as far as these have their targets.

        Others' levels on another ladder than these reviews' are left out, their labels are not.
        """
        others = others.on_ladders(self.ladders)
        names = dict.fromkeys([*self.context, *others.context])
        context = {name: others.context.get(name, [None] * len(others)) for name in names}
        if "rating" in context and others.scale != self.scale:
            context["rating"] = [None] * len(others)
        return LabelledReviews(
            [*self.texts, *others.texts],
            {
                t: np.concatenate([target_levels, others.levels[t]])
                for t, target_levels in self.levels.items()
            },
            {
                t: np.concatenate([target_labels, others.labels[t]])
                for t, target_labels in self.labels.items()
            },
            np.concatenate([self.missing_like_pandas, others.missing_like_pandas]),
            {
                name: [*self.context.get(name, [None] * len(self)), *cells]
                for name, cells in context.items()
            },
            self.ladders,
            self.scale,
            np.concatenate([self.weights_or_ones, others.weights_or_ones]),
        )

    @property
    def weights_or_ones(self) -> NDArray[np.float32]:
        """The weights, 1 where none are set (n,)."""
        return np.ones(len(self), np.float32) if self.weights is None else self.weights

    def on_ladders(self, ladders: Mapping[str, Ladder]) -> LabelledReviews:
        """Return the same reviews with the targets of `ladders`; levels of other ladders left out.

        Ladders are the same where all their levels and labels are.
        """
        none = np.full(len(self), MISSING, np.int64)
        levels, labels = {}, {}
        for target, ladder in ladders.items():
            shared = [*self.ladders.get(target, {}).items()] == [*ladder.items()]
            levels[target] = self.levels[target] if shared else none
            labels[target] = self.labels.get(target, none)
        return replace(self, levels=levels, labels=labels, ladders=ladders)

    def with_texts(self, texts: Sequence[Texts]) -> LabelledReviews:
        """Return the same reviews with other texts (n,), all else kept."""
        if len(texts) != len(self):
            raise ValueError(f"{len(texts)} texts for {len(self)} reviews")
        return replace(self, texts=texts)

    def left_out(self) -> dict[str, dict[str, int]]:
        """Count, per target, the reviews without a label, by reason: no text, or no grade there."""
        return {target: self._left_out(target) for target in self.targets}

    def _left_out(self, target: str) -> dict[str, int]:
        empty = np.array([not has_text(texts, target) for texts in self.texts], dtype=bool)
        ungraded = (self.labels[target] == MISSING) & ~empty
        return {"no text": int(empty.sum()), "no grade": int(ungraded.sum())}

    def fingerprint(self) -> str:
        """Return 32 hex characters over all cleaned texts and levels, in their order.

        Order counts because splits and batches follow it: other order, other training run.
        """
        digest = blake2b(digest_size=16, person=b"drugmon-training")
        for texts in self.texts:
            digest.update(repr(tuple(map(clean, texts))).encode("utf-8", "surrogatepass"))
        for target in self.targets:
            digest.update(target.encode() + self.levels[target].tobytes())
            digest.update(self.labels[target].tobytes())
        return digest.hexdigest()


def has_text(texts: Texts, target: str) -> bool:
    """Tell whether `target` has something to read: its own text, for overall any text."""
    judged_texts = texts if target == "overall" else (getattr(texts, target),)
    return any(clean(text) is not None for text in judged_texts)


def read_labelled(
    source: str,
    grading: Grading,
    *,
    overrides: Mapping[str, str] | None = None,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
    warn: Callable[[str], None] | None = None,
    trust_scale: bool = False,
) -> LabelledReviews:
    """Read every file of `source`.

    Args:
        source: a file, folder or glob.
        grading: what the cells of graded columns mean.
        overrides: columns by field, from `--column`.
        text_format: of text files.
        warn: is told in one sentence what is not as it should be.
        trust_scale: warn only where the ratings do not look like those of the scale.

    Raises:
        SourceError: the source cannot be read, or has no text column.
        UsageError: it is standard input, or `overrides` name a field or column that is not there.
        TrainingDataError: a grade that is none, ratings that are of another scale, or nothing at
            all to learn from.
    """
    teachers = {name: GradeReader(name, grading) for name in _TEACHERS}

    def read(window: Window, columns: ColumnMap, where: str) -> _Part:
        return _read_window(window, columns, teachers, where)

    parts = read_files(source, overrides or {}, text_format, read)
    reviews = _joined(parts, grading, source)
    warn = warn or (lambda _warning: None)
    if doubts := teachers["rating"].doubts(source):
        if not trust_scale:
            raise TrainingDataError(doubts)
        warn(doubts)
    if remarks := teachers["rating"].remarks(source):
        warn(remarks)
    return reviews


def teachers_of(columns: ColumnMap) -> dict[str, str]:
    """Return what teaches each target that has a text, in output order: a field of `ColumnMap`."""
    teachers = {}
    for target in TARGETS:
        if target == "overall" or getattr(columns, target) is not None:
            there = [name for name in TEACHERS_OF_TARGET[target] if getattr(columns, name)]
            if there:
                teachers[target] = there[0]
    return teachers


_TEACHERS: Final = tuple(
    dict.fromkeys(name for teachers in TEACHERS_OF_TARGET.values() for name in teachers)
)


@dataclass(frozen=True)
class _Part:
    texts: Sequence[Texts]
    levels: Mapping[str, Array]
    taught_by: Mapping[str, str]
    missing_like_pandas: Sequence[bool]
    context: Mapping[str, Sequence[object]]


def _read_window(
    window: Window, columns: ColumnMap, teachers: Mapping[str, GradeReader], where: str
) -> _Part:
    taught_by = teachers_of(columns)
    cells = {
        teacher: window.rows.column(getattr(columns, teacher))
        for teacher in dict.fromkeys(taught_by.values())
    }
    graded = {
        teacher: teachers[teacher].read(
            values, where=where, column=getattr(columns, teacher), start=window.start
        )
        for teacher, values in cells.items()
    }
    read = [field for field in ASPECTS if getattr(columns, field) is not None] or ["text"]
    looked_at = [[getattr(texts, field) for texts in window.texts] for field in read]
    missing = map(_any_missing, zip(*looked_at, *cells.values(), strict=True))
    levels = {}
    for target, teacher in taught_by.items():
        present = np.array([has_text(texts, target) for texts in window.texts], dtype=bool)
        levels[target] = np.where(present, graded[teacher], MISSING)
    context = {
        name: window.rows.column(column)
        for name in CONTEXT
        if (column := getattr(columns, name)) is not None
    }
    return _Part(window.texts, levels, taught_by, list(missing), context)


def _any_missing(cells: Iterable[object]) -> bool:
    return any(
        cell is None or cell in PANDAS_MISSING if isinstance(cell, str | None) else cell != cell
        for cell in cells
    )


def _joined(parts: Sequence[_Part], grading: Grading, source: str) -> LabelledReviews:
    levels, labels, ladders = {}, {}, {}
    for target in TARGETS:
        teachers = [part.taught_by[target] for part in parts if target in part.taught_by]
        levels_of_parts = [_levels_of(part, target) for part in parts]
        if not any((part_levels != MISSING).any() for part_levels in levels_of_parts):
            continue
        ladders[target] = ladder_of(teachers[0], grading)
        labels_of_parts = [
            ladder_labels(part_levels, ladder_of(part.taught_by.get(target, teachers[0]), grading))
            for part, part_levels in zip(parts, levels_of_parts, strict=True)
        ]
        labels[target] = np.concatenate(labels_of_parts)
        shared = [part.taught_by.get(target) == teachers[0] for part in parts]
        levels[target] = np.concatenate(
            [
                part_levels if same else np.full(len(part_levels), MISSING, np.int64)
                for part_levels, same in zip(levels_of_parts, shared, strict=True)
            ]
        )
    if not levels:
        raise TrainingDataError(
            f"{source} teaches nothing: no review has a text and a grade; name the graded column "
            "with --column rating=NAME (or effectiveness=NAME, side_effects_grade=NAME), or a "
            "column of labels with --column overall_label=NAME"
        )
    return LabelledReviews(
        [texts for part in parts for texts in part.texts],
        levels,
        labels,
        np.array([missing for part in parts for missing in part.missing_like_pandas], dtype=bool),
        {
            name: [cell for part in parts for cell in _cells_of(part, name)]
            for name in CONTEXT
            if any(name in part.context for part in parts)
        },
        ladders,
        grading.scale,
    )


def _cells_of(part: _Part, name: str) -> Sequence[object]:
    return part.context.get(name, [None] * len(part.texts))


def _levels_of(part: _Part, target: str) -> Array:
    return part.levels.get(target, np.full(len(part.texts), MISSING, np.int64))
