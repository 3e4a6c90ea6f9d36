"""The loss of a batch: over the levels of each target, and over the labels that they fold into."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from drugmon.training.recipe import Loss

LabelLogProbs = Callable[[Tensor, str], Tensor]


def review_loss(
    logits: Mapping[str, Tensor],
    levels: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    *,
    label_log_probs: LabelLogProbs,
    class_weights: Mapping[str, Tensor],
    loss: Loss,
    counts: Mapping[str, int] | None = None,
) -> Tensor:
    """Return the scalar loss: the sum over targets of the mean over their labelled reviews.

    Of a part of a batch it is the part's share, so that the losses of all parts add up.

    Args:
        logits: per target (b, levels), float.
        levels: per target (b,), int64, -1 where missing.
        labels: per target (b,), int64, -1 where missing; known wherever the level is.
        label_log_probs: folds the logits (b, levels) of a target into label log-probabilities.
        class_weights: per target (3,), float; multiplies the loss of a review by its label's.
        loss: the recipe's weights; a review's loss is level_weight * cross-entropy over levels +
            label_weight * negative log-likelihood of its label.
        counts: per target, how many labelled reviews the mean is over; those here if not given.
    """
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for target, label in labels.items():
        known = label >= 0
        if not known.any():
            continue
        own, label = logits[target][known].float(), label[known]
        per_review = loss.level_weight * functional.cross_entropy(
            own, levels[target][known], reduction="none"
        ) + loss.label_weight * functional.nll_loss(
            label_log_probs(own, target), label, reduction="none"
        )
        weighted = (per_review * class_weights[target][label]).sum()
        total = total + loss.of_target(target) * weighted / (counts or {}).get(target, len(label))
    return total
