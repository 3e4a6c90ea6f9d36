"""The loss of a batch: over the levels of each target, and over the labels that they fold into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from drugmon.training.recipe import Loss

LabelLogProbs = Callable[[Tensor, str], Tensor]

_LEAST_DOUBT: Final = 1e-6
"""The focal factor has no finite slope at 0, where a review is as good as certain."""


def review_loss(
    logits: Mapping[str, Tensor],
    levels: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    *,
    label_log_probs: LabelLogProbs,
    class_weights: Mapping[str, Tensor],
    log_priors: Mapping[str, Tensor],
    loss: Loss,
    counts: Mapping[str, int] | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the scalar loss: the sum over targets of the mean over their labelled reviews.

    Of a part of a batch it is the part's share, so that the losses of all parts add up.

    Args:
        logits: per target (b, levels), float.
        levels: per target (b,), int64, -1 where missing: then the label alone teaches.
        labels: per target (b,), int64, -1 where missing; known wherever the level is.
        label_log_probs: folds the logits (b, levels) of a target into label log-probabilities.
        class_weights: per target (3,), float; multiplies the loss of a review by its label's.
        log_priors: per target (3,), float; log-shares of the labels in training, which
            `loss.logit_adjustment` goes by.
        loss: the recipe's weights; a review's loss is level_weight * cross-entropy over levels +
            label_weight * `label_loss`.
        counts: per target, how many labelled reviews the mean is over; those here if not given.
        weights: (b,), float; multiplies the loss of each review; None for 1.
    """
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for target, label in labels.items():
        known = label >= 0
        if not known.any():
            continue
        own, label = logits[target][known].float(), label[known]
        per_review = loss.level_weight * functional.cross_entropy(
            own, levels[target][known], reduction="none", ignore_index=-1
        ) + loss.label_weight * label_loss(
            label_log_probs(own, target), label, log_priors[target], loss
        )
        if weights is not None:
            per_review = per_review * weights[known]
        weighted = (per_review * class_weights[target][label]).sum()
        total = total + loss.of_target(target) * weighted / (counts or {}).get(target, len(label))
    return total


def label_loss(log_probs: Tensor, labels: Tensor, log_prior: Tensor, loss: Loss) -> Tensor:
    """Return the loss (b,) of the labels (b,) under label log-probabilities (b, 3).

    Negative log-likelihood, and by the recipe:

    * `logit_adjustment` tau > 0 adds tau * `log_prior` (3,) to the log-probabilities first, so that
      a rare label has to win by more while training: equation 10 of A. K. Menon et al., "Long-tail
      learning via logit adjustment" (ICLR 2021);
    * `focal_gamma` gamma > 0 multiplies by (1 - p)^gamma, p being the label's probability, so that
      what is right already counts less: T.-Y. Lin et al., "Focal Loss for Dense Object Detection"
      (ICCV 2017).

    Args:
        log_probs: (b, 3).
        labels: label indices (b,).
        log_prior: of the labels while training (3,).
        loss: the recipe's section.
    """
    if loss.logit_adjustment:
        log_probs = (log_probs + loss.logit_adjustment * log_prior).log_softmax(dim=1)
    surprise = functional.nll_loss(log_probs, labels, reduction="none")
    if not loss.focal_gamma:
        return surprise
    doubt = (1 - (-surprise).exp()).clamp_min(_LEAST_DOUBT)
    return doubt**loss.focal_gamma * surprise
