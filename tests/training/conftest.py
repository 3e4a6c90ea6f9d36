"""A tiny model and separable reviews, so that training takes a blink."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from drugmon.grading import Grading
from drugmon.models.tokens.inputs import Encoded, TokenBatch, collate
from drugmon.models.tokens.prepared import Prepared
from drugmon.training.reviews.examples import Examples
from drugmon.training.reviews.grades import ladder_labels, ladder_of

TARGETS = {"benefits": "effectiveness", "overall": "rating"}


class TinyModel(nn.Module):
    """Mean of trainable token embeddings, dropout, one head per target, beside a frozen table."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Embedding(40, 8).requires_grad_(False)
        self.embedding = nn.Embedding(40, 8)
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict(
            {
                target: nn.Linear(8, len(ladder_of(grade, Grading())))
                for target, grade in TARGETS.items()
            }
        )

    def forward(self, batch: TokenBatch) -> dict[str, Tensor]:
        mask = batch.mask[..., None].float()
        states = (self.frozen(batch.ids) + self.embedding(batch.ids)) * mask
        pooled = self.dropout(states.sum(1) / mask.sum(1))
        return {target: head(pooled) for target, head in self.heads.items()}

    def label_log_probs(self, logits: Tensor, target: str) -> Tensor:
        labels = ladder_of(TARGETS[target], Grading()).values()
        order = [
            [label == name for label in labels] for name in ("negative", "neutral", "positive")
        ]
        fold = torch.tensor(order, dtype=torch.float32).T
        return (logits.softmax(1) @ fold).clamp_min(1e-12).log()


def make_examples(size: int, seed: int) -> Examples:
    """Reviews whose tokens give their rating away; every seventh has no overall, some neither."""
    rng = np.random.default_rng(seed)
    rating = rng.integers(0, 10, size)
    encoded = []
    for level in rating:
        tokens = rng.integers(10, 40, rng.integers(2, 9))
        ids = np.concatenate([np.full(4, level), tokens])
        encoded.append(Encoded(ids, np.ones(len(ids), np.int8)))
    levels = {"benefits": rating // 2, "overall": np.where(rating % 7 == 6, -1, rating)}
    levels["benefits"][::20] = -1
    labels = {
        target: ladder_labels(own, ladder_of(TARGETS[target], Grading()))
        for target, own in levels.items()
    }
    prepared = Prepared(encoded, dict.fromkeys(levels, np.arange(size)), [()] * size)
    weights = np.ones(size, np.float32)
    return Examples(prepared, lambda items: collate(items, 0), levels, labels, weights)


@pytest.fixture
def examples() -> Callable[[int, int], Examples]:
    return make_examples


@pytest.fixture(autouse=True)
def _alone(one_thread: None) -> None:
    """Tensors are small in all tests of this room."""


@pytest.fixture
def tiny_model() -> Callable[[], TinyModel]:
    def build() -> TinyModel:
        torch.manual_seed(7)
        return TinyModel()

    return build
