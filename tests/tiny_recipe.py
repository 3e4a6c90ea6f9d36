"""Settings with which a recipe trains the tiny base in a second or two."""

from __future__ import annotations

from typing import Final

TINY: Final = (
    "base.name=tiny-base",
    "lora.r=2",
    "model.max_length=32",
    "train.epochs=1",
    "train.batch_size=16",
)
TINY_SPLIT: Final = (*TINY, "split.dev=0.3", "split.test=0.3", "split.folds=0")
"""With a dev and a test split beside what is learned from, and no folds."""
