"""The encoder model: one pass over a review, logits for every target.

Each aspect is read from the mean of its own segment's token states beside the mean of the whole
review; overall from all of these means. A head gives one logit per *level* of the graded column
that teaches its target (ten ratings, five grades), and the label's probability is the sum of its
levels': the order and the distances that ratings carry reach the weights, and the three labels stay
what is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import nn

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError
from drugmon.labels import ASPECTS
from drugmon.models.bases.architectures import encoder_shape
from drugmon.models.bases.bases import Base
from drugmon.models.bases.loading import load_encoder
from drugmon.models.classifiers.classifier import ClassifierModel, Levels
from drugmon.models.device import Compute
from drugmon.models.kernels.attention import ATTENDED, attend_mpnet, register_attention
from drugmon.models.kernels.packed_bert import PackedBert, packs
from drugmon.models.kernels.packed_layout import bare_parameters
from drugmon.models.kernels.ranges import ActivationRange
from drugmon.models.tokens.inputs import Encoded, ReviewTokenizer, TokenBatch, collate
from drugmon.models.tokens.prepared import Prepared

POOL_SCALE: Final = 8.0
"""Token states of sentence encoders are small (MiniLM's means: about 0.05 an element); heads learn
faster on features of about unit size."""


class EncoderModel(ClassifierModel):
    """A backbone with one linear head per target.

    Args:
        backbone: maps ids and mask to `.last_hidden_state` (b, L, hidden).
        hidden: the width of the token states.
        levels: what each target's head predicts.
        head_dropout: dropout on the pooled features while training.
    """

    def __init__(
        self, backbone: nn.Module, hidden: int, levels: Levels, head_dropout: float = 0.0
    ) -> None:
        heads = {
            target: nn.Linear(hidden * (2 if target in ASPECTS else 4), len(labels))
            for target, labels in levels.items()
        }
        super().__init__(backbone, nn.ModuleDict(heads), levels)
        self.dropout = nn.Dropout(head_dropout)

    def forward(self, batch: TokenBatch) -> dict[str, torch.Tensor]:
        """Level logits float (b, levels) for every trained target."""
        states = self.backbone(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        means = self._segment_means(states, batch.segments)
        return {
            target: head(self.dropout(self._features(means, target)))
            for target, head in self.heads.items()
        }

    @staticmethod
    def _segment_means(states: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """Mean states float32 (b, 4, hidden) of each aspect and of the whole; zeros where empty."""
        in_aspects = [segments == number for number in range(1, len(ASPECTS) + 1)]
        member = torch.stack([*in_aspects, segments > 0], dim=1).float()
        share = member / member.sum(dim=2, keepdim=True).clamp_min(1)
        # Back to float32 for the heads, which keep it whatever the backbone is cast to.
        return (share.to(states.dtype) @ states).float() * POOL_SCALE

    @staticmethod
    def _features(means: torch.Tensor, target: str) -> torch.Tensor:
        if target not in ASPECTS:
            return means.flatten(1)
        return torch.cat([means[:, ASPECTS.index(target)], means[:, len(ASPECTS)]], dim=1)


class Encoder:
    """A base made ready for drug reviews: its tokenizer, and its backbone in a number format."""

    graded: bool = True  # a logit for each level

    def __init__(self, base: Base, max_length: int) -> None:
        """Prepare `base` for reviews of at most `max_length` tokens.

        Raises:
            BaseModelError: the base is no encoder, cannot read that many tokens, or its tokenizer
                is another one's.
        """
        shape = encoder_shape(base)
        if shape.positions is not None and max_length > shape.positions:
            raise BaseModelError(
                f"base {base.name} reads at most {shape.positions} tokens; max_length is "
                f"{max_length}"
            )
        self.base = base
        self.prompt: str | None = None
        self.hidden, self.pad_id = shape.hidden, shape.pad_id
        self.tokenizer = ReviewTokenizer(base.folder, max_length, self.pad_id)
        if self.tokenizer.vocabulary > shape.vocabulary:
            raise BaseModelError(
                f"base {base.name}: its tokenizer has {self.tokenizer.vocabulary} tokens, its "
                f"weights have {shape.vocabulary}; the folder mixes two models"
            )

    def prepare(self, reviews: Sequence[Texts]) -> Prepared:
        """See `ReviewTokenizer.prepare`."""
        return self.tokenizer.prepare(reviews)

    def collate(self, items: Sequence[Encoded]) -> TokenBatch:
        """Pad reviews to the longest."""
        return collate(items, self.pad_id, self.tokenizer.max_length)

    def load_for_scoring(
        self,
        compute: Compute,
        merge: Callable[[nn.Module], None],
        ranges: Mapping[str, ActivationRange] | None = None,
    ) -> nn.Module:
        """BERT and its like packed on a CPU, all else as transformers has it, merged and cast."""
        packed = packs(self.base, compute)
        backbone = bare_parameters(self.base) if packed else self.load_backbone()
        merge(backbone)
        if packed:
            return PackedBert(backbone, self.base.config, compute.dtype, ranges)
        return backbone.to(compute.device, compute.dtype)

    def model(self, backbone: nn.Module, levels: Levels, head_dropout: float = 0.0) -> EncoderModel:
        """The backbone with fresh heads."""
        return EncoderModel(backbone, self.hidden, levels, head_dropout)

    def load_backbone(
        self, dtype: torch.dtype = torch.float32, train_on: torch.device | None = None
    ) -> nn.Module:
        """The pretrained weights, see `load_encoder`; on a CPU with an attention made to train."""
        fast = train_on is not None and train_on.type == "cpu"
        attended = fast and self.base.model_type in ATTENDED
        backbone = load_encoder(self.base, dtype, register_attention() if attended else None)
        if fast and self.base.model_type == "mpnet":
            attend_mpnet(backbone)
        return backbone
