from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from drugmon.training.loss import review_loss
from drugmon.training.recipe import Loss

LOGITS = torch.tensor([[2.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 3.0]])
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
