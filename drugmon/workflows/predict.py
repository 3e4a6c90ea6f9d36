"""Predict: the verdicts of one review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.data.reviews import Texts, clean, is_lone
from drugmon.errors import UsageError
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.zero_shot import open_model
from drugmon.scoring.cascade.cascade import open_cascade
from drugmon.scoring.lazy_engine import open_engine
from drugmon.scoring.scores import Scores

ONE_FORM: Final = "give the review as one text, or by its aspects, not both"


@dataclass(frozen=True)
class Verdict:
    """One target's label, its calibrated confidence, and the probability of every label.

    `adapter` is what judged, as the column `drugmon_adapter` tells it.

    Example:
        >>> import drugmon
        >>> shares = {"negative": 0.4, "neutral": 0.1, "positive": 0.5}
        >>> verdict = drugmon.Verdict("overall", "negative", 0.4, shares)
        >>> verdict.label, verdict.likeliest
        ('negative', 'positive')
    """

    target: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    adapter: str = ""

    @property
    def likeliest(self) -> str:
        """The label with the largest probability; the balanced rule may have decided otherwise."""
        return max(LABELS, key=self.probabilities.__getitem__)


def predict(
    texts: Texts,
    model: ModelOptions,
    behind: CascadeOptions,
    config: EngineConfig,
    *,
    warn: Callable[[str], None] = lambda _warning: None,
) -> list[Verdict]:
    """The verdicts of the targets that have a text, in output order.

    Args:
        texts: the review.
        model: what scores, and how it decides.
        behind: a second adapter for what the first one is not sure of, if any.
        config: how to compute.
        warn: told where the batches had to shrink.

    Raises:
        UsageError: there is no text at all, a lone text beside others, or options do not fit
            together.
        DrugmonError: an adapter cannot be used.
    """
    behind.check(model)
    check_review(texts)
    adapter = open_model(model)
    cascade = open_cascade(adapter, behind)
    with open_engine(adapter, config, warn, cascade) as engine:
        both = cascade.identity if cascade else None
        return verdicts_of(engine.score([texts]), adapter.manifest.identity, both)


def check_review(texts: Texts) -> None:
    """Refuse a review without any text, and one of which a lone text would be left out.

    Of a source's rows the lone text is read where an aspect has none; who gives a single review
    means all that is given.

    Raises:
        UsageError: there is no text, or a lone text beside others.
    """
    if not any(map(clean, texts)):
        raise UsageError(
            "the review has no text: give --benefits, --side-effects, --comments or --text"
        )
    if clean(texts.text) and not is_lone(texts):
        raise UsageError(ONE_FORM)


def verdicts_of(scores: Scores, alone: str, both: str | None = None) -> list[Verdict]:
    """The verdicts of the first review in output order.

    Args:
        scores: of that review, at least.
        alone: what judged, or
        both: the pair that did, where `scores` says so.
    """
    sent_on = scores.both is not None and bool(scores.both[0])
    judge = both if both and sent_on else alone
    verdicts = []
    for column, target in enumerate(TARGETS):
        label = int(scores.labels[0, column])
        if label >= 0:
            shares = [float(share) for share in scores.probabilities[0, column]]
            by_label = dict(zip(LABELS, shares, strict=True))
            verdicts.append(Verdict(target, LABELS[label], shares[label], by_label, judge))
    return verdicts
