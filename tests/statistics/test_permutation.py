from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drugmon.statistics.permutation import mix_test, ordered_test

NAMES = 1 / np.arange(1, 60)
NAMES = NAMES / NAMES.sum()
BINS = np.array([1, 1, 1, 2, 3, 5, 8, 9, 12, 20]) / 62


@pytest.mark.parametrize("test", [mix_test, ordered_test])
@pytest.mark.parametrize(("n", "m"), [(40, 300), (500, 300)])
def test_small_p_values_are_as_rare_as_they_say(test: Any, n: int, m: int) -> None:
    random = np.random.default_rng(0)
    shares = NAMES if test is mix_test else BINS
    found = [
        test(random.multinomial(n, shares), random.multinomial(m, shares), random)
        for _ in range(120)
    ]
    assert np.mean(np.array(found) < 0.1) < 0.19  # 95 % of binomials with .1 are below
    assert np.mean(found) == pytest.approx(0.5, abs=0.12)


def test_a_change_is_found() -> None:
    random = np.random.default_rng(0)
    moved = 0.7 * NAMES + 0.3 * np.roll(NAMES, 30)
    assert mix_test(random.multinomial(200, moved), random.multinomial(400, NAMES), random) < 0.001
    lower = np.roll(BINS, -2)
    now = random.multinomial(200, lower)
    assert ordered_test(now, random.multinomial(400, BINS), random) < 0.001


def test_a_side_without_rows_says_nothing() -> None:
    random = np.random.default_rng(0)
    none, some = np.zeros(3, np.int64), np.array([1, 2, 3])
    assert mix_test(none, some, random) == ordered_test(some, none, random) == 1.0
    assert mix_test(np.array([5, 0]), np.array([9, 0]), random) == 1.0


def test_millions_of_rows_are_as_quick() -> None:
    random = np.random.default_rng(0)
    many = (BINS * 4e9).astype(np.int64)
    assert ordered_test(many // 3, many, random) > 0.2
