"""Recording what products in int8 need: the ranges of a trained model's inputs, on real reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from drugmon.data.reviews import Texts
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.device import CPU_TOKENS, choose_compute
from drugmon.models.kernels.packed_bert import PackedBert
from drugmon.models.kernels.ranges import save_ranges
from drugmon.models.tokens.inputs import token_batches

REVIEWS: Final = 1_024
"""The ranges of so many hardly differ from those of all."""


def write_ranges(adapter: Adapter, reviews: Sequence[Texts]) -> None:
    """Add the ranges to an adapter's folder where its base can use them; its manifest is as before.

    Args:
        adapter: without ranges yet.
        reviews: what it learned from; ranges come from `REVIEWS` of them, evenly spread.
    """
    loaded = adapter.load(choose_compute("cpu"))
    if not isinstance(loaded.model.backbone, PackedBert):
        return
    watched = loaded.model.backbone.watch()
    rows = np.unique(np.linspace(0, len(reviews) - 1, REVIEWS).round().astype(int))
    items = loaded.classifier.prepare([reviews[row] for row in rows]).items
    with torch.inference_mode():
        for batch in token_batches([len(item) for item in items], CPU_TOKENS):
            loaded.model(loaded.classifier.collate([items[row] for row in batch]))
    save_ranges(watched, adapter.folder)
