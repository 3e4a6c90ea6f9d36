from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from drugmon.models.adapters.calibration import Calibration, Form, fit_calibration
from drugmon.models.adapters.combination import Combination
from drugmon.statistics.reliability import calibration_error, top_label

# The first draw of arrays imports much, which is no fault of what is tested.
calmly = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
few = st.floats(-3, 3)
triples = st.tuples(few, few, few)
log_probs = arrays(np.float32, (5, 3), elements=st.floats(-27.5, 0, width=32))


def synthetic(n: int, prior: list[float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Exactly right log-probabilities (n, 3) and labels drawn from them."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 1.2, (n, 3)) + np.log(prior)
    right = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
    labels = (np.exp(right).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2)
    return right, labels


def error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return calibration_error(top_label(labels, probabilities.astype(np.float64)))


def likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(np.log(probabilities[np.arange(len(labels)), labels]).mean())


@calmly
@given(log_probs, log_probs, st.floats(0.14, 7.3), st.floats(0, 3), triples)
def test_probabilities_sum_to_one(
    encoder: np.ndarray,
    lexical: np.ndarray,
    temperature: float,
    weight: float,
    bias: tuple[float, float, float],
) -> None:
    shares = Calibration(temperature, weight, bias).probabilities(encoder, lexical)
    assert shares.dtype == np.float32
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)


@calmly
@given(log_probs, triples)
def test_offsets_move_labels_never_probabilities(
    encoder: np.ndarray, offsets: tuple[float, float, float]
) -> None:
    plain, moved = Calibration(), Calibration(offsets=offsets)
    shares = plain.probabilities(encoder)
    np.testing.assert_array_equal(shares, moved.probabilities(encoder))
    np.testing.assert_array_equal(plain.decide(shares), shares.argmax(axis=1))


def test_offsets_decide() -> None:
    shares = np.array([[0.5, 0.3, 0.2]], np.float32)
    assert Calibration(offsets=(0.0, 1.0, 0.0)).decide(shares).tolist() == [1]
    assert Calibration().decide(np.array([[1, 0, 0]], np.float32)).tolist() == [0]


def test_the_likeliest_label_has_the_largest_probability() -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], np.float32)
    combination = Combination({"overall": (1.0, 0.0)}, (0.0, 0.0, 0.0), (0.0, 9.0, 0.0))
    balanced = Calibration(bias=(0.5, 0.0, 0.0), offsets=(0.0, 9.0, 0.0), combination=combination)
    likeliest = balanced.likeliest()
    assert likeliest.combination is not None
    assert balanced.decide(shares).tolist() == [1, 1]
    assert likeliest.decide(shares).tolist() == [0, 2]
    assert likeliest.combination.decide(shares).tolist() == [0, 2]
    np.testing.assert_array_equal(balanced.probabilities(shares), likeliest.probabilities(shares))


def test_balanced_offsets_give_up_little_macro_f1_for_many_right_labels() -> None:
    evidence, labels = synthetic(4000, [0.25, 0.1, 0.65], seed=3)
    fitted = fit_calibration(evidence, None, labels, seed=0)
    shares = fitted.probabilities(evidence)
    grid = [(a, b, 0.0) for a in np.linspace(0, 1.5, 16) for b in np.linspace(0, 2.5, 26)]
    best = max(f1_score(labels, (np.log(shares) + o).argmax(axis=1), average="macro") for o in grid)
    balanced = fitted.decide(shares)
    assert f1_score(labels, balanced, average="macro") > best - 0.02
    greedy = max(
        grid, key=lambda o: f1_score(labels, (np.log(shares) + o).argmax(axis=1), average="macro")
    )
    assert (balanced == labels).mean() > ((np.log(shares) + greedy).argmax(axis=1) == labels).mean()


@given(st.floats(0.2, 5), st.floats(0, 3), triples, triples)
@settings(max_examples=20)
def test_manifest_form_goes_there_and_back(
    temperature: float,
    weight: float,
    bias: tuple[float, float, float],
    offsets: tuple[float, float, float],
) -> None:
    calibration = Calibration(temperature, weight, bias, offsets)
    noted = {**calibration.to_dict(), "ece_before": 0.2}
    assert Calibration.from_dict(noted) == calibration


