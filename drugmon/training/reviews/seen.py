"""Which reviews an adapter learned from, as short hashes beside it: no text can be read from them.

They do tell whoever has the texts of a review whether it was among them, so they can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drugmon.data.reviews import Texts, clean
from drugmon.models.files import SEEN
from drugmon.training.reviews.copies import copy_key, copy_keys
from drugmon.training.reviews.dataset import LabelledReviews

_BYTES: Final = 6
"""48 bits: of a million reviews beside a million others, 0.004 are mistaken for one of them."""


def write_seen(folder: Path, reviews: LabelledReviews, key: str) -> None:
    """Write a line of hex per distinct review, sorted, into `folder`.

    `key` (at most 64 characters) keeps the hashes of one training set from being looked up in a
    table that was made for another.
    """
    lines = sorted({review_hash for review_hash in _hashes(reviews.texts, key) if review_hash})
    (folder / SEEN).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def count_seen(folder: Path, reviews: LabelledReviews, key: str) -> int:
    """How many of `reviews` were learned from, see `seen_rows`; 0 where there is no file."""
    return int(seen_rows(folder, reviews.texts, key).sum())


def seen_rows(folder: Path, reviews: Sequence[Texts], key: str) -> NDArray[np.bool_]:
    """Which of n `reviews` are in the file that `write_seen` made: bool (n,).

    Themselves, a copy among these, or their one text in another place: a site's one text may be a
    lone text in one file and stand among the comments in another.
    """
    path = folder / SEEN
    seen = set(path.read_text(encoding="ascii").split()) if path.is_file() else set()
    forms = [(row, form) for row, review in enumerate(reviews) for form in _forms(review)]
    hashes = _hashes([form for _, form in forms], key)
    known = [
        row for (row, _), review_hash in zip(forms, hashes, strict=True) if review_hash in seen
    ]
    copied = copy_keys([reviews[row] for row in known])
    learned = np.array([copy_key(review) in copied for review in reviews], dtype=bool)
    learned[known] = True
    return learned


def _forms(review: Texts) -> Iterator[Texts]:
    """The review, and where it has one text alone, that text in each place."""
    yield review
    texts = [text for text in review if clean(text) is not None]
    if len(texts) == 1:
        for place in range(len(review)):
            yield Texts(
                *(texts[0] if position == place else None for position in range(len(review)))
            )


def _hashes(reviews: Sequence[Texts], key: str) -> Iterator[str | None]:
    """One for each review: over its cleaned texts, as copies are told by them. None without any."""
    start = blake2b(digest_size=_BYTES, key=key.encode(), person=b"drugmon-seen")
    for texts in reviews:
        cleaned = tuple(map(clean, texts))
        review_hash = start.copy()
        review_hash.update(repr(cleaned).encode("utf-8", "surrogatepass"))
        yield review_hash.hexdigest() if any(cleaned) else None
