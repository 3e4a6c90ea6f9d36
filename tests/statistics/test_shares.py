from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from drugmon.statistics.shares import change, same_share, share


def test_the_interval_of_a_difference_is_newcombes() -> None:
    found = change(56, 70, 48, 80)  # the example of his paper, method 10
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert change(1, 0, 1, 2) is None
    assert share(0, 0).value is None


def test_small_counts_are_tested_exactly_and_large_ones_by_chi_square() -> None:
    small = float(same_share(7, 10, 2, 12))
    table = stats.hypergeom(22, 9, 10)
    assert small == pytest.approx(2 * min(table.cdf(7), table.sf(6)))
    large = float(same_share(300, 1000, 250, 1000))
    assert large == pytest.approx(
        stats.chi2_contingency([[300, 700], [250, 750]], correction=False).pvalue
    )


def test_nothing_to_compare_is_no_evidence() -> None:
    assert same_share([0, 5, 0], [0, 5, 9], [3, 7, 0], [9, 7, 9]).tolist() == [1, 1, 1]


def test_exact_p_values_are_never_too_small() -> None:
    random = np.random.default_rng(0)
    k, k0 = random.binomial(50, 0.03, 4000), random.binomial(300, 0.03, 4000)
    assert np.mean(same_share(k, 50, k0, 300) < 0.05) <= 0.05
