from __future__ import annotations

import json
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from drugmon.labels import LABELS
from drugmon.statistics.quality import Interval, Quality, measure

Arrays = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def make_data(n: int, seed: int, sharpness: float = 1.0) -> Arrays:
    """Labels drawn from known probabilities, which are then sharpened: calibrated only at 1."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, 3)) * 2 + [0.3, -0.8, 1.0]

    def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
        powers = np.exp(values)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)

    labels = (softmax(logits).cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    probabilities = softmax(logits * sharpness)
    return labels, probabilities.argmax(axis=1), probabilities


def test_scalars_agree_with_sklearn() -> None:
    labels, predicted, probabilities = make_data(700, seed=1)
    quality = measure(labels, predicted, probabilities, resamples=50, seed=0)
    macro = metrics.precision_recall_fscore_support(labels, predicted, average="macro")
    assert quality.n == 700
    assert quality.accuracy.value == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert quality.macro_precision.value == pytest.approx(macro[0])
    assert quality.macro_recall.value == pytest.approx(macro[1])
    assert quality.macro_f1.value == pytest.approx(macro[2])
    weighted = metrics.f1_score(labels, predicted, average="weighted")
    assert quality.weighted_f1.value == pytest.approx(weighted)
    assert quality.kappa.value == pytest.approx(metrics.cohen_kappa_score(labels, predicted))
    np.testing.assert_array_equal(quality.confusion, metrics.confusion_matrix(labels, predicted))


def test_classes_agree_with_sklearn() -> None:
    labels, predicted, probabilities = make_data(400, seed=2)
    quality = measure(labels, predicted, probabilities, resamples=50, seed=0)
    expected = metrics.precision_recall_fscore_support(labels, predicted)
    for index, found in enumerate(quality.classes):
        assert found.label == LABELS[index]
        assert found.precision.value == pytest.approx(expected[0][index])
        assert found.recall.value == pytest.approx(expected[1][index])
        assert found.f1.value == pytest.approx(expected[2][index])
        assert found.support == expected[3][index]
        assert found.predicted == (predicted == index).sum()


def test_interval_agrees_with_a_bootstrap_that_draws_rows() -> None:
    labels, predicted, probabilities = make_data(500, seed=3)
    quality = measure(labels, predicted, probabilities, resamples=4000, seed=0)
    random = np.random.default_rng(5)
    scores = []
    for _ in range(400):
        rows = random.integers(0, 500, 500)
        scores.append(metrics.f1_score(labels[rows], predicted[rows], average="macro"))
    low, high = np.quantile(scores, (0.025, 0.975))
    assert quality.macro_f1.low == pytest.approx(low, abs=0.012)
    assert quality.macro_f1.high == pytest.approx(high, abs=0.012)


def test_intervals_contain_their_values() -> None:
    quality = measure(*make_data(300, seed=4), seed=0)
    for interval in (quality.accuracy, quality.macro_f1, quality.kappa, quality.ece):
        assert interval.value is not None
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize(("sharpness", "least"), [(1.0, 0.9), (1.5, 0.8)])
def test_interval_of_calibration_error_covers_the_truth(sharpness: float, least: float) -> None:
    truth = measure(*make_data(200_000, 0, sharpness), resamples=1, seed=0).ece.value
    assert truth is not None
    covered = 0
    for seed in range(60):
        ece = measure(*make_data(800, seed + 1, sharpness), resamples=300, seed=seed).ece
        assert ece.low is not None
        assert ece.high is not None
        covered += ece.low <= truth <= ece.high
    assert covered / 60 >= least


def test_calibration_floor_is_what_exact_probabilities_show() -> None:
    qualities = [measure(*make_data(800, seed), resamples=1, seed=0) for seed in range(40)]
    shown = np.mean([quality.ece.value for quality in qualities if quality.ece.value is not None])
    floor = np.mean([quality.ece_floor for quality in qualities if quality.ece_floor is not None])
    assert shown == pytest.approx(floor, rel=0.1)


def test_calibration_error_by_hand() -> None:
    probabilities = [[0.1, 0.1, 0.8]] * 4 + [[0.6, 0.3, 0.1]] * 2
    quality = measure([2, 2, 0, 1, 0, 0], [2, 2, 2, 2, 0, 0], probabilities, seed=0)
    assert quality.ece.value == pytest.approx((4 * (0.8 - 0.5) + 2 * (1 - 0.6)) / 6)
    assert [(each.count, each.accuracy.value) for each in quality.reliability] == [(2, 1), (4, 0.5)]


def test_decision_rule_does_not_touch_the_calibration_error() -> None:
    labels, predicted, probabilities = make_data(300, seed=6)
    plain = measure(labels, predicted, probabilities, resamples=10, seed=0)
    shifted = measure(labels, np.ones_like(predicted), probabilities, resamples=10, seed=0)
    assert plain.ece.value == pytest.approx(shifted.ece.value)
    assert plain.accuracy.value != shifted.accuracy.value


def test_reliability_bins_hold_equal_mass_and_every_row() -> None:
    quality = measure(*make_data(1500, seed=7), resamples=5, seed=0)
    counts = [each.count for each in quality.reliability]
    assert counts == [100] * 15
    for each in quality.reliability:
        assert each.low <= each.confidence <= each.high
        assert each.accuracy.low is not None
        assert each.accuracy.high is not None
        assert 0 <= each.accuracy.low < each.accuracy.high <= 1


def test_same_seed_gives_the_same_and_row_order_does_not_matter() -> None:
    labels, predicted, probabilities = make_data(200, seed=8)
    order = np.random.default_rng(0).permutation(200)
    first = measure(labels, predicted, probabilities, seed=3)
    assert first == measure(labels, predicted, probabilities, seed=3)
    again = measure(labels[order], predicted[order], probabilities[order], seed=3)
    assert again.macro_f1 == first.macro_f1
    assert again.confusion == first.confusion


def test_no_rows_give_no_figures() -> None:
    quality = measure([], [], np.empty((0, 3)), seed=0)
    assert quality.n == 0
    for name in ("accuracy", "macro_f1", "weighted_f1", "kappa", "ece"):
        assert getattr(quality, name) == Interval(None, None, None)
    assert quality.ece_floor is None
    assert quality.confusion == ((0, 0, 0),) * 3
    assert quality.reliability == ()
    assert Quality.from_dict(json.loads(json.dumps(quality.to_dict()))) == quality


def test_class_without_true_rows_is_left_out_of_macro_figures() -> None:
    probabilities = np.full((4, 3), 1 / 3)
    quality = measure([0, 0, 2, 2], [0, 0, 2, 1], probabilities, seed=0)
    neutral = quality.classes[1]
    assert neutral.recall == Interval(None, None, None)
    assert neutral.precision.value == 0
    assert neutral.support == 0
    assert neutral.predicted == 1
    assert quality.macro_recall.value == pytest.approx((1 + 0.5) / 2)
    assert quality.macro_f1.value == pytest.approx((1 + 2 / 3) / 2)


def test_class_never_predicted_counts_as_zero_as_sklearn_has_it() -> None:
    labels, predicted = [0, 0, 1, 2], [0, 0, 2, 2]
    quality = measure(labels, predicted, np.full((4, 3), 1 / 3), seed=0)
    assert quality.classes[1].precision.value is None
    assert quality.classes[1].f1.value == 0
    expected = metrics.precision_score(labels, predicted, average="macro", zero_division=0)
    assert quality.macro_precision.value == pytest.approx(expected)


def test_kappa_is_undefined_where_all_is_one_class() -> None:
    quality = measure([2, 2, 2], [2, 2, 2], [[0, 0, 1.0]] * 3, seed=0)
    assert quality.kappa == Interval(None, None, None)
    assert quality.accuracy == Interval(1, 1, 1)
    assert quality.ece == Interval(0, 0, 0)


def test_survives_json() -> None:
    quality = measure(*make_data(100, seed=9), resamples=20, seed=0)
    text = json.dumps(quality.to_dict(), allow_nan=False)
    assert Quality.from_dict(json.loads(text)) == quality


@pytest.mark.parametrize(
    ("labels", "predicted", "probabilities", "message"),
    [
        ([0, 3], [0, 1], [[0, 0, 1]] * 2, "labels must be 0..2; leave out rows without a label"),
        ([0, -1], [0, 1], [[0, 0, 1]] * 2, "labels must be 0..2; leave out rows without a label"),
        ([0.5], [0], [[0, 0, 1]], "labels must be a vector of integers"),
        ([0], [0, 1], [[0, 0, 1]], "2 predicted labels for 1 true ones"),
        ([0], [0], [[0, 1]], r"probabilities must be \(1, 3\), not \(1, 2\)"),
        ([0], [0], [[0, 0, float("nan")]], "probabilities must be finite and within 0..1"),
        ([0], [0], [[0, 0, 1.5]], "probabilities must be finite and within 0..1"),
    ],
)
def test_refuses(
    labels: list[float], predicted: list[int], probabilities: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measure(labels, predicted, probabilities, seed=0)


def test_refuses_no_resamples() -> None:
    with pytest.raises(ValueError, match="resamples must be at least 1, not 0"):
        measure([0], [0], [[1, 0, 0]], resamples=0, seed=0)


def test_is_fast() -> None:
    data = make_data(3000, seed=10)
    start = time.perf_counter()
    for seed in range(4):
        measure(*data, resamples=1000, seed=seed)
    assert time.perf_counter() - start < 3
