from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from drugmon.training.loop.loss import label_loss, review_loss
from drugmon.training.recipe import Loss

LOGITS = torch.tensor([[2.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 3.0]])
PRIORS = (0.25, 0.1, 0.65)
FOLD = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])


def log_probs(logits: Tensor, _target: str) -> Tensor:
    return (logits.softmax(1) @ FOLD).log()


def value(levels: list[int], labels: list[int], loss: Loss, **more: Any) -> float:
    weights = more.get("weights", torch.ones(3))
    target = more.get("target", "overall")
    return review_loss(
        {target: LOGITS},
        {target: torch.tensor(levels)},
        {target: torch.tensor(labels)},
        label_log_probs=log_probs,
        class_weights={target: weights},
        log_priors={target: torch.tensor(PRIORS).log()},
        loss=loss,
        counts={target: more["counts"]} if "counts" in more else None,
    ).item()


def by_hand(row: int, level: int, of_label: slice) -> tuple[float, float]:
    p = LOGITS[row].softmax(0)
    return -math.log(p[level]), -math.log(p[of_label].sum())


def test_it_adds_both_losses_with_their_weights() -> None:
    first, second = by_hand(0, 1, slice(1, 2)), by_hand(1, 2, slice(2, 4))
    expected = 0.5 * (first[0] + second[0]) / 2 + 2 * (first[1] + second[1]) / 2
    got = value([1, 2], [1, 2], Loss(level_weight=0.5, label_weight=2))
    assert math.isclose(got, expected, rel_tol=1e-5)


def test_reviews_without_a_label_do_not_count() -> None:
    expected = sum(by_hand(1, 2, slice(2, 4)))
    got = value([-1, 2], [-1, 2], Loss(level_weight=1, label_weight=1))
    assert math.isclose(got, expected, rel_tol=1e-5)


def test_a_batch_without_labels_is_zero() -> None:
    assert value([-1, -1], [-1, -1], Loss()) == 0


def test_parts_of_a_batch_add_up_to_it() -> None:
    whole = value([1, 2], [1, 2], Loss())
    parts = [value([1, -1], [1, -1], Loss(), counts=2), value([-1, 2], [-1, 2], Loss(), counts=2)]
    assert math.isclose(sum(parts), whole, rel_tol=1e-5)


def test_class_and_target_weights_multiply() -> None:
    loss = Loss(level_weight=1, label_weight=0, comments=3)
    weights = torch.tensor([1.0, 5.0, 0.5])
    expected = 3 * (5 * by_hand(0, 1, slice(1, 2))[0] + 0.5 * by_hand(1, 3, slice(2, 4))[0]) / 2
    got = value([1, 3], [1, 2], loss, weights=weights, target="comments")
    assert math.isclose(got, expected, rel_tol=1e-5)


def test_focal_loss_lowers_what_is_right_already_most() -> None:
    p = [by_hand(0, 1, slice(1, 2))[1], by_hand(1, 2, slice(2, 4))[1]]
    expected = sum((1 - math.exp(-nll)) ** 2 * nll for nll in p) / 2
    got = value([1, 2], [1, 2], Loss(level_weight=0, focal_gamma=2))
    assert math.isclose(got, expected, rel_tol=1e-5)
    # The review that is right (p about .8) keeps a smaller share than the one that is wrong.
    assert (1 - math.exp(-p[1])) ** 2 < (1 - math.exp(-p[0])) ** 2


def test_focal_loss_has_a_slope_where_a_label_is_certain() -> None:
    log_p = torch.tensor([[0.0, -60.0, -60.0]], requires_grad=True)
    label_loss(log_p, torch.tensor([0]), torch.zeros(3), Loss(focal_gamma=0.5)).sum().backward()  # type: ignore[no-untyped-call]
    assert log_p.grad is not None
    assert torch.isfinite(log_p.grad).all()


def test_logit_adjustment_is_cross_entropy_of_logits_shifted_by_the_log_prior() -> None:
    prior, logits = torch.tensor(PRIORS).log(), torch.tensor([[0.3, -1.0, 2.0], [1.0, 1.0, 1.0]])
    labels = torch.tensor([1, 2])
    got = label_loss(logits.log_softmax(1), labels, prior, Loss(logit_adjustment=1.5))
    expected = torch.nn.functional.cross_entropy(logits + 1.5 * prior, labels, reduction="none")
    assert torch.allclose(got, expected)
    plain = label_loss(logits.log_softmax(1), labels, prior, Loss())
    assert got[0] > plain[0], "the rare label has to win by more"
    assert got[1] < plain[1]


def test_both_are_off_by_default() -> None:
    assert (Loss().focal_gamma, Loss().logit_adjustment) == (0, 0)
