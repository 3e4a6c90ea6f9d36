from __future__ import annotations

import numpy as np
import pytest

from drugmon.monitoring.checks.estimate import estimate_quality, sampling_error
from drugmon.monitoring.profiles.profile import Profile, build_profile
from drugmon.statistics.quality import measure

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows(n: int, random: np.random.Generator, off: float = 1.0) -> Drawn:
    """True labels, verdicts with a decision rule of their own, probabilities `off` the truth."""
    given = random.dirichlet((0.4, 0.25, 1.0), size=n)
    true = given**off / (given**off).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, 2)
    return truth, (given * (1.2, 1.5, 1.0)).argmax(axis=1), given


def profile_of(labels: np.ndarray, given: np.ndarray) -> Profile:
    n = len(labels)
    chosen, probabilities = np.full((n, 4), -1), np.zeros((n, 4, 3))
    chosen[:, 3], probabilities[:, 3] = labels, given
    return build_profile(chosen, probabilities, {})


def test_calibrated_probabilities_tell_the_quality() -> None:
    random = np.random.default_rng(0)
    held = 0
    for seed in range(40):
        truth, labels, given = rows(800, random)
        estimate = estimate_quality(profile_of(labels, given).targets["overall"], seed=seed)
        measured = measure(truth, labels, given, resamples=2, seed=0)
        assert estimate is not None and measured.macro_f1.value is not None
        low, high = estimate.macro_f1.low or 0, estimate.macro_f1.high or 0
        held += low <= measured.macro_f1.value <= high
        assert estimate.macro_f1.value == pytest.approx(measured.macro_f1.value, abs=0.07)
    assert held >= 34  # 95 % of intervals hold it: fewer than 34 of 40 are one in 300


def test_the_references_labels_correct_what_probabilities_get_wrong() -> None:
    random = np.random.default_rng(1)
    truth, labels, given = rows(3000, random, off=0.6)
    reference = profile_of(labels, given).targets["overall"]
    known = measure(truth, labels, given, resamples=2, seed=0)
    truth, labels, given = rows(3000, random, off=0.6)
    current = profile_of(labels, given).targets["overall"]
    measured = measure(truth, labels, given, resamples=2, seed=0).macro_f1.value
    plain, corrected = (
        estimate_quality(current),
        estimate_quality(current, reference=reference, measured=known),
    )
    assert plain is not None and corrected is not None
    assert abs((plain.macro_f1.value or 0) - (measured or 0)) > 0.08
    assert corrected.macro_f1.value == pytest.approx(measured, abs=0.03)


def test_labels_of_some_rows_correct_nothing() -> None:
    """Only reviews of which the probabilities are sure have a label: they are not like the rest."""
    random = np.random.default_rng(2)
    truth, labels, given = rows(3000, random)
    sure = given.max(axis=1) > 0.8
    known = measure(truth[sure], labels[sure], given[sure], resamples=2, seed=0)
    reference = profile_of(labels, given).targets["overall"]
    truth, labels, given = rows(3000, random)
    current = profile_of(labels, given).targets["overall"]
    estimate = estimate_quality(current, reference=reference, measured=known)
    assert estimate == estimate_quality(current)
    assert estimate is not None
    measured = measure(truth, labels, given, resamples=2, seed=0).macro_f1.value
    assert estimate.macro_f1.value == pytest.approx(measured, abs=0.04)


def test_without_a_verdict_nothing_is_estimated() -> None:
    none = build_profile(np.full((3, 4), -1), np.zeros((3, 4, 3)), {}).targets["overall"]
    assert estimate_quality(none) is None
    assert sampling_error(none, None, None) == 0


def test_the_sampling_error_is_that_of_estimates_of_other_rows() -> None:
    random = np.random.default_rng(2)
    profiles = [profile_of(*rows(400, random)[1:]).targets["overall"] for _ in range(120)]
    found = [estimate_quality(each) for each in profiles]
    spread = np.std([each.macro_f1.value or 0 for each in found if each is not None])
    errors = [sampling_error(each, None, None) for each in profiles[:20]]
    assert np.mean(errors) == pytest.approx(spread, rel=0.3)
