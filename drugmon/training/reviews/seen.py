"""Which reviews an adapter learned from, as short hashes beside it: no text can be read from them.

They do tell whoever has the texts of a review whether it was among them, so they can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from drugmon.data.reviews import clean
from drugmon.models.files import SEEN
from drugmon.training.reviews.dataset import LabelledReviews

_BYTES: Final = 6
"""48 bits: of a million reviews beside a million others, 0.004 are mistaken for one of them."""


def write_seen(folder: Path, reviews: LabelledReviews, key: str) -> None:
    """Write a line of hex per distinct review, sorted, into `folder`.

    `key` (at most 64 characters) keeps the hashes of one training set from being looked up in a
    table that was made for another.
    """
    lines = sorted(set(_hashes(reviews, key)))
    (folder / SEEN).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def count_seen(folder: Path, reviews: LabelledReviews, key: str) -> int:
    """How many of `reviews` are in the file that `write_seen` made; 0 where there is none."""
    path = folder / SEEN
    if not path.is_file():
        return 0
    seen = set(path.read_text(encoding="ascii").split())
    return sum(own in seen for own in _hashes(reviews, key))


def _hashes(reviews: LabelledReviews, key: str) -> Iterator[str]:
    """One for each review that has a text: over its cleaned texts, as copies are told by them."""
    start = blake2b(digest_size=_BYTES, key=key.encode(), person=b"drugmon-seen")
    for texts in reviews.texts:
        cleaned = tuple(map(clean, texts))
        if any(cleaned):
            own = start.copy()
            own.update(repr(cleaned).encode("utf-8", "surrogatepass"))
            yield own.hexdigest()
