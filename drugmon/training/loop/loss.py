"""The loss of a batch: over the levels of each target, over their labels, and over a teacher's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from drugmon.training.recipe import Loss
from drugmon.training.teacher import TeacherSection

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
    words: Mapping[str, Tensor] | None = None,
    teacher: TeacherSection | None = None,
) -> Tensor:
    """Return the scalar loss: the sum over targets of the mean over the reviews that teach them.

    Of a part of a batch it is the part's share, so that the losses of all parts add up.

    Args:
        logits: per target (b, levels), float.
        levels: per target (b,), int64, -1 where missing: then the label alone teaches.
        labels: per target (b,), int64, -1 where missing; known wherever the level is.
        label_log_probs: folds the logits (b, levels) of a target into label log-probabilities.
        class_weights: per target (3,), float; multiplies what levels and label of a review add.
        log_priors: per target (3,), float; log-shares of the labels in training, which
            `loss.logit_adjustment` goes by.
        loss: the recipe's weights; a review's loss is level_weight * cross-entropy over levels +
            label_weight * `label_loss`, mixed with `teacher_loss` where there is a teacher's word.
        counts: per target, how many reviews the mean is over; those here if not given.
        weights: (b,), float; multiplies the loss of each review; None for 1.
        words: per target (b, 3), a teacher's probabilities, NaN where it says nothing; None: there
            is no teacher.
        teacher: the recipe's section; needed where there are words.
    """
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for target, label in labels.items():
        said = None if words is None else words[target]
        taught = label >= 0 if said is None else (label >= 0) | ~said.isnan().any(dim=1)
        if not taught.any():
            continue
        target_logits, label = logits[target][taught].float(), label[taught]
        log_probs = label_log_probs(target_logits, target)
        per_review = loss.level_weight * functional.cross_entropy(
            target_logits, levels[target][taught], reduction="none", ignore_index=-1
        ) + loss.label_weight * label_loss(log_probs, label, log_priors[target], loss)
        per_review = per_review * class_weights[target][label]
        if said is not None and teacher is not None:
            adjusted = _adjusted(log_probs, log_priors[target], loss)
            per_review = _with_teacher(per_review, label, adjusted, said[taught], teacher)
        if weights is not None:
            per_review = per_review * weights[taught]
        count = (counts or {}).get(target, len(label))
        total = total + loss.of_target(target) * per_review.sum() / count
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
        labels: label indices (b,); the loss is 0 where one is -1.
        log_prior: of the labels while training (3,).
        loss: the recipe's section.
    """
    log_probs = _adjusted(log_probs, log_prior, loss)
    surprise = functional.nll_loss(log_probs, labels, reduction="none", ignore_index=-1)
    if not loss.focal_gamma:
        return surprise
    doubt = (1 - (-surprise).exp()).clamp_min(_LEAST_DOUBT)
    return doubt**loss.focal_gamma * surprise


def teacher_loss(log_probs: Tensor, words: Tensor, temperature: float) -> Tensor:
    """Return how far label log-probabilities (b, 3) are from a teacher's probabilities (b, 3).

    The Kullback-Leibler divergence (b,) of both, each softened to softmax(log p / T), multiplied by
    T^2 so that the gradient keeps its size whatever T is: G. Hinton, O. Vinyals and J. Dean,
    "Distilling the Knowledge in a Neural Network" (2015), whose cross-entropy differs from it by
    the entropy of the teacher, which no weight changes.
    """
    softened = (log_probs / temperature).log_softmax(dim=1)
    wanted = (words.log() / temperature).softmax(dim=1)
    distance = functional.kl_div(softened, wanted, reduction="none").sum(dim=1)
    return temperature**2 * distance


def _with_teacher(
    of_label: Tensor, labels: Tensor, log_probs: Tensor, words: Tensor, teacher: TeacherSection
) -> Tensor:
    """The loss (b,) of reviews that have a label, a teacher's word, or both."""
    silent = words.isnan().any(dim=1)
    # A word that is not there must be a number all the same: NaN times 0 is NaN, in gradients too.
    words = words.masked_fill(silent[:, None], 1 / 3)
    share = torch.where(labels >= 0, teacher.weight, 1.0).masked_fill(silent, 0.0)
    return (1 - share) * of_label + share * teacher_loss(log_probs, words, teacher.temperature)


def _adjusted(log_probs: Tensor, log_prior: Tensor, loss: Loss) -> Tensor:
    """What is held against labels, and against a teacher's probabilities: both are of reviews as
    they come, so that the adjustment belongs to both."""
    if not loss.logit_adjustment:
        return log_probs
    return (log_probs + loss.logit_adjustment * log_prior).log_softmax(dim=1)
