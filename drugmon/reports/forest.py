"""The forest plot: every check's effect with its interval, on one scale of its own limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drugmon.monitoring.figures import Interval
from drugmon.monitoring.summary import Check, Status
from drugmon.reports.charts import Mark, Scale, mark

SCALE: Final = Scale(-0.5, 2.0)
"""0 is no change, 1 the limit of failing; what lies beyond the ends is cut, with an arrow."""

CHANCE: Final = 0.5
"""An area under the ROC curve of this size tells nothing apart: there it is "no change"."""


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
    return Forest(tuple(_row(check) for check in sorted(judged, key=_rank, reverse=True)), unjudged)


def _rank(check: Check) -> tuple[int, float]:
    reached = _reached(check, check.effect.value if check.effect else None)
    return list(Status).index(check.status), reached or 0.0


def _row(check: Check) -> ForestRow:
    effect = check.effect
    if effect is None or effect.value is None or not _span(check):
        return ForestRow(check, None, SCALE.at(0), None, None)
    low, high = effect.low, effect.high
    if _span(check) < 0:
        low, high = high, low
    warn = None if check.warn_at is None else (check.warn_at - _null(check)) / abs(_span(check))
    return ForestRow(
        check=check,
        mark=mark(Interval(*(_reached(check, end) for end in (effect.value, low, high))), SCALE),
        zero=SCALE.at(0),
        warn=None if warn is None else SCALE.at(abs(warn)),
        fail=SCALE.at(1),
    )


def _reached(check: Check, value: float | None) -> float | None:
    """How far `value` is from no change to the limit of failing: 1 is the limit itself."""
    span = _span(check)
    return None if value is None or not span else (value - _null(check)) / span


def _span(check: Check) -> float:
    """From no change to the limit of failing; downwards where a fall is what was found off."""
    if check.fail_at is None:
        return 0.0
    span = check.fail_at - _null(check)
    fell = check.effect and check.effect.value is not None and check.effect.value < _null(check)
    return -span if fell and span > 0 and check.status in (Status.WARN, Status.FAIL) else span


def _null(check: Check) -> float:
    return CHANCE if check.statistic and "AUC" in check.statistic else 0.0
