from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.statistics.bootstrap import draw_rows, first_rows
from drugmon.statistics.figures import Interval
from drugmon.statistics.quality import measure
from drugmon.statistics.significance import compare


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def judged(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and two models' verdicts: right in 70 % and in 74 %."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    wrong = (labels + rng.integers(1, 3, n)) % 3
    first, other = (np.where(rng.random(n) < right, labels, wrong) for right in (0.70, 0.74))
    return labels, first, other


def test_copies_make_no_interval_narrower() -> None:
    labels, predicted, _ = judged(400)
    shares = np.eye(3)[predicted] * 0.4 + 0.2
    once = measure(labels, predicted, shares, resamples=5000, seed=0)
    twice = [np.repeat(values, 2, axis=0) for values in (labels, predicted, shares)]
    together = measure(*twice, groups=np.repeat(np.arange(400), 2), resamples=5000, seed=0)
    apart = measure(*twice, resamples=5000, seed=0)
    for name in ("accuracy", "macro_f1", "kappa"):
        single, pairs, rows = (width(getattr(each, name)) for each in (once, together, apart))
        assert pairs == pytest.approx(single, rel=0.08), name
        assert rows == pytest.approx(single / np.sqrt(2), rel=0.08), "as if they were new reviews"
    assert together.ece.value == pytest.approx(once.ece.value or 0)
    assert width(together.ece) == pytest.approx(width(once.ece), rel=0.08)
    assert together.ece_floor == pytest.approx(once.ece_floor or 0), "what chance alone would show"
    assert apart.ece_floor == pytest.approx((once.ece_floor or 0) / np.sqrt(2))


def test_copies_make_no_difference_surer() -> None:
    labels, first, other = judged(400)
    once = compare(labels, first, other, resamples=5000, seed=0)
    twice = [np.repeat(values, 2) for values in (labels, first, other)]
    together = compare(*twice, groups=np.repeat(np.arange(400), 2), resamples=5000, seed=0)
    apart = compare(*twice, resamples=5000, seed=0)
    assert width(together.macro_f1) == pytest.approx(width(once.macro_f1), rel=0.08)
    assert width(apart.macro_f1) == pytest.approx(width(once.macro_f1) / np.sqrt(2), rel=0.08)
    assert together.mcnemar_p == once.mcnemar_p
    assert (apart.mcnemar_p or 0) < (once.mcnemar_p or 0)
    assert together.only_other_right == 2 * once.only_other_right


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=40))
def test_every_draw_is_of_whole_groups(rows: list[tuple[int, int]]) -> None:
    """By 1,000 to the power of its cell, the rows of a draw tell which groups it is of."""
    cells, groups = (np.array(values) for values in zip(*rows, strict=True))
    weight = 1000.0 ** np.arange(4)
    sums = {float(weight[cells[groups == group]].sum()) for group in set(groups.tolist())}
    drawn = draw_rows(cells, 4, groups, 5, np.random.default_rng(0))
    count = len(set(groups.tolist()))
    assert drawn.shape == (5, 4)
    if len(sums) == 1:
        assert set((drawn @ weight).tolist()) == {count * sums.pop()}
    else:
        assert ((drawn @ weight) >= count * min(sums)).all()
        assert ((drawn @ weight) <= count * max(sums)).all()


def test_groups_of_one_are_no_groups() -> None:
    cells = np.arange(20) % 3
    plain, alone = (
        draw_rows(cells, 3, groups, 4, np.random.default_rng(1)) for groups in (None, np.arange(20))
    )
    assert np.array_equal(plain, alone)
    assert plain.sum(axis=1).tolist() == [20] * 4
    assert first_rows(np.array([4, 1, 4, 0]), 4).tolist() == [0, 1, 3]
    assert first_rows(None, 3).tolist() == [0, 1, 2]
