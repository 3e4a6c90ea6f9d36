from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.reviews import Texts
from drugmon.errors import TrainingDataError
from drugmon.training import recipe
from drugmon.training.reviews.split import fold_rows, split_rows

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


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(lambda i: Texts(f"  I'm {i}\n", "", None, None), id="cleaned"),
        pytest.param(lambda i: Texts(f"I'M: {i}!!", None, None, None), id="case and signs"),
        pytest.param(lambda i: Texts(None, None, None, f"I'm {i}"), id="as a lone text"),
        pytest.param(lambda i: Texts("I'm", None, f"{i}", None), id="cut into two"),
    ],
)
def test_copies_are_told_by_letters_and_digits(copy: Callable[[int], Texts]) -> None:
    texts = [Texts(f"I&#039;m {i}", None, None, None) for i in range(30)]
    texts += [copy(i) for i in range(30)]
    strata = np.zeros(60, np.int64)
    split = split_rows(texts, strata, SHARES, seed=0)
    blocks = np.repeat([0, 1], 30)
    for rows in (*split, *fold_rows(texts, strata, 4, 0), *fold_rows(texts, strata, 4, 0, blocks)):
        assert {row % 30 for row in rows if row < 30} == {row % 30 for row in rows if row >= 30}


def test_signs_alone_are_copies_of_the_same_signs_only() -> None:
    texts = [Texts("!" * (1 + i % 30), None, None, None) for i in range(60)]
    folds = fold_rows(texts, np.zeros(60, np.int64), 30, 0)
    assert {len(rows) for rows in folds} == {2}


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


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(-1, 2)), min_size=60, max_size=120),
    st.integers(3, 6),
    st.integers(0, 5),
)
def test_a_fold_lies_in_one_block(numbered: list[tuple[int, int]], folds: int, seed: int) -> None:
    block_of = dict(numbered)  # copies are in the same block
    texts = [review(number) for number, _ in numbered]
    blocks = np.array([block_of[number] for number, _ in numbered])
    strata = np.arange(len(texts)) % 3
    try:
        dealt = fold_rows(texts, strata, folds, seed, blocks)
    except TrainingDataError:
        return  # a block of few reviews that has several of the folds
    assert np.array_equal(np.sort(np.concatenate(dealt)), np.arange(len(texts)))
    for rows in dealt:
        assert len(set(blocks[rows]) - {-1}) <= 1
        elsewhere = {texts[row] for row in set(range(len(texts))) - set(rows.tolist())}
        assert not elsewhere & {texts[row] for row in rows.tolist()}, "copies are dealt together"


def test_larger_blocks_have_more_folds_and_rows_of_none_are_dealt_to_all() -> None:
    blocks = np.repeat([0, 1, -1], [300, 100, 40])
    texts = [review(number) for number in range(len(blocks))]
    dealt = fold_rows(texts, np.zeros(len(blocks), np.int64), 4, 0, blocks)
    sizes = [[int(np.sum(blocks[rows] == block)) for block in (0, 1, -1)] for rows in dealt]
    assert sizes == [[100, 0, 10], [100, 0, 10], [100, 0, 10], [0, 100, 10]]


def test_folds_are_the_same_where_blocks_say_nothing() -> None:
    texts, strata = [review(number) for number in range(90)], np.arange(90) % 3
    plain = fold_rows(texts, strata, 3, 1)
    for blocks in (np.full(90, -1), np.zeros(90, np.int64), np.arange(90)):
        found = fold_rows(texts, strata, 3, 1, blocks)
        assert all(map(np.array_equal, plain, found)), "more blocks than folds, or one"
