"""What the effect of a check means: where no change lies, and whether a fall counts like a rise."""

from __future__ import annotations

from typing import Final

NO_CHANGE: Final = {"ROC AUC": 0.5, "share of the usual": 1.0}
"""Statistics, by how their names begin, that are not 0 where nothing changed."""


def no_change(statistic: str | None) -> float:
    """The effect that a statistic has where nothing changed."""
    name = statistic or ""
    return next((value for start, value in NO_CHANGE.items() if name.startswith(start)), 0.0)


def is_two_sided(statistic: str | None) -> bool:
    """Whether a check watches changes in either direction: its limits hold for the size alone."""
    return statistic is not None and "change" in statistic
