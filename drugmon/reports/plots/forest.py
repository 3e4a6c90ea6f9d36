"""The forest plot: every check's effect with its interval, on one scale of its own limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drugmon.monitoring.checks.summary import Check, Status
from drugmon.reports.plots.charts import Mark, Scale, mark
from drugmon.statistics.figures import Interval

SCALE: Final = Scale(-0.5, 2.0)
"""0 is no change, 1 the limit of failing; what lies beyond the ends is cut, with an arrow."""


@dataclass(frozen=True)
class ForestRow:
    """A check; `mark` and the two limits are positions, None where there is nothing to draw."""

    check: Check
    mark: Mark | None
    zero: float
    warn: float | None
    fail: float | None


@dataclass(frozen=True)
class Forest:
    """The judged checks, the worst first, and the titles of the others by what is said of them."""

    rows: tuple[ForestRow, ...]
    unjudged: Mapping[str, tuple[str, ...]]


def forest(checks: Sequence[Check]) -> Forest:
    """Lay out the checks of one area."""
    judged = [check for check in checks if check.status is not Status.UNJUDGED]
    unjudged: dict[str, tuple[str, ...]] = {}
    for check in checks:
        if check.status is Status.UNJUDGED:
            unjudged[check.says] = (*unjudged.get(check.says, ()), check.title)
    return Forest(
        tuple(
            _row(check) for check in sorted(judged, key=lambda check: check.badness, reverse=True)
        ),
        unjudged,
    )


def _row(check: Check) -> ForestRow:
    effect = check.effect
    at = check.reached(effect.value if effect else None)
    warn = check.reached(check.warn_at)
    if effect is None or at is None:
        return ForestRow(check, None, SCALE.at(0), None, None)
    reached = (check.reached(end) for end in (effect.low, effect.high))
    ends = sorted(end for end in reached if end is not None) or [at]
    return ForestRow(
        check=check,
        mark=mark(Interval(at, ends[0], ends[-1]), SCALE),
        zero=SCALE.at(0),
        warn=None if warn is None else SCALE.at(abs(warn)),
        fail=SCALE.at(1),
    )
