"""Explain: which words of a review moved each verdict to its label, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from drugmon.data.reviews import Texts
from drugmon.labels import LABELS
from drugmon.scoring.attribution import Attribution, Attributor, Quadrature
from drugmon.scoring.words import ReviewWords, words_of
from drugmon.workflows.predict import Verdict

POINTS: Final = (16, 32, 64)
"""Gradients along the line: more of them where the parts do not add up yet."""

CLOSE: Final = 0.02
"""Parts that add up to within so much of probability are close enough to be made to."""


@dataclass(frozen=True)
class Word:
    """A word of a review: where it stands in the cleaned text of `field`, and what it added.

    `push` is in units of probability: .2 means that the label is 20 points likelier by this word.
    """

    field: str
    start: int
    end: int
    text: str
    push: float


@dataclass(frozen=True)
class Explanation:
    """Why a target's verdict has its label.

    Attributes:
        probability: the label's calibrated probability, computed in float32.
        baseline: its probability where nothing is said; `probability - baseline` is what the pushes
            of all words add up to.
        words: all words of the review, in reading order.
        texts: the cleaned text by field, which the words' places are of.
        adapter: what judged, as in the verdict; of a cascade both, or the first alone.
    """

    target: str
    label: str
    probability: float
    baseline: float
    words: tuple[Word, ...]
    texts: Mapping[str, str]
    adapter: str = ""

    @property
    def strongest(self) -> list[Word]:
        """The words by what they added, largest first, those against the label last."""
        return sorted(self.words, key=lambda word: -word.push)


def explain(
    review: Texts, verdicts: Mapping[str, Verdict], attributor: Attributor, both: bool = False
) -> dict[str, Explanation]:
    """Explain the verdicts of one review, by target.

    Args:
        review: what was judged.
        verdicts: of it, by target.
        attributor: of what judged it.
        both: both adapters of a cascade did.
    """
    readings = [words_of(review, tokenizer) for tokenizer in attributor.tokenizers(both)]
    labels = {target: LABELS.index(verdict.label) for target, verdict in verdicts.items()}
    return {
        target: _explanation(readings, verdicts[target], attribution)
        for target, attribution in _attributions(attributor, review, labels, both).items()
    }


def _attributions(
    attributor: Attributor, review: Texts, labels: Mapping[str, int], both: bool
) -> dict[str, Attribution]:
    attributions: dict[str, Attribution] = {}
    left = dict(labels)
    for points in POINTS:
        attributions |= attributor.attribute(review, left, Quadrature.gauss(points), both)
        left = {
            target: label
            for target, label in left.items()
            if abs(attributions[target].rest) > CLOSE
        }
        if not left:
            break
    return {target: attributions[target] for target in labels}


def _explanation(
    readings: Sequence[ReviewWords], verdict: Verdict, attribution: Attribution
) -> Explanation:
    """From tokens to words, which are the same to every adapter that cuts them into its own."""
    words = readings[0]
    pushes = np.zeros(len(words.spans))
    for reading, tokens in zip(readings, attribution.tokens, strict=True):
        pushes += np.bincount(reading.owners, tokens, len(words.spans))
    # What the integral leaves, a hundredth or two, goes to the words by what they move.
    size = np.abs(pushes)
    pushes += attribution.rest * size / max(float(size.sum()), 1e-12)
    return Explanation(
        target=verdict.target,
        label=verdict.label,
        probability=attribution.end,
        baseline=attribution.start,
        words=tuple(
            Word(*span, words.texts[span.field][span.start : span.end], float(push))
            for span, push in zip(words.spans, pushes, strict=True)
        ),
        texts=words.texts,
        adapter=verdict.adapter,
    )
