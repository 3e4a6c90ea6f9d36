from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.reviews import Texts
from drugmon.errors import TrainingDataError
from drugmon.training import recipe
from drugmon.training.reviews.split import split_rows

SHARES = recipe.SplitSection(dev=0.2, test=0.1)


def review(number: int) -> Texts:
    return Texts(f"text {number}", None, "same", None)


def test_every_row_is_on_one_side_and_every_stratum_keeps_its_shares() -> None:
    strata = np.repeat([0, 1, 2, -1], [300, 100, 500, 50])
    split = split_rows([review(i) for i in range(950)], strata, SHARES, seed=3)
    assert np.array_equal(np.sort(np.concatenate(split)), np.arange(950))
    assert [np.sum(strata[split.test] == label) for label in (0, 1, 2, -1)] == [30, 10, 50, 5]
    assert [np.sum(strata[split.dev] == label) for label in (0, 1, 2, -1)] == [60, 20, 100, 10]


@given(st.lists(st.integers(0, 30), min_size=60, max_size=120), st.integers(0, 5))
def test_copies_are_on_one_side(numbers: list[int], seed: int) -> None:
    texts = [review(number) for number in numbers]
    strata = np.arange(len(texts)) % 3
    try:
        split = split_rows(texts, strata, SHARES, seed)
    except TrainingDataError:
        return  # copies of few reviews may leave a side empty
    sides = [{numbers[row] for row in rows} for rows in split]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]


def test_copies_are_told_by_their_cleaned_texts() -> None:
    texts = [Texts(f"I&#039;m {i}", None, None, None) for i in range(30)]
    texts += [Texts(f"  I'm {i}\n", "", None, None) for i in range(30)]
    split = split_rows(texts, np.zeros(60, np.int64), SHARES, seed=0)
    for rows in split:
        assert {row % 30 for row in rows if row < 30} == {row % 30 for row in rows if row >= 30}


def test_the_seed_decides() -> None:
    texts, strata = [review(i) for i in range(100)], np.arange(100) % 3
    first, again, other = (split_rows(texts, strata, SHARES, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.dev, again.dev)
    assert not np.array_equal(first.dev, other.dev)


def test_no_test_share_gives_no_test_rows() -> None:
    shares = recipe.SplitSection(dev=0.2, test=0)
    split = split_rows([review(i) for i in range(20)], np.zeros(20, np.int64), shares, seed=0)
    assert len(split.test) == 0
    assert len(split.dev) == 4


def test_too_few_reviews_are_refused() -> None:
    with pytest.raises(TrainingDataError, match=r"2 reviews are too few to hold out dev 0\.2"):
        split_rows([review(0), review(1)], np.zeros(2, np.int64), SHARES, seed=0)
