"""Masking: copies of reviews in which some of the words that carry sentiment are hidden.

What is left of a neutral review still is one, so the model has to find that out from the rest: from
"helped some, but" and not from the one word "good". Which words carry sentiment says the lexicon of
C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text" (ICWSM 2014), from the package vaderSentiment (MIT licence).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from drugmon.data.reviews import Texts, clean
from drugmon.models.bases.bases import Base, read_json

_MASKS: Final = ("[MASK]", "<mask>", "<extra_id_0>")
"""What bases of BERT's, RoBERTa's and T5's kind have learned to read as "a word was here"."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}-][^\W\d_]+)*")


class Masker:
    """Hides `share` (0..1) of each text's sentiment words, at least one, behind `mask`.

    The words are drawn by `seed`. Without a mask (an empty text) they are left out.
    """

    def __init__(self, mask: str, share: float, seed: int) -> None:
        self._mask, self._share = mask, share
        self._rng = np.random.default_rng(seed)

    def __call__(self, reviews: Sequence[Texts]) -> list[Texts | None]:
        """Return each review with words masked, None where it has no sentiment word."""
        return [self._review(review) for review in reviews]

    def _review(self, review: Texts) -> Texts | None:
        masked = Texts(*map(self._text, review))
        return None if masked == Texts(*map(clean, review)) else masked

    def _text(self, text: str | None) -> str | None:
        whole = text = clean(text)
        if text is None:
            return None
        words = [match for match in _WORD.finditer(text) if is_sentiment_word(match.group())]
        if not words:
            return text
        count = max(1, round(self._share * len(words)))
        hidden = set(self._rng.permutation(len(words))[:count].tolist())
        # From the end, so that the places of the words before stay right.
        for number in sorted(hidden, reverse=True):
            start, end = words[number].span()
            text = text[:start] + self._mask + text[end:]
        # A text that has a grade stays a text.
        return text if self._mask else " ".join(text.split()) or whole


def mask_of(base: Base) -> str:
    """Return the mask token of a base, empty where it has none."""
    tokens = read_json(base.folder / "tokenizer.json").get("added_tokens")
    special = {token["content"] for token in tokens} if isinstance(tokens, list) else set()
    return next((mask for mask in _MASKS if mask in special), "")


def is_sentiment_word(word: str) -> bool:
    """Tell whether the lexicon knows `word` as positive or negative."""
    return word.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") in _lexicon()


@cache
def _lexicon() -> frozenset[str]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return frozenset(SentimentIntensityAnalyzer().lexicon)
