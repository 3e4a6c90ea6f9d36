from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import accuracy_score, f1_score

from drugmon.statistics.significance import Difference, compare, holm, mcnemar


def verdicts(n: int, seed: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """True labels, and verdicts that are right with a probability of `right`."""
    labels = np.random.default_rng(0).integers(0, 3, n)
    rng = np.random.default_rng(seed)
    return labels, np.where(rng.random(n) < right, labels, rng.integers(0, 3, n))


def test_differences_are_scikit_learns() -> None:
    labels, first = verdicts(400, 1, 0.5)
    _, other = verdicts(400, 2, 0.7)
    found = compare(labels, first, other, seed=0)
    accuracy = accuracy_score(labels, other) - accuracy_score(labels, first)
    macro = [f1_score(labels, each, average="macro") for each in (first, other)]
    assert found.accuracy.value == pytest.approx(accuracy)
    assert found.macro_f1.value == pytest.approx(macro[1] - macro[0])
    assert found.only_first_right == np.sum((first == labels) & (other != labels))
    assert found.only_other_right == np.sum((other == labels) & (first != labels))
    assert found.n == 400


def test_what_is_clearly_better_is_found_to_be() -> None:
    labels, first = verdicts(400, 1, 0.5)
    _, other = verdicts(400, 2, 0.8)
    found = compare(labels, first, other, seed=0)
    assert found.macro_f1.low is not None
    assert found.macro_f1.low > 0
    assert found.macro_f1_p is not None
    assert found.macro_f1_p < 0.01
    assert found.mcnemar_p is not None
    assert found.mcnemar_p < 0.01
    back = compare(labels, other, first, seed=0)
    assert back.macro_f1.value == pytest.approx(-(found.macro_f1.value or 0))
    assert back.mcnemar_p == pytest.approx(found.mcnemar_p)


def test_a_model_does_not_differ_from_itself() -> None:
    labels, first = verdicts(100, 1, 0.5)
    found = compare(labels, first, first, seed=0)
    assert (found.macro_f1.value, found.macro_f1.low, found.macro_f1.high) == (0, 0, 0)
    assert (found.macro_f1_p, found.mcnemar_p) == (1, 1)


def test_equally_good_models_are_seldom_called_different() -> None:
    """About one in twenty is, at 5 %: more would be an invalid test."""
    found: list[Difference] = []
    for seed in range(60):
        labels = np.random.default_rng(seed).integers(0, 3, 150)
        rng = np.random.default_rng(1000 + seed)
        first, other = (
            np.where(rng.random(150) < 0.6, labels, rng.integers(0, 3, 150)) for _ in range(2)
        )
        found.append(compare(labels, first, other, resamples=300, seed=0))
    assert sum((each.macro_f1_p or 0) < 0.05 for each in found) <= 8
    assert sum((each.mcnemar_p or 0) < 0.05 for each in found) <= 8


def test_the_same_seed_gives_the_same_interval() -> None:
    labels, first = verdicts(100, 1, 0.5)
    _, other = verdicts(100, 2, 0.5)
    assert compare(labels, first, other, seed=3) == compare(labels, first, other, seed=3)


def test_no_shared_row_gives_nothing() -> None:
    nothing = np.empty(0, np.int64)
    found = compare(nothing, nothing, nothing, seed=0)
    assert (found.n, found.macro_f1.value, found.mcnemar_p) == (0, None, None)


def test_mcnemar_is_a_sign_test_on_disagreements() -> None:
    assert mcnemar(2, 10) == pytest.approx(2 * binom.cdf(2, 12, 0.5))
    assert mcnemar(0, 0) == 1


def test_holm_adjusts_from_the_smallest_on() -> None:
    assert holm([0.04, 0.01, None, 0.03]) == pytest.approx([0.06, 0.03, None, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
