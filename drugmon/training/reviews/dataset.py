"""Labelled reviews: texts with the levels and labels of every target that the columns teach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.reviews import Texts, Window, clean
from drugmon.data.sources import StandardInput, resolve_source
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import TrainingDataError, UsageError
from drugmon.labels import GRADE_OF_TARGET, TARGETS
from drugmon.training.reviews.grades import LEVELS, MISSING, labels_of, read_levels

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

_WINDOW: Final = 8192


@dataclass(frozen=True)
class LabelledReviews:
    """`n` reviews; of each target `levels` (n,) and `labels` (n,), int64, -1 where there is none.

    A target without text in a review has no label there: an empty text gets no verdict.
    `missing_like_pandas` (n,) marks rows of which pandas would read a text or grade as missing.
    `context` holds the cells (n,) of the `CONTEXT` columns that are there.
    """

    texts: Sequence[Texts]
    levels: Mapping[str, Array]
    labels: Mapping[str, Array]
    missing_like_pandas: NDArray[np.bool_]
    context: Mapping[str, Sequence[object]]

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

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> LabelledReviews:
        """Return the reviews at `rows` (indices, or a mask)."""
        chosen = np.arange(len(self))[rows]
        return LabelledReviews(
            [self.texts[row] for row in chosen],
            {target: levels[chosen] for target, levels in self.levels.items()},
            {target: labels[chosen] for target, labels in self.labels.items()},
            self.missing_like_pandas[chosen],
            {name: [cells[row] for row in chosen] for name, cells in self.context.items()},
        )

    def joined(self, others: LabelledReviews) -> LabelledReviews:
        """Return these reviews and `others`, which have the same targets and context, after."""
        return LabelledReviews(
            [*self.texts, *others.texts],
            {t: np.concatenate([own, others.levels[t]]) for t, own in self.levels.items()},
            {t: np.concatenate([own, others.labels[t]]) for t, own in self.labels.items()},
            np.concatenate([self.missing_like_pandas, others.missing_like_pandas]),
            {name: [*cells, *others.context[name]] for name, cells in self.context.items()},
        )

    def with_texts(self, texts: Sequence[Texts]) -> LabelledReviews:
        """Return the same reviews with other texts (n,), all else kept."""
        if len(texts) != len(self):
            raise ValueError(f"{len(texts)} texts for {len(self)} reviews")
        return replace(self, texts=texts)

    def left_out(self) -> dict[str, dict[str, int]]:
        """Count, per target, the reviews without a label, by reason: no text, or no grade."""
        return {target: self._left_out(target) for target in self.targets}

    def _left_out(self, target: str) -> dict[str, int]:
        empty = np.array([not has_text(texts, target) for texts in self.texts], dtype=bool)
        ungraded = (self.labels[target] == MISSING) & ~empty
        return {"no text": int(empty.sum()), f"no {GRADE_OF_TARGET[target]}": int(ungraded.sum())}

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
    own = texts if target == "overall" else (getattr(texts, target),)
    return any(clean(text) is not None for text in own)


def read_labelled(
    source: str,
    labels: Mapping[str, Mapping[str, str]],
    *,
    overrides: Mapping[str, str] | None = None,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
) -> LabelledReviews:
    """Read every file of `source`; `labels` maps the levels of each graded column to labels.

    Raises:
        SourceError: the source cannot be read, or has no text column.
        UsageError: it is standard input, or `overrides` name a field or column that is not there.
        TrainingDataError: a grade that is none, or nothing at all to learn from.
    """
    files = resolve_source(source)
    if isinstance(files, StandardInput):
        raise UsageError("labelled reviews are read from files; name a file, folder or glob, not -")
    parts = []
    for file in files:
        with open_reader(file, text_format) as reader:
            columns = resolve_columns(reader.columns, overrides or {}, reader.where)
            for window in read_windows(reader, columns, _WINDOW):
                parts.append(_read_window(window, columns, reader.where))
    return _joined(parts, labels, source)


def taught_targets(columns: ColumnMap) -> tuple[str, ...]:
    """Return the targets that have both a text and a graded column, in output order."""
    return tuple(
        target
        for target in TARGETS
        if getattr(columns, GRADE_OF_TARGET[target]) is not None
        and (target == "overall" or getattr(columns, target) is not None)
    )


@dataclass(frozen=True)
class _Part:
    texts: Sequence[Texts]
    levels: Mapping[str, Array]
    missing_like_pandas: Sequence[bool]
    context: Mapping[str, Sequence[object]]


def _read_window(window: Window, columns: ColumnMap, where: str) -> _Part:
    cells = {
        grade: window.rows.column(name)
        for grade in LEVELS
        if (name := getattr(columns, grade)) is not None
    }
    graded = {
        grade: read_levels(
            values, grade, where=where, column=getattr(columns, grade), start=window.start
        )
        for grade, values in cells.items()
    }
    read = [field for field in Texts._fields if getattr(columns, field) is not None]
    looked_at = [[getattr(texts, field) for texts in window.texts] for field in read]
    missing = map(_any_missing, zip(*looked_at, *cells.values(), strict=True))
    levels = {}
    for target in taught_targets(columns):
        present = np.array([has_text(texts, target) for texts in window.texts], dtype=bool)
        levels[target] = np.where(present, graded[GRADE_OF_TARGET[target]], MISSING)
    context = {
        name: window.rows.column(column)
        for name in CONTEXT
        if (column := getattr(columns, name)) is not None
    }
    return _Part(window.texts, levels, list(missing), context)


def _any_missing(cells: Iterable[object]) -> bool:
    return any(
        cell is None or cell in PANDAS_MISSING if isinstance(cell, str | None) else cell != cell
        for cell in cells
    )


def _joined(
    parts: Sequence[_Part], labels: Mapping[str, Mapping[str, str]], source: str
) -> LabelledReviews:
    levels = {
        target: np.concatenate([_levels_of(part, target) for part in parts])
        for target in TARGETS
        if any(target in part.levels for part in parts)
    }
    levels = {target: values for target, values in levels.items() if (values != MISSING).any()}
    if not levels:
        raise TrainingDataError(
            f"{source} teaches nothing: no review has a text and a grade; name the graded column "
            "with --column rating=NAME (or effectiveness=NAME, side_effects_grade=NAME)"
        )
    return LabelledReviews(
        [texts for part in parts for texts in part.texts],
        levels,
        {target: labels_of(values, target, labels) for target, values in levels.items()},
        np.array([missing for part in parts for missing in part.missing_like_pandas], dtype=bool),
        {
            name: [cell for part in parts for cell in _cells_of(part, name)]
            for name in CONTEXT
            if any(name in part.context for part in parts)
        },
    )


def _cells_of(part: _Part, name: str) -> Sequence[object]:
    return part.context.get(name, [None] * len(part.texts))


def _levels_of(part: _Part, target: str) -> Array:
    return part.levels.get(target, np.full(len(part.texts), MISSING, np.int64))
