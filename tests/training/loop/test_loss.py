from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from drugmon.training.loop.loss import label_loss, review_loss, teacher_loss
from drugmon.training.recipe import Loss
from drugmon.training.teacher import TeacherSection

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


NAN = math.nan
WORDS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def taught(
    logits: Tensor, labels: list[int], words: Tensor, teacher: TeacherSection, **more: Any
) -> Tensor:
    return review_loss(
        {"overall": logits},
        {"overall": torch.full((len(labels),), -1)},
        {"overall": torch.tensor(labels)},
        label_log_probs=log_probs,
        class_weights={"overall": more.get("weights", torch.ones(3))},
        log_priors={"overall": torch.tensor(PRIORS).log()},
        loss=Loss(level_weight=0, label_weight=1, logit_adjustment=more.get("adjustment", 0.0)),
        words={"overall": words},
        teacher=teacher,
    )


def test_gradient_of_the_teachers_loss_is_that_of_the_plain_formula() -> None:
    """Hinton's: d/dz of T^2 times the cross-entropy of softmax(v / T) and softmax(z / T)."""
    z = torch.tensor([[0.3, -1.0, 2.0], [1.0, 1.0, 1.5]], requires_grad=True)
    temperature = 3.0
    teacher_loss(z.log_softmax(1), WORDS, temperature).sum().backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    soft = (WORDS.log() / temperature).softmax(1)
    expected = temperature * ((z.detach() / temperature).softmax(1) - soft)
    assert torch.allclose(z.grad, expected, atol=1e-6)
    at_one = teacher_loss(WORDS.log(), WORDS, temperature)
    assert torch.allclose(at_one, torch.zeros(2), atol=1e-6), "nothing to learn from an equal"


def test_label_and_teacher_share_the_loss_over_sums_of_levels() -> None:
    logits = LOGITS.clone().requires_grad_()
    weight, temperature = 0.4, 2.0
    loss = taught(logits, [1, 2], WORDS, TeacherSection(("t",), weight, temperature))
    loss.backward()  # type: ignore[no-untyped-call]
    again = LOGITS.clone().requires_grad_()
    p = again.softmax(1) @ FOLD
    soft = WORDS ** (1 / temperature)
    soft = soft / soft.sum(1, keepdim=True)
    own = p ** (1 / temperature)
    own = own / own.sum(1, keepdim=True)
    of_label = -p[[0, 1], [1, 2]].log()
    of_teacher = temperature**2 * (soft * (soft / own).log()).sum(1)
    expected = ((1 - weight) * of_label + weight * of_teacher).mean()
    expected.backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(loss, expected)
    assert logits.grad is not None
    assert again.grad is not None
    assert torch.allclose(logits.grad, again.grad, atol=1e-6)


def test_where_one_side_is_silent_the_other_has_all_of_the_loss() -> None:
    words = WORDS.clone()
    words[0] = NAN
    logits = LOGITS.clone().requires_grad_()
    teacher = TeacherSection(("t",), 0.4, 2.0)
    both = taught(logits, [1, -1], words, teacher)
    both.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    folded = log_probs(LOGITS, "overall")
    expected = (-folded[0, 1] + teacher_loss(folded, WORDS, 2.0)[1]) / 2
    assert torch.allclose(both, expected)
    none = taught(LOGITS[:1], [-1], words[:1], teacher)
    assert none.item() == 0


def test_an_adjustment_for_rare_labels_counts_for_the_teacher_too() -> None:
    adjusted = (log_probs(LOGITS, "overall") + 1.5 * torch.tensor(PRIORS).log()).log_softmax(1)
    got = taught(LOGITS, [-1, -1], WORDS, TeacherSection(("t",), 1, 2.0), adjustment=1.5)
    assert torch.allclose(got, teacher_loss(adjusted, WORDS, 2.0).mean())


def test_class_weights_are_of_labels() -> None:
    teacher = TeacherSection(("t",), 0.5, 1.0)
    heavy = taught(LOGITS, [1, 2], WORDS, teacher, weights=torch.tensor([1.0, 4.0, 1.0]))
    plain = taught(LOGITS, [1, 2], WORDS, teacher)
    more = 0.5 * 3 * by_hand(0, 1, slice(1, 2))[1] / 2
    assert math.isclose(heavy.item() - plain.item(), more, rel_tol=1e-4)
