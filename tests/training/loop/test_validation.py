from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from drugmon.training.loop.validation import Trainable, accuracy, macro_f1, predict
from drugmon.training.reviews.examples import Examples


def test_predictions_are_in_the_order_of_the_examples(
    examples: Callable[[int, int], Examples], tiny_model: Callable[[], Trainable]
) -> None:
    some, model = examples(50, 0), tiny_model()
    together = predict(model, some)
    alone = np.concatenate([predict(model, some.take(np.array([i])))["overall"] for i in range(50)])
    assert together["overall"].shape == (50, 3)
    assert together["overall"].dtype == np.float32
    assert np.allclose(together["overall"], alone, atol=1e-5)
    assert np.allclose(np.exp(together["benefits"]).sum(1), 1, atol=1e-5)


def test_predicting_uses_no_dropout_and_no_gradients(
    examples: Callable[[int, int], Examples], tiny_model: Callable[[], Trainable]
) -> None:
    some, model = examples(20, 0), tiny_model()
    model.train(True)
    first = predict(model, some)["overall"]
    assert np.array_equal(first, predict(model, some)["overall"])
    assert not torch.is_inference_mode_enabled()


def test_macro_f1_by_hand_leaves_out_missing_labels() -> None:
    labels = {"overall": np.array([0, 0, 1, 2, -1]), "benefits": np.full(5, -1)}
    guesses = np.eye(3, dtype=np.float32)[[0, 1, 1, 0, 2]]
    f1 = macro_f1({"overall": guesses, "benefits": guesses}, labels)
    assert f1 == {"overall": pytest.approx((1 / 2 + 2 / 3 + 0) / 3)}


def test_accuracy_by_hand_leaves_out_missing_labels() -> None:
    labels = {"overall": np.array([0, 0, 1, 2, -1]), "benefits": np.full(5, -1)}
    guesses = np.eye(3, dtype=np.float32)[[0, 1, 1, 0, 2]]
    assert accuracy({"overall": guesses, "benefits": guesses}, labels) == {"overall": 0.5}
