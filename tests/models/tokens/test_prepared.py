from __future__ import annotations

import numpy as np

from drugmon.models.tokens.prepared import Prepared

ITEMS = ["aaa", "b", "cc", "dddd"]
PLACES = {"benefits": np.array([0, -1, 2]), "overall": np.array([1, 3, 2])}
PREPARED = Prepared(ITEMS, PLACES, [[[1]], [[2]], [[3]]])


def test_review_is_as_long_as_its_longest_item() -> None:
    assert PREPARED.lengths == [3, 1, 2, 4]
    assert PREPARED.review_lengths().tolist() == [3, 4, 2]


def test_taken_reviews_have_their_own_items_once_in_order_of_use() -> None:
    taken = PREPARED.take(np.array([2, 0, 2]))
    assert list(taken.items) == ["cc", "aaa", "b"]
    assert {target: own.tolist() for target, own in taken.places.items()} == {
        "benefits": [0, 1, 0],
        "overall": [0, 2, 0],
    }
    assert list(taken.tokens) == [[[3]], [[1]], [[3]]]
    assert len(taken) == 3


def test_values_of_items_become_values_of_reviews() -> None:
    values = np.arange(1, 9).reshape(4, 2)
    found = PREPARED.by_review({"benefits": values, "overall": values})
    assert found["benefits"].tolist() == [[1, 2], [0, 0], [5, 6]]
    assert found["overall"].tolist() == [[3, 4], [7, 8], [5, 6]]


def test_no_items_at_all() -> None:
    empty = Prepared([], {"overall": np.array([-1, -1])}, [[[]], [[]]])
    assert empty.review_lengths().tolist() == [0, 0]
    assert empty.by_review({"overall": np.zeros((0, 3))})["overall"].tolist() == [[0, 0, 0]] * 2
    assert list(empty.take(np.array([1])).items) == []
