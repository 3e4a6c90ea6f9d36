from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from drugmon.data.reviews import Texts
from drugmon.training.recipe import Augment
from drugmon.training.reviews.augment import augmented, rows_to_vary
from drugmon.training.reviews.dataset import LabelledReviews

STRATA = np.repeat([0, 1, 2, -1], [6, 3, 9, 2])


def make_reviews() -> LabelledReviews:
    texts = [Texts(f"benefit {n}", None, f"comment {n}", None) for n in range(len(STRATA))]
    return LabelledReviews(
        texts,
        {"overall": np.where(STRATA < 0, -1, STRATA * 3)},
        {"overall": STRATA},
        np.zeros(len(STRATA), bool),
        {"drug": [f"drug {n}" for n in range(len(STRATA))]},
    )


class Numbered:
    """Varies a review by a number that goes up."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, reviews: Sequence[Texts]) -> list[Texts | None]:
        self.count += len(reviews)
        return [
            review._replace(comments=f"{review.comments} {n}") for n, review in enumerate(reviews)
        ]


@pytest.mark.parametrize(
    ("labels", "per_class", "expected"),
    [
        (("neutral",), 0, {1: 6}),
        (("neutral",), 5, {1: 2}),
        (("neutral",), 3, {}),
        (("negative", "neutral"), 8, {0: 2, 1: 5}),
        (("neutral", "positive"), 0, {1: 6}),
    ],
)
def test_chosen_labels_get_what_they_lack(
    labels: tuple[str, ...], per_class: int, expected: dict[int, int]
) -> None:
    rows = rows_to_vary(STRATA, Augment("mask", labels, per_class), seed=0)
    counts = dict(zip(*np.unique(STRATA[rows], return_counts=True), strict=True))
    assert counts == expected


def test_no_review_is_varied_much_more_often_than_another() -> None:
    rows = rows_to_vary(STRATA, Augment("mask", ("neutral",), 10), seed=0)
    assert sorted(np.unique(rows, return_counts=True)[1]) == [2, 2, 3]
    assert np.array_equal(rows, rows_to_vary(STRATA, Augment("mask", ("neutral",), 10), seed=0))
    assert not np.array_equal(rows, rows_to_vary(STRATA, Augment("mask", ("neutral",), 10), seed=1))


def test_a_label_without_reviews_has_nothing_to_vary() -> None:
    assert len(rows_to_vary(np.repeat([0, 2], [3, 9]), Augment("mask"), seed=0)) == 0


def test_copies_keep_grade_label_and_context_of_their_review() -> None:
    reviews = make_reviews()
    copies = augmented(reviews, Augment("mask"), 0, Numbered())
    assert len(copies) == 6
    assert set(copies.labels["overall"]) == {1}
    assert set(copies.levels["overall"]) == {3}
    for texts, drug in zip(copies.texts, copies.context["drug"], strict=True):
        number = str(drug).split()[1]
        assert texts.benefits == f"benefit {number}"
        assert str(texts.comments).startswith(f"comment {number} ")
    assert len(reviews) == len(STRATA), "what is varied stays as it was"


def test_copies_that_are_none_or_like_another_are_left_out() -> None:
    def vary(reviews: Sequence[Texts]) -> list[Texts | None]:
        same = reviews[0]._replace(comments="the same")
        return [None, reviews[1], *[same] * (len(reviews) - 2)]

    copies = augmented(make_reviews(), Augment("mask"), 0, vary)
    assert [texts.comments for texts in copies.texts] == ["the same"]
