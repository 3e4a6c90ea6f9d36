"""Unlabelled reviews: texts alone, for a teacher to say something of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drugmon.data.columns import ColumnMap
from drugmon.data.reviews import Texts, Window
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.training.reviews.dataset import LabelledReviews, has_text
from drugmon.training.reviews.reading import read_files


def read_unlabelled(
    source: str,
    *,
    overrides: Mapping[str, str] | None = None,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
) -> LabelledReviews:
    """Read the reviews of every file of `source` that have a text, with no label of any target.

    Columns of grades are not looked at.

    Raises:
        SourceError: the source cannot be read, or has no text column.
        UsageError: it is standard input, or `overrides` name a field or column that is not there.
    """

    def read(window: Window, _columns: ColumnMap, _where: str) -> list[Texts]:
        return [texts for texts in window.texts if has_text(texts, "overall")]

    parts = read_files(source, overrides or {}, text_format, read)
    texts = [review for part in parts for review in part]
    return LabelledReviews(texts, {}, {}, np.zeros(len(texts), dtype=bool), {})