def test_over_confidence_is_mended_on_other_reviews() -> None:
    right, labels = synthetic(2000, [0.3, 0.3, 0.4], seed=1)
    loud = 3 * right - np.log(np.exp(3 * right).sum(axis=1, keepdims=True))
    fitted = fit_calibration(loud[:1000], None, labels[:1000], seed=0)
    assert 2.4 < fitted.temperature < 3.8
    assert fitted.lexical_weight == 0
    before, after = (c.probabilities(loud[1000:]) for c in (Calibration(), fitted))
    assert error(after, labels[1000:]) < error(before, labels[1000:]) / 3
    assert likelihood(after, labels[1000:]) > likelihood(before, labels[1000:]) + 0.1


def test_lexical_model_is_weighed_by_what_it_is_worth() -> None:
    right, labels = synthetic(800, [0.3, 0.3, 0.4], seed=2)
    noise, _ = synthetic(800, [0.3, 0.3, 0.4], seed=3)
    useful = fit_calibration(noise, right, labels, seed=0)
    useless = fit_calibration(right, noise, labels, seed=0)
    assert useful.lexical_weight > 0.7
    assert useless.lexical_weight < 0.15


def test_offsets_find_the_rare_label() -> None:
    right, labels = synthetic(2400, [0.2, 0.05, 0.75], seed=4)
    fitted = fit_calibration(right[:1200], None, labels[:1200], seed=0)
    shares = fitted.probabilities(right[1200:])
    decided, largest = fitted.decide(shares), shares.argmax(axis=1)
    gain = [f1_score(labels[1200:], each, average="macro") for each in (decided, largest)]
    assert gain[0] > gain[1] + 0.01
    assert error(shares, labels[1200:]) < 0.05


def test_same_seed_gives_the_same_calibration() -> None:
    right, labels = synthetic(120, [0.3, 0.2, 0.5], seed=5)
    first, again = (fit_calibration(right, right, labels, seed=7) for _ in range(2))
    assert first == again


def test_offsets_are_the_mean_of_every_resamples_best() -> None:
    from drugmon.models.adapters.decision import _OFFSETS, _RESAMPLES, ACCURACY_WEIGHT

    right, labels = synthetic(40, [0.3, 0.2, 0.5], seed=6)
    fitted = fit_calibration(right, None, labels, seed=3)
    scores = np.log(fitted.probabilities(right))
    grid = np.array([(a, b, 0) for a in _OFFSETS for b in _OFFSETS])
    decided = (scores + grid[:, None]).argmax(axis=2)  # (offsets, n)
    best = []
    for weight in np.random.default_rng(3).multinomial(40, np.full(40, 1 / 40), _RESAMPLES):
        found = np.zeros(len(grid))
        for label in range(3):
            hits = ((decided == label) & (labels == label)) @ weight
            total = (decided == label) @ weight + (labels == label) @ weight
            found += 2 * hits / np.maximum(total, 1) / 3 + ACCURACY_WEIGHT * hits / 40
        best.append(grid[found.argmax()])
    np.testing.assert_allclose(fitted.offsets, np.mean(best, axis=0), atol=0.02)


SPECIAL = Combination({"overall": (1.0, 0.5)}, (0.1, 0.2, 0.0), (0.0, 1.0, 0.0))


@pytest.mark.parametrize("name", ["combination", "lone"])
def test_what_judges_a_form_is_kept_and_noted_only_where_there_is_one(name: str) -> None:
    special: dict[str, Any] = {name: SPECIAL}
    calibration = Calibration(**special)
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    assert name not in Calibration().to_dict(), "older adapters keep their digest"
    assert getattr(calibration.likeliest(), name) == SPECIAL.likeliest()


@pytest.mark.parametrize(
    ("with_text", "form"),
    [
        ([True, True, True, True], Form.EVERY_ASPECT),
        ([False, True, False, True], Form.SOME),
        ([False, False, False, True], Form.LONE),
    ],
)
def test_each_form_has_what_judges_it(with_text: list[bool], form: Form) -> None:
    other = replace(SPECIAL, bias=(0.0, 0.0, 0.0))
    calibration = Calibration(temperature=2.0, combination=SPECIAL, lone=other)
    assert Form.of(np.array(with_text)) is form
    expected = {Form.EVERY_ASPECT: SPECIAL, Form.LONE: other}.get(
        form, Combination({"overall": (0.5, 0.0)}, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    )
    assert calibration.mixture("overall", form) == expected
