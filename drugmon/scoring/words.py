"""The words of a review, and which tokens are whose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from drugmon.data.reviews import Texts, clean
from drugmon.labels import ASPECTS
from drugmon.models.classifiers.classifier import Tokenizer
from drugmon.models.tokens.inputs import aspect_texts

_WORD: Final = re.compile(
    r"\S[^\s,;:.!?/…]*+(?:[,;:.!?/…]++(?![^\W\d_])[^\s,;:.!?/…]*+)*+(?:[,;:.!?/…]++)?"
)
"""What stands between white space; two words that only punctuation parts are two.

Possessive, as a text may be a run of thousands of dots: each character is looked at once.
"""


LONE: Final = "text"
"""The field of a review in one piece, which is read in an aspect's place."""


class Span(NamedTuple):
    """Where a word stands: in the cleaned text of `field`, from `start` up to `end`."""

    field: str
    start: int
    end: int


class ReviewWords(NamedTuple):
    """The words of one review in reading order.

    `texts` are the cleaned texts by field. `owners` int64 (tokens,): the word that each token
    belongs to, the tokens of the three aspects one after the other.
    """

    texts: dict[str, str]
    spans: list[Span]
    owners: npt.NDArray[np.int64]


def words_of(review: Texts, tokenizer: Tokenizer) -> ReviewWords:
    """Split a review into words, and tell the tokens of each."""
    texts: dict[str, str] = {}
    spans: list[Span] = []
    owners: list[npt.NDArray[np.int64]] = []
    for aspect, text in zip(ASPECTS, aspect_texts(review), strict=True):
        if not text:
            continue
        field = aspect if clean(getattr(review, aspect)) else LONE
        texts[field] = text
        spans_of_words = [match.span() for match in _WORD.finditer(text)]
        owners.append(len(spans) + _owners(tokenizer.offsets(text), spans_of_words))
        spans += [Span(field, start, end) for start, end in spans_of_words]
    return ReviewWords(texts, spans, np.concatenate(owners) if owners else np.empty(0, np.int64))


def _owners(
    offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> npt.NDArray[np.int64]:
    """The word of each token: where its last character stands; a token may begin with a space."""
    starts = np.array([start for start, _ in spans], np.int64)
    last = np.array([max(start, end - 1) for start, end in offsets], np.int64)
    return np.maximum(np.searchsorted(starts, last, side="right") - 1, 0)
