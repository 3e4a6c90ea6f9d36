"""Validation: what the model in training makes of held-out examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor

from drugmon.labels import LABELS
from drugmon.models.classifiers.classifier import Batch
from drugmon.models.device import CPU_TOKENS
from drugmon.models.tokens.inputs import token_batches
from drugmon.training.reviews.examples import Examples


class Trainable(Protocol):
    """What training asks of a torch module; see `ClassifierModel`."""

    def __call__(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return, per target, level logits (b, levels) of a batch's items, worst level first."""

    def label_log_probs(self, logits: Tensor, target: str) -> Tensor:
        """Fold level logits (b, levels) into label log-probabilities (b, 3)."""

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """As `torch.nn.Module`; only those that require gradients are trained and kept."""

    def train(self, mode: bool = True) -> Any:
        """As `torch.nn.Module`."""


def device_of(model: Trainable) -> torch.device:
    """Return the device that the model's parameters are on."""
    return next(parameter.device for _, parameter in model.named_parameters())


@torch.inference_mode()
def predict(model: Trainable, examples: Examples) -> dict[str, NDArray[np.float32]]:
    """Return the label log-probabilities (n, 3) of every target, in the order of `examples`.

    They are 0 where a target has no item.
    """
    model.train(False)
    device = device_of(model)
    prepared = examples.prepared
    by_item = {
        target: np.empty((len(prepared.items), len(LABELS)), np.float32)
        for target in examples.labels
    }
    for rows in token_batches(prepared.lengths, CPU_TOKENS):
        logits = model(examples.collate([prepared.items[row] for row in rows]).to(device))
        for target, out in by_item.items():
            out[rows] = model.label_log_probs(logits[target].float(), target).cpu().numpy()
    return prepared.by_review(by_item)


def accuracy(
    predicted: Mapping[str, NDArray[np.float32]], labels: Mapping[str, NDArray[np.int64]]
) -> dict[str, float]:
    """Return how often the most probable label (n, 3) is right (n,), by target with labels here."""
    return {
        target: float((predicted[target][true >= 0].argmax(axis=1) == true[true >= 0]).mean())
        for target, true in labels.items()
        if (true >= 0).any()
    }


def macro_f1(
    predicted: Mapping[str, NDArray[np.float32]], labels: Mapping[str, NDArray[np.int64]]
) -> dict[str, float]:
    """Return the macro-F1 of the most probable label (n, 3), per target that has labels here.

    A label that neither occurs nor is predicted counts as F1 0, so that figures stay comparable.
    """
    return {
        target: float(
            f1_score(
                true[true >= 0],
                predicted[target][true >= 0].argmax(axis=1),
                labels=range(len(LABELS)),
                average="macro",
                zero_division=0,
            )
        )
        for target, true in labels.items()
        if (true >= 0).any()
    }
