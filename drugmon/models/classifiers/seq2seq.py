"""The seq2seq model: a prompt in, the probabilities of three label words out.

Nothing is generated. The encoder reads the prompt, the decoder takes its first step, and the
softmax goes over the three label words alone, each of which is one token: the verdict that
generating would give wherever it gives a label at all, with its probability, for one step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError
from drugmon.models.bases.bases import Base
from drugmon.models.bases.loading import load_seq2seq
from drugmon.models.classifiers.classifier import ClassifierModel, Levels
from drugmon.models.device import Compute
from drugmon.models.kernels.one_step_t5 import OneStepT5, takes
from drugmon.models.kernels.ranges import ActivationRange
from drugmon.models.tokens.prepared import Prepared
from drugmon.models.tokens.prompts import Ids, PromptBatch, PromptTokenizer, collate_prompts


class Seq2SeqModel(ClassifierModel):
    """A T5 that answers with a label word.

    Args:
        backbone: a `T5ForConditionalGeneration` or its like, which may hold LoRA; or a `OneStepT5`.
        levels: the three labels for every target: all are asked in the same words.
        label_ids: the token of each label's word.
        start_id: what the decoder starts with.
    """

    def __init__(
        self, backbone: nn.Module, levels: Levels, label_ids: Sequence[int], start_id: int
    ) -> None:
        super().__init__(backbone, nn.ModuleDict(), levels)
        self.start_id = start_id
        self.register_buffer("label_ids", torch.tensor(label_ids), persistent=False)

    def forward(self, batch: PromptBatch) -> dict[str, torch.Tensor]:
        """Logits float (b, 3) of the label words; the same for every target."""
        backbone: Any = self.backbone
        if isinstance(backbone, OneStepT5):
            return dict.fromkeys(self.levels, backbone(batch.ids, batch.mask))
        states = backbone.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        answer = backbone.decoder(
            input_ids=batch.ids.new_full((len(batch.ids), 1), self.start_id),
            encoder_hidden_states=states,
            encoder_attention_mask=batch.mask,
            use_cache=False,
        ).last_hidden_state[:, 0]
        # T5 scales where input and output embeddings are one matrix; T5 1.1, Flan and mT5 do not.
        if getattr(backbone.config, "scale_decoder_outputs", False):
            answer = answer * backbone.config.d_model**-0.5
        words = backbone.lm_head.weight[self.get_buffer("label_ids")]
        return dict.fromkeys(self.levels, (answer @ words.T).float())


class Seq2Seq:
    """A base of the T5 family made ready for drug reviews."""

    graded: bool = False  # there is a word for each label

    def __init__(self, base: Base, max_length: int, prompt: str) -> None:
        """Prepare `base` for prompts of at most `max_length` tokens made from the template.

        Raises:
            BaseModelError: the base's tokenizer does not hold the label words.
            RecipeError: the template will not do.
        """
        config = base.config
        self.base = base
        self.prompt: str | None = prompt
        self.pad_id = int(config.get("pad_token_id") or 0)
        self._start_id = int(config.get("decoder_start_token_id") or self.pad_id)
        self.tokenizer = PromptTokenizer(base.folder, prompt, max_length)
        self._label_ids = self.tokenizer.label_ids()
        if max(self._label_ids) >= int(config.get("vocab_size", 0)):
            raise BaseModelError(
                f"base {base.name}: its tokenizer has more tokens than its weights; "
                "the folder mixes two models"
            )

    def prepare(self, reviews: Sequence[Texts]) -> Prepared:
        """See `PromptTokenizer.prepare`."""
        return self.tokenizer.prepare(reviews)

    def collate(self, items: Sequence[Ids]) -> PromptBatch:
        """Pad prompts to the longest."""
        return collate_prompts(items, self.pad_id)

    def model(self, backbone: nn.Module, levels: Levels, head_dropout: float = 0.0) -> Seq2SeqModel:
        """The backbone as a classifier; it has no heads to drop out from."""
        del head_dropout
        return Seq2SeqModel(backbone, levels, self._label_ids, self._start_id)

    def load_backbone(
        self, dtype: torch.dtype = torch.float32, train_on: torch.device | None = None
    ) -> nn.Module:
        """The pretrained weights, with the base's own dropout while training."""
        del train_on
        return load_seq2seq(self.base, dtype)

    def load_for_scoring(
        self,
        compute: Compute,
        merge: Callable[[nn.Module], None],
        ranges: Mapping[str, ActivationRange] | None = None,
    ) -> nn.Module:
        """Laid out anew where that computes the same, else as transformers has it, cast."""
        del ranges  # T5's products are all in one format
        backbone = self.load_backbone()
        merge(backbone)
        if takes(backbone):
            return OneStepT5(backbone, self._label_ids, self._start_id, compute)
        return backbone.to(compute.device, compute.dtype)
