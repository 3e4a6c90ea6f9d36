"""Windows of rows on their way through a scorer."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Final

from drugmon.data.prefetch import prefetched
from drugmon.data.reviews import Window
from drugmon.scoring.scorer import Scorer, ScoringPlan

WINDOW_ROWS: Final = 8192
"""Rows in memory at a time."""


def planned(
    windows: Iterable[Window], scorer: Scorer
) -> closing[Generator[tuple[Window, ScoringPlan], None, None]]:
    """Windows and what is to be done about them, read and looked up while the one before computes.

    Leaving the block waits for the window that is being read.
    """
    return closing(
        prefetched((window, scorer.plan(window.texts, window.rows)) for window in windows)
    )
