"""The mix of names in a column, such as drugs or conditions, without what is rare or personal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

TOP_NAMES: Final = 200
"""How many names a mix keeps."""

RARE: Final = 2
"""A name seen fewer times is not kept: it says nothing of the mix, and might be free text."""

LONGEST_NAME: Final = 80
"""Characters: what is longer is no name of a drug or condition, and is not kept."""


@dataclass(frozen=True)
class NameMix:
    """Counts of the most used names, of rows of other names (`other`) and with none (`missing`)."""

    names: Mapping[str, int]
    other: int
    missing: int
    distinct: int

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold, most frequent name first."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NameMix:
        """The reverse of `to_dict`. Raises KeyError or TypeError where `data` has another shape."""
        return cls(dict(data["names"]), data["other"], data["missing"], data["distinct"])


def name_mix(values: Iterable[object]) -> NameMix:
    """Count names in lower case, inner white space folded; None and blanks are missing."""
    keys = (None if value is None else " ".join(str(value).lower().split()) for value in values)
    counts = Counter(key or None for key in keys)
    missing = counts.pop(None, 0)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    kept = {
        str(name): count
        for name, count in ranked[:TOP_NAMES]
        if count >= RARE and len(str(name)) <= LONGEST_NAME
    }
    return NameMix(kept, counts.total() - sum(kept.values()), missing, len(counts))
