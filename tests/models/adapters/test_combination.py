from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from drugmon.labels import TARGETS
from drugmon.models.adapters.combination import FEWEST, Combination, fit_combination

Evidence = dict[str, list[Any]]


def make(n: int, seed: int) -> tuple[Evidence, Any]:
    """Two targets that each tell something of the labels, and two that tell nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.3, 0.1, 0.6])
    evidence: Evidence = {}
    for target in TARGETS:
        told = 0.8 if target in ("benefits", "overall") else 0.0
        raw = [rng.normal(0, 1, (n, 3)) + told * np.eye(3)[labels] for _ in range(2)]
        evidence[target] = [
            (each - np.log(np.exp(each).sum(axis=1, keepdims=True))).astype(np.float32)
            for each in raw
        ]
    return evidence, labels


def surprise(combination: Combination, evidence: Evidence, labels: Any) -> float:
    likely = combination.probabilities(evidence)[np.arange(len(labels)), labels]
    return float(-np.log(likely).mean())


def fitted(n: int = 1500, seed: int = 0) -> Combination:
    found = fit_combination(*make(n, seed), seed=0)
    assert found is not None
    return found


def test_probabilities_by_hand() -> None:
    combination = Combination({"overall": (1.0, 2.0)}, (0.5, 0.0, 0.0), (0.0, 0.0, 0.0))
    encoder, lexical = np.log([[0.2, 0.3, 0.5]]), np.log([[0.1, 0.6, 0.3]])
    likely = np.array([0.2, 0.3, 0.5]) * np.array([0.1, 0.6, 0.3]) ** 2 * np.exp([0.5, 0, 0])
    found = combination.probabilities({"overall": [encoder, lexical]})
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(likely / likely.sum())


def test_what_tells_nothing_weighs_little_and_nothing_weighs_less_than_zero() -> None:
    weights = fitted().weights
    assert set(weights) == set(TARGETS)
    assert min(min(pair) for pair in weights.values()) >= 0
    assert min(*weights["benefits"], *weights["overall"]) > 0.25
    assert max(*weights["side_effects"], *weights["comments"]) < 0.2


def test_it_is_better_than_one_target_on_new_reviews() -> None:
    evidence, labels = make(3000, 1)
    whole = fitted()
    alone = Combination({"overall": whole.weights["overall"]}, whole.bias, whole.offsets)
    assert surprise(whole, evidence, labels) < surprise(alone, evidence, labels) - 0.05


def test_offsets_find_more_of_the_rare_label_and_leave_probabilities() -> None:
    evidence, labels = make(3000, 1)
    combination = fitted()
    shares = combination.probabilities(evidence)
    by_rule, likeliest = combination.decide(shares), shares.argmax(axis=1)
    scores = [f1_score(labels, own, average="macro") for own in (by_rule, likeliest)]
    assert scores[0] > scores[1]
    assert (by_rule == 1).sum() > (likeliest == 1).sum()


def test_an_adapter_may_have_no_lexical_model() -> None:
    evidence, labels = make(1000, 0)
    encoder_only = {target: own[:1] for target, own in evidence.items()}
    found = fit_combination(encoder_only, labels, seed=0)
    assert found is not None
    assert {pair[1] for pair in found.weights.values()} == {0.0}
    assert found.probabilities(encoder_only).shape == (1000, 3)


def test_too_few_reviews_give_none() -> None:
    assert fit_combination(*make(FEWEST - 1, 0), seed=0) is None


def test_json_and_back() -> None:
    combination = fitted()
    assert Combination.from_dict(json.loads(json.dumps(combination.to_dict()))) == combination
