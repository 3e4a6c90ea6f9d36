"""What a smaller number format changes: labels and probabilities beside those of float32."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from drugmon.config import EngineConfig
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.scoring.engine import Engine
from drugmon.scoring.scores import Scores
from drugmon.training.reviews.dataset import LabelledReviews

FORMATS = ("fp32", "bf16", "int8")
CLASSES = range(len(LABELS))


def formats(adapter: Adapter, reviews: LabelledReviews, threads: int) -> list[dict[str, Any]]:
    """Score all of `reviews` in each format, one after the other; a line for each."""
    table: list[dict[str, Any]] = []
    exact: Scores | None = None
    for dtype in FORMATS:
        print(dtype, file=sys.stderr, flush=True)
        engine = Engine(adapter, EngineConfig("cpu", dtype, threads), print)
        engine.score(reviews.texts[:64])
        began = time.perf_counter()
        scores = engine.score(reviews.texts)
        taken = time.perf_counter() - began
        exact = exact or scores
        table.append(
            {"format": dtype, "seconds": f"{taken:.0f}", **_beside(scores, exact, reviews)}
        )
    return table


def _beside(scores: Scores, exact: Scores, reviews: LabelledReviews) -> dict[str, str]:
    there = exact.labels >= 0
    change = np.abs(scores.probabilities - exact.probabilities)[there]
    line = {
        "labels as in fp32": f"{np.mean((scores.labels == exact.labels)[there]):.2%}",
        "mean change of a probability": f"{change.mean():.4f}",
        "largest": f"{change.max():.3f}",
    }
    for column, target in enumerate(TARGETS):
        if target in reviews.labels:
            true = reviews.labels[target]
            judged = (true >= 0) & there[:, column]
            mine, theirs = (
                f1_score(true[judged], side.labels[judged, column], labels=CLASSES, average="macro")
                for side in (scores, exact)
            )
            line[f"macro-F1, {target}"] = f"{mine - theirs:+.4f}"
    return line
