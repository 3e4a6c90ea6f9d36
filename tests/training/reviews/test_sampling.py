from __future__ import annotations

import numpy as np
import pytest

from drugmon.training.recipe import BalanceSection
from drugmon.training.reviews.sampling import (
    balanced_rows,
    class_log_priors,
    class_weights,
    label_counts,
)

STRATA = np.repeat([0, 1, 2, -1], [30, 10, 60, 5])


def sizes(rows: np.ndarray) -> list[int]:
    return [int(np.sum(STRATA[rows] == label)) for label in (0, 1, 2, -1)]


@pytest.mark.parametrize(
    ("strategy", "per_class", "expected"),
    [
        ("none", 0, [30, 10, 60, 5]),
        ("weights", 0, [30, 10, 60, 5]),
        ("oversample", 0, [60, 60, 60, 5]),
        ("oversample", 25, [30, 25, 60, 5]),
        ("downsample", 0, [10, 10, 10, 5]),
        ("downsample", 25, [25, 10, 25, 5]),
        ("resample", 0, [33, 33, 33, 5]),
        ("resample", 25, [25, 25, 25, 5]),
    ],
)
def test_rows_per_label(strategy: str, per_class: int, expected: list[int]) -> None:
    assert sizes(balanced_rows(STRATA, BalanceSection(strategy, per_class), seed=0)) == expected


def test_oversampling_takes_every_row_and_none_much_more_often_than_another() -> None:
    rows = balanced_rows(STRATA, BalanceSection("oversample", 25), seed=0)
    times = np.bincount(rows, minlength=len(STRATA))
    assert times.min() == 1
    assert set(times[STRATA == 1]) == {2, 3}


def test_downsampling_repeats_nothing_and_follows_the_seed() -> None:
    first, again, other = (
        balanced_rows(STRATA, BalanceSection("downsample"), seed) for seed in (1, 1, 2)
    )
    assert len(set(first)) == len(first)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_labels_that_never_occur_do_not_matter() -> None:
    strata = np.repeat([0, 2], [3, 9])
    assert len(balanced_rows(strata, BalanceSection("downsample"), seed=0)) == 6
    assert len(balanced_rows(np.full(4, -1), BalanceSection("oversample"), seed=0)) == 4


def test_weights_make_every_label_count_the_same() -> None:
    weights = class_weights({"overall": STRATA}, BalanceSection("weights"))["overall"]
    assert weights.dtype == np.float32
    assert np.allclose(weights * [30, 10, 60], 100 / 3)


def test_a_label_that_never_occurs_weighs_nothing() -> None:
    weights = class_weights({"overall": np.repeat([0, 2], [3, 9])}, BalanceSection("weights"))[
        "overall"
    ]
    assert np.allclose(weights, [2, 0, 2 / 3])


def test_other_strategies_weigh_all_labels_alike() -> None:
    assert np.all(class_weights({"overall": STRATA}, BalanceSection("oversample"))["overall"] == 1)


def test_log_priors_are_shares_of_the_reviews_with_a_label() -> None:
    prior = class_log_priors({"overall": STRATA})["overall"]
    assert prior.dtype == np.float32
    assert np.allclose(np.exp(prior), [0.3, 0.1, 0.6])
    rare = class_log_priors({"overall": np.repeat([0, 2], [3, 9])})["overall"]
    assert np.isfinite(rare).all()


def test_labels_are_counted() -> None:
    assert label_counts({"overall": STRATA, "benefits": np.array([-1, 2])}) == {
        "overall": [30, 10, 60],
        "benefits": [0, 0, 1],
    }
