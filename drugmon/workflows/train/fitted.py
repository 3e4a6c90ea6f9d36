"""What a training gives: the models, and the record of it that stays when they are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_model

from drugmon.models.adapters.lora import is_lora, save_lora
from drugmon.models.bases.bases import Base
from drugmon.models.bases.checkpoint import save_checkpoint
from drugmon.models.classifiers.classifier import ClassifierModel
from drugmon.models.classifiers.lexical import LexicalModel
from drugmon.models.files import HEADS
from drugmon.training.loop.progress import Outcome
from drugmon.training.reviews.split import Rows


@dataclass(frozen=True)
class FitRecord:
    """What a training came to and what it took.

    Attributes:
        outcome: its epochs.
        learned: the rows of the reviews that it learned from.
        examples: how many an epoch had, after balancing and augmentation.
        seconds: of all processes that trained it.
        peak_memory: in bytes, see `PeakMemory`.
        label_counts: per target, `before` and `after` balancing and augmentation.
        parameters: how many were trained, and how many there are.
        taught: how many of the learned reviews a teacher spoke of.
    """

    outcome: Outcome
    learned: Rows
    examples: int
    seconds: float
    peak_memory: int
    label_counts: Mapping[str, Mapping[str, Sequence[int]]]
    parameters: tuple[int, int]
    taught: int = 0


@dataclass(frozen=True)
class Models:
    """What an adapter's folder holds the weights of."""

    model: ClassifierModel
    lexical: LexicalModel | None

    def save(self, folder: Path, base: Base) -> None:
        """Write the weights into `folder`: LoRA or the whole checkpoint, heads, lexical model."""
        if is_lora(self.model.backbone):
            save_lora(self.model.backbone, folder, base.source)
        else:
            save_checkpoint(self.model.backbone, folder, base.folder)
        if len(self.model.heads):
            save_model(self.model.heads, str(folder / HEADS))
        if self.lexical:
            self.lexical.save(folder)


@dataclass(frozen=True)
class Fitted(Models):
    """Trained models, with the record of their training."""

    record: FitRecord
