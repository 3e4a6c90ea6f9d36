"""Reviews as they are read: the raw texts of a row, and windows of rows in the reader's form."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from drugmon.labels import ASPECTS, TARGETS


class Texts(NamedTuple):
    """The raw texts of one review; None where the cell is null or the column absent.

    `text` is a lone review text: it only counts where no aspect has a text.
    """

    benefits: str | None
    side_effects: str | None
    comments: str | None
    text: str | None


INVISIBLE: Final = (
    "\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What shows nothing beside white space, as ranges of a regular expression.

Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), controls, and braille's blank.
"""

_VISIBLE: Final = re.compile(rf"[^\s{INVISIBLE}]")


def clean(text: str | None) -> str | None:
    """Unescape HTML entities and strip white space; None where nothing visible is left.

    Idempotent: doubly escaped text (`&amp;#039;`) is unescaped until it stays as it is. "None" and
    "N/A" are texts, because reviewers write them to say that there was nothing to tell.
    """
    if text is None:
        return None
    stripped = _unescaped(text).strip()
    return stripped if _VISIBLE.search(stripped) else None


def is_invisible(text: str | None) -> bool:
    """Tell whether a text is neither null nor blank, and yet has nothing that anybody could see."""
    if text is None or ("&" not in text and _VISIBLE.search(text)):
        return False
    stripped = _unescaped(text).strip()
    return bool(stripped) and not _VISIBLE.search(stripped)


def _unescaped(text: str) -> str:
    while "&" in text and (unescaped := html.unescape(text)) != text:
        text = unescaped  # terminates: what replaces an entity is shorter than the entity
    return text


def with_text(reviews: Sequence[Texts]) -> npt.NDArray[np.bool_]:
    """Which targets have a text to judge, bool (n, 4); overall has one where any text is."""
    there = np.zeros((len(reviews), len(TARGETS)), dtype=bool)
    for row, review in enumerate(reviews):
        aspects = [clean(getattr(review, aspect)) is not None for aspect in ASPECTS]
        there[row] = [*aspects, any(aspects) or clean(review.text) is not None]
    return there


def is_lone(review: Texts) -> bool:
    """Tell whether a review has a lone text, and none of an aspect."""
    aspects = (review.benefits, review.side_effects, review.comments)
    return not any(map(clean, aspects)) and clean(review.text) is not None


class Rows(Protocol):
    """Some rows of a source, in the form that their reader gives them."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the source's own columns, each once; earlier verdict columns left out."""

    def __len__(self) -> int: ...

    def column(self, name: str) -> list[object]:
        """Return the values of one column, None where a value is null or missing."""

    def to_arrow(self) -> pa.Table:
        """Return all columns as one table, in the source's types where it has types."""

    def filter(self, mask: Sequence[bool]) -> Rows:
        """Return the rows whose mask is true, in order."""


@dataclass(frozen=True)
class Window:
    """Consecutive rows and their texts. `start` is the first row's number in the source, from 0."""

    start: int
    rows: Rows
    texts: list[Texts]
