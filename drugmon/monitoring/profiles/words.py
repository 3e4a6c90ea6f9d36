"""In how many reviews a word stands: what tells that texts changed, and holds no text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from drugmon.records import filled

SHARED_BY: Final = 5
"""A word that fewer reviews share is not kept: it says nothing, and might be a person's name."""

MOST_WORDS: Final = 3000
"""How many words a profile keeps, the commonest."""

_WORD: Final = re.compile(r"[^\W\d_]{3,30}")


@dataclass(frozen=True)
class WordCounts:
    """Of `reviews` with a text, how many have each word; `least` is the fewest that are told."""

    reviews: int
    least: int
    counts: Mapping[str, int]

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold, commonest word first."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> WordCounts:
        """The reverse of `to_dict`. Raises ValueError on another shape."""
        return filled(cls, data)


def words_of(texts: Iterable[str | None]) -> set[str]:
    """The words of one review, in lower case, of three letters or more."""
    return {word for text in texts if text for word in _WORD.findall(text.lower())}


def kept_words(reviews: int, counts: Mapping[str, int]) -> WordCounts:
    """What a profile keeps of words counted in `reviews`."""
    shared = sorted(
        ((word, n) for word, n in counts.items() if n >= SHARED_BY),
        key=lambda entry: (-entry[1], entry[0]),
    )
    cut = shared[MOST_WORDS - 1][1] if len(shared) > MOST_WORDS else SHARED_BY
    return WordCounts(reviews, cut, dict(shared[:MOST_WORDS]))


def count_words(reviews: Iterable[Sequence[str | None]]) -> tuple[int, Counter[str]]:
    """How many of `reviews` have a text, and in how many of them each word stands."""
    counts: Counter[str] = Counter()
    filled = 0
    for texts in reviews:
        if any(texts):
            filled += 1
            counts.update(words_of(texts))
    return filled, counts
