"""What scoring, training and adapters know of a model, whatever its base is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from drugmon.data.reviews import Texts
from drugmon.labels import LABELS
from drugmon.models.bases.bases import Base
from drugmon.models.device import Compute
from drugmon.models.kernels.ranges import ActivationRange
from drugmon.models.tokens.prepared import Aspects, Prepared

Levels = Mapping[str, Sequence[str]]
"""For each trained target, the label of each of its levels, worst level first."""


class Batch(Protocol):
    """Padded items."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""


class Tokenizer(Protocol):
    """Turns reviews into items; it knows no torch, and pickles."""

    def prepare(self, reviews: Sequence[Texts]) -> Prepared:
        """The items that the model reads of `reviews`."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """From where to where in a cleaned text each of its tokens stands."""

    def sources(self, aspects: Aspects, target: str) -> npt.NDArray[np.int64]:
        """Which token of the review stands at each position (L,) of the item that judges `target`.

        Tokens are numbered through the three aspects; -1 is none of the review.
        """


class ClassifierModel(nn.Module):
    """A torch module from batches of items to level logits.

    Args:
        backbone: the pretrained module; LoRA goes into it.
        heads: what is trained on top of it, by target; empty where the base answers in words.
        levels: what is predicted of each target.
    """

    def __init__(self, backbone: nn.Module, heads: nn.ModuleDict, levels: Levels) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads
        self.levels = {target: tuple(labels) for target, labels in levels.items()}
        for target, labels in self.levels.items():
            self.register_buffer(f"fold_{target}", _fold_matrix(labels), persistent=False)

    @property
    def pads(self) -> bool:
        """Whether padding takes as long as tokens do."""
        return bool(getattr(self.backbone, "pads", True))

    def forward(self, batch: Any) -> dict[str, torch.Tensor]:
        """Level logits float (b, levels) of every item for every trained target."""
        raise NotImplementedError

    def label_log_probs(self, logits: torch.Tensor, target: str) -> torch.Tensor:
        """Fold level logits (b, levels) into log-probabilities of the three labels, float32 (b, 3).

        A label that no level maps to gets the logarithm of zero, kept finite.
        """
        levels = logits.float().softmax(dim=1)
        return (levels @ self.get_buffer(f"fold_{target}")).clamp_min(1e-12).log()


class Classifier(Protocol):
    """A base made ready for drug reviews: how it reads them, and how its model is built."""

    @property
    def base(self) -> Base:
        """The verified base."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What `prepare` goes through."""

    @property
    def pad_id(self) -> int:
        """The token that stands for nothing."""

    @property
    def prompt(self) -> str | None:
        """The template that its items are made with, None where the texts are read as they are."""

    @property
    def graded(self) -> bool:
        """Whether its model predicts the levels of the graded columns, or the labels at once."""

    def prepare(self, reviews: Sequence[Texts]) -> Prepared:
        """The items that the model reads of `reviews`."""

    def collate(self, items: Sequence[Any]) -> Batch:
        """Pad items of `prepare` to the longest."""

    def load_backbone(
        self, dtype: torch.dtype = torch.float32, train_on: torch.device | None = None
    ) -> nn.Module:
        """The pretrained weights in `dtype`, made for training where `train_on` names a device."""

    def load_for_scoring(
        self,
        compute: Compute,
        merge: Callable[[nn.Module], None],
        ranges: Mapping[str, ActivationRange] | None = None,
    ) -> nn.Module:
        """The pretrained weights in the form that scores fastest on `compute`.

        `merge` is handed them first, in float32, to add an adapter's LoRA to them in place.
        `ranges` of an adapter are those of its layers' inputs, for products in int8.
        """

    def model(
        self, backbone: nn.Module, levels: Levels, head_dropout: float = 0.0
    ) -> ClassifierModel:
        """The model on a backbone, which may hold LoRA."""


def _fold_matrix(labels: Sequence[str]) -> torch.Tensor:
    fold = np.zeros((len(labels), len(LABELS)), dtype=np.float32)
    fold[np.arange(len(labels)), [LABELS.index(label) for label in labels]] = 1
    return torch.from_numpy(fold)
