"""What the effect of a check means: where no change lies, and whether a fall counts like a rise."""

from __future__ import annotations

import math
from typing import Final

from drugmon.monitoring.checks.summary import Check, Status

NO_CHANGE: Final = {"ROC AUC": 0.5, "share of the usual": 1.0}
"""Statistics, by how their names begin, that are not 0 where nothing changed."""


def no_change(statistic: str | None) -> float:
    """The effect that a statistic has where nothing changed."""
    name = statistic or ""
    return next((value for start, value in NO_CHANGE.items() if name.startswith(start)), 0.0)


def is_two_sided(statistic: str | None) -> bool:
    """Whether a check watches changes in either direction: its limits hold for the size alone."""
    return statistic is not None and "change" in statistic


def reached(check: Check, value: float | None) -> float | None:
    """How far `value` is from no change to the limit of failing, which is at 1."""
    start = no_change(check.statistic)
    span = 0.0 if check.fail_at is None else check.fail_at - start
    effect = check.effect.value if check.effect else None
    if effect is not None and effect < start and is_two_sided(check.statistic):
        span = -span
    return None if value is None or not span else (value - start) / span


def badness(check: Check) -> tuple[int, float]:
    """What sorts checks, the worst last: how they were judged, then how far they reached.

    One that fails without an effect, as where nothing was scored, is worse than all others.
    """
    at = reached(check, check.effect.value if check.effect else None)
    return list(Status).index(check.status), math.inf if at is None else at
