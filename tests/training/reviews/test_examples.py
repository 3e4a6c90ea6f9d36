from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drugmon.models.tokens.prepared import Prepared
from drugmon.training.reviews.examples import Examples, length_grouped, make_examples

Build = Callable[[int, int], Examples]


@given(st.integers(1, 500), st.integers(1, 16), st.integers(0, 9))
def test_batches_take_every_row_once(count: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(1000)[:count]
    batches = length_grouped(rng.integers(1, 99, 1000), rows, size, rng)
    assert len(batches) == -(-count // size)
    assert max(map(len, batches)) <= size
    assert sorted(np.concatenate(batches)) == sorted(rows)


def test_batches_are_of_similar_length_and_in_random_order() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 500, 3200)
    batches = length_grouped(lengths, np.arange(3200), 16, rng)
    spread = [np.ptp(lengths[batch]) for batch in batches]
    assert np.mean(spread) < 30
    means = [lengths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3


def test_padding_is_masked(examples: Build) -> None:
    few = examples(8, 0)
    batch: Any = few.batch(np.array([3, 1])).items
    assert batch.mask.sum(1).tolist() == [len(few.prepared.items[3]), len(few.prepared.items[1])]
    assert batch.ids[0, : len(few.prepared.items[3])].tolist() == few.prepared.items[3].ids.tolist()


def test_rows_may_be_taken_repeatedly_and_share_their_tokens(examples: Build) -> None:
    few = examples(8, 0)
    taken = few.take(np.array([5, 5, 0]))
    assert [
        item is few.prepared.items[row]
        for item, row in zip(taken.prepared.items, (5, 0), strict=True)
    ]
    assert taken.prepared.places["overall"].tolist() == [0, 0, 1]
    assert taken.labels["overall"].tolist() == few.labels["overall"][[5, 5, 0]].tolist()


def test_rows_that_teach_nothing_are_left_out(examples: Build) -> None:
    some = examples(100, 0)
    some.labels["benefits"][:] = -1
    assert some.teaching().tolist() == np.flatnonzero(some.labels["overall"] >= 0).tolist()
    assert len(some.teaching()) < 100


def test_a_teachers_word_teaches_where_there_is_something_to_read() -> None:
    prepared = Prepared(["a", "b", "c"], {"overall": np.array([0, 1, -1])}, [()] * 3)
    none = np.full(3, -1)
    words = np.array([[np.nan] * 3, [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]], np.float32)
    collate: Any = list
    nothing = {"overall": none}
    made = make_examples(prepared, collate, nothing, nothing, None, {"overall": words})
    assert made.teaching().tolist() == [1]
    assert list(made.prepared.items) == ["b"], "what teaches nothing is not kept"
    silent = make_examples(prepared, collate, nothing, nothing)
    assert silent.teaching().tolist() == []
    both = silent.joined(made)
    assert both.teaching().tolist() == [4]
    assert made.joined(silent).take(np.array([4, 1])).teaching().tolist() == [1]
    assert silent.joined(silent).words is None
