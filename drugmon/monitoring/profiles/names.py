"""The mix of names in a column, such as drugs or conditions, without what is rare or personal."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from drugmon.records import filled
from drugmon.wording import LIKE_TEXT, is_value

TOP_NAMES: Final = 200
"""How many names a mix keeps."""

RARE: Final = 2
"""A name seen fewer times is not kept: it says nothing of the mix, and might be free text."""

LONGEST_NAME: Final = 80
"""Characters: what is longer is no name of a drug or condition, and is not kept."""


_WHOLE_NUMBER: Final = re.compile(r"^(-?\d+)\.0+$", re.ASCII)


@dataclass(frozen=True)
class NameMix:
    """Counts of the most used names, of rows of other names (`other`) and with none (`missing`).

    `most_unnamed` is the most rows that a name which is not told may have, where that is not what
    the rules of `mix_of` make it.
    """

    names: Mapping[str, int]
    other: int
    missing: int
    distinct: int
    most_unnamed: int | None = None

    @property
    def total(self) -> int:
        """Rows that have a name."""
        return sum(self.names.values()) + self.other

    @property
    def unnamed(self) -> int:
        """The most rows that a name which is not told may have."""
        if not self.other:
            return 0
        if self.most_unnamed is not None:
            return self.most_unnamed
        full = len(self.names) >= TOP_NAMES
        return min(self.names.values()) if full else RARE - 1

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold, most frequent name first."""
        return {name: value for name, value in asdict(self).items() if name != "most_unnamed"}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> NameMix:
        """The reverse of `to_dict`. Raises ValueError where `data` has another shape."""
        return filled(cls, data)


def name_key(value: object) -> str | None:
    """A name in lower case, inner white space folded; None for None and blanks.

    However a name is written, its key is one: with a letter of its own for é or with an accent
    behind the e, and the number 1 as 1 or 1.0. All values that look like words of a review have one
    key too: none of them is told.
    """
    if value is None:
        return None
    folded = unicodedata.normalize("NFC", " ".join(str(value).lower().split()))
    key = _WHOLE_NUMBER.sub(r"\1", folded) or None
    return key if key is None or is_value(key) else LIKE_TEXT


def are_texts(counted: Mapping[str | None, int]) -> bool:
    """Whether most rows of a column, counted by key, have a text where a name should be.

    Then what is short may be one as well, and no value of the column is to be told.
    """
    named = sum(rows for key, rows in counted.items() if key is not None)
    return counted.get(LIKE_TEXT, 0) > named / 2


def name_mix(values: Iterable[object]) -> NameMix:
    """Count names by their keys; None and blanks are missing."""
    return mix_of(Counter(map(name_key, values)))


def mix_of(
    counted: Mapping[str | None, int], top: int | None = TOP_NAMES, rare: int = RARE
) -> NameMix:
    """What is kept of names counted by their keys; None counts the rows without.

    `top` None and `rare` 1 keep all, which is for comparing and not for files.
    """
    counts = Counter(counted)
    missing = counts.pop(None, 0)
    if are_texts(counts):
        counts = Counter({LIKE_TEXT: counts.total()})
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    kept = {
        str(name): count
        for name, count in ranked[:top]
        if count >= rare and len(str(name)) <= LONGEST_NAME
    }
    return NameMix(kept, counts.total() - sum(kept.values()), missing, len(counts))
