from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from drugmon.statistics.correction import adjust, combine


def test_adjusted_values_are_benjamini_and_hochbergs() -> None:
    values = [0.04, 0.001, 0.5, 0.02, 0.9]
    assert adjust(values) == pytest.approx([0.2 / 3, 0.005, 0.625, 0.05, 0.9])
    assert len(adjust([])) == 0


def test_several_tests_make_one() -> None:
    assert combine([]) == 1.0
    assert combine([0.01, 0.01, 0.01]) == pytest.approx(0.01)
    assert combine([0.001, 1.0]) == pytest.approx(0.002, rel=0.05)


def test_a_combined_value_is_as_rare_as_it_says() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(size=(4000, 1))
    dependent = stats.norm.sf(0.7 * shared + np.sqrt(0.51) * random.normal(size=(4000, 4)))
    assert np.mean([combine(list(row)) < 0.01 for row in dependent]) < 0.013
