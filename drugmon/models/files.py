"""The names of the files in an adapter's folder."""

from __future__ import annotations

from typing import Final

MANIFEST: Final = "manifest.json"
CARD: Final = "README.md"

LORA_WEIGHTS: Final = "adapter_model.safetensors"
LORA_CONFIG: Final = "adapter_config.json"
"""This and the weights are peft's names."""

CHECKPOINT: Final = "config.json"
"""Only a whole checkpoint brings a configuration of its own."""

HEADS: Final = "heads.safetensors"
LEXICON: Final = "lexical.safetensors"
RANGES: Final = "ranges.safetensors"
"""The range of the inputs of every layer that can compute in int8."""

REFERENCE: Final = "reference.json"
"""The profile of held-out reviews, whose labels the balanced rule decided."""

REFERENCE_OF_LIKELIEST: Final = "reference-likeliest.json"
"""The same with the likeliest labels; adapters of before the rule lack it."""

SEEN: Final = "training-reviews.txt"
"""A short hash of every review that it learned from, unless they were left out."""

HELD_OUT: Final = "held-out.safetensors"
"""What was said of the reviews that were held out, each named by a hash; left out with them."""
