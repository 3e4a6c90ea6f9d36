"""Which classifier reads a base."""

from __future__ import annotations

from drugmon.models.bases.bases import Base
from drugmon.models.classifiers.classifier import Classifier
from drugmon.models.classifiers.encoder import Encoder
from drugmon.models.classifiers.seq2seq import Seq2Seq
from drugmon.models.tokens.prompts import PROMPT, PROMPTED


def make_classifier(base: Base, max_length: int, prompt: str | None = None) -> Classifier:
    """The classifier for the architecture of `base`.

    Args:
        base: the verified base.
        max_length: tokens that an item may have.
        prompt: the template of a seq2seq base, None for its default; encoders read plain texts.

    Raises:
        BaseModelError: no classifier fits the base, or it cannot read that many tokens.
        RecipeError: the prompt will not do.
    """
    if base.model_type in PROMPTED:
        return Seq2Seq(base, max_length, prompt or PROMPT)
    return Encoder(base, max_length)
